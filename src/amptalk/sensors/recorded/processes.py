"""The files of one application's processes that are kept, when that is asked for.

Memory, CPU time and what they hold of a GPU; never their names, arguments, environment or open
files other than those of GPUs. Of each process the list of children of its main thread, and those
of other threads that have any.
"""

from __future__ import annotations

import os
import re

from amptalk.sensors.files import listing
from amptalk.sensors.procstat import descendants_by_children, descendants_by_scan
from amptalk.sensors.procstat import has_children_files as lists_children
from amptalk.sensors.recorded.patience import read
from amptalk.sensors.roots import Roots

FILES = ("stat", "statm", "smaps_rollup", "status")
AT_MOST = 256
"""Processes that are kept."""
_GPU = re.compile(r"/dev/dri/[A-Za-z0-9]+")


def process_files(roots: Roots, pid: int) -> tuple[dict[str, None], dict[str, str]]:
    """Files and links to keep of `pid` and its descendants, by paths relative to `/`."""
    listed = lists_children(roots.proc, pid)
    find = descendants_by_children if listed else descendants_by_scan
    pids = [pid, *find(roots.proc, pid, frozenset())][:AT_MOST]
    files: dict[str, None] = {}
    links: dict[str, str] = {}
    for one in pids:
        files.update(dict.fromkeys(f"proc/{one}/{name}" for name in FILES))
        if listed:
            for thread in listing(f"{roots.proc}/{one}/task"):
                path = f"proc/{one}/task/{thread}/children"
                if thread == str(one) or read(f"{roots.proc}/{path[5:]}"):
                    files[path] = None
        for descriptor in listing(f"{roots.proc}/{one}/fd"):
            path = f"proc/{one}/fd/{descriptor}"
            try:
                target = os.readlink(f"{roots.proc}/{path[5:]}")
            except OSError:
                continue  # closed meanwhile
            if _GPU.fullmatch(target):
                links[path] = target
                files[f"proc/{one}/fdinfo/{descriptor}"] = None
    return files, links
