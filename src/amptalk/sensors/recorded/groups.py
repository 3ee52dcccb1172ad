"""The control groups of a process: what is kept of them, under names that say nothing.

A group's name may be that of a user, a session or a container. Each part of a path is replaced
by `group1`, `group2` ..., the same in the membership, in the list of mounts and in the folders, so
that all three still fit together. Of the mounts only those of control groups are kept, and
nothing of where they come from. Kept are the process's own groups and their ancestors.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from amptalk.sensors.cgroups import Mount, folder_of, groups_listed, membership, mounts_of
from amptalk.sensors.files import SensorFault
from amptalk.sensors.roots import Roots

CHANGING = (
    *("memory.current", "memory.swap.current", "memory.stat", "memory.events", "memory.pressure"),
    *("cpu.stat", "cpu.pressure", "io.pressure", "pids.current", "memory.usage_in_bytes"),
    *("memory.oom_control", "memory.failcnt", "cpuacct.usage"),
)
FIXED = (
    *("cgroup.events", "cgroup.controllers", "cgroup.type", "memory.max", "memory.high"),
    *("memory.low", "memory.min", "memory.swap.max", "cpu.max", "cpu.weight", "pids.max"),
    *("cpuset.cpus.effective", "memory.limit_in_bytes", "memory.soft_limit_in_bytes"),
    *("memory.memsw.limit_in_bytes", "memory.use_hierarchy", "cpu.cfs_quota_us"),
    *("cpu.cfs_period_us", "cpu.shares", "cpuset.cpus", "cpuset.effective_cpus", "release_agent"),
)
_OPTION = re.compile(r"rw|ro|[a-z_]+")
_PLAIN = re.compile(r"/sys/fs/cgroup(/[\w,.=-]+)*")


class Folder(NamedTuple):
    """A folder of a control group."""

    real: str
    """Where it is."""
    shown: str
    """The same with neutral names, relative to `/`."""


class Groups:
    """Finds the groups of one process and gives them neutral names."""

    def __init__(self, roots: Roots, pid: int) -> None:
        self._roots = roots
        self._pid = pid
        self._names: dict[tuple[str, ...], str] = {}

    def tables(self) -> tuple[bytes, bytes]:
        """`/proc/<pid>/cgroup` and `mountinfo` as they are kept. Raises `SensorFault`."""
        lines = membership(self._roots, self._pid).decode("utf-8", "surrogateescape").splitlines()
        shown = []
        for line in lines:
            number, controllers, path = (*line.split(":", 2), "", "")[:3]
            shown.append(f"{number}:{controllers}:{self._neutral(path)}\n")
        mounts = []
        for at_line, mount in enumerate(self._mounts(), 30):
            kind = "cgroup2" if mount.version == 2 else "cgroup"
            options = ",".join(sorted(filter(_OPTION.fullmatch, mount.options)))
            at = self._shown(mount)
            root = self._neutral(mount.root)
            mounts.append(f"{at_line} 1 0:{at_line} {root} /{at} rw - {kind} {kind} {options}\n")
        return "".join(shown).encode(), "".join(mounts).encode()

    def folders(self) -> list[Folder]:
        """The process's groups with all ancestors, in each mounted hierarchy."""
        found: dict[str, Folder] = {}
        try:
            listed = groups_listed(membership(self._roots, self._pid))
            mounts = self._mounts()
        except SensorFault:
            return []
        for mount in mounts:
            for controllers, path in listed:
                if mount.version == 1 and not controllers & mount.options:
                    continue
                if mount.version == 2 and controllers != {""}:
                    continue
                for folder in self._ancestors(mount, path):
                    found[folder.real] = folder
        return list(found.values())

    def _ancestors(self, mount: Mount, path: str) -> list[Folder]:
        leaf = folder_of(mount, path)
        parts = [part for part in leaf[len(mount.folder) :].split("/") if part]
        before = [part for part in mount.root.split("/") if part]
        top = self._shown(mount)
        folders = [Folder(mount.folder, top)]
        for depth in range(1, len(parts) + 1):
            named = [self._name((*before, *parts[: n + 1])) for n in range(depth)]
            real = "/".join((mount.folder, *parts[:depth]))
            folders.append(Folder(real, "/".join((top, *named))))
        return folders

    def _mounts(self) -> list[Mount]:
        """Hierarchies at their usual place; another one might be told by its name."""
        return [one for one in mounts_of(self._roots) if _PLAIN.fullmatch(f"/{self._shown(one)}")]

    def _shown(self, mount: Mount) -> str:
        return "sys" + mount.folder.removeprefix(self._roots.sys)

    def _neutral(self, path: str) -> str:
        parts = tuple(part for part in path.split("/") if part)
        return "/" + "/".join(self._name(parts[: n + 1]) for n in range(len(parts)))

    def _name(self, parts: tuple[str, ...]) -> str:
        """The neutral name of the last of `parts`, a path from the top of the hierarchy."""
        if parts[-1] == "..":
            return ".."
        return self._names.setdefault(parts, f"group{len(self._names) + 1}")
