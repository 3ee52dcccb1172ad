"""Shared libraries that this process has loaded, by the names of their files.

Source: proc_pid_maps(5). For action threads: a large program has thousands of lines there.
"""

from __future__ import annotations

from amptalk.sensors.files import read_once
from amptalk.sensors.roots import Roots

_LONGEST = 1 << 26
_REPLACED = " (deleted)"


def loaded_libraries(roots: Roots) -> set[str]:
    """Names such as `libgomp.so.1`. Raises `SensorFault`."""
    lines = read_once(f"{roots.proc}/self/maps", _LONGEST).decode("utf-8", "replace").splitlines()
    paths = {line.removesuffix(_REPLACED) for line in lines if ".so" in line}
    return {path.rpartition("/")[2] for path in paths}
