"""Find the control groups of a process, version 1, version 2 and both at once.

A process has one group per hierarchy. Version 1 has a hierarchy per controller; version 2 has
one for all, and a group whose parent does not hand a controller down is charged to the nearest
ancestor that has it. A hybrid machine prints `0::/` for an empty version 2 hierarchy while
memory is counted by version 1, so a group counts only where the controller's file exists.

The root of a hierarchy stands for the whole machine and is not a group of one's own. It is
known by its files, not by its path: inside a cgroup namespace (docker) the path is "/" too.
Limits are not read here (`container`).

A group that was made to hold the limits of this very process (`own_group_name`) does not count as
its container: its limits are a share of what the group around it may have.

Formats: cgroups(7), Documentation/admin-guide/cgroup-v2.rst, mountinfo in proc.rst.
"""

from __future__ import annotations

import errno
from typing import NamedTuple

from amptalk.sensors.files import SensorFault, exists, garbled, read_once, unescaped
from amptalk.sensors.roots import Roots

OURS = "amptalk-"
"""How the name of every control group begins that this program makes."""


def own_group_name(pid: int, start: int) -> str:
    """Name of the group that a process makes for itself, unlike that of any other of this boot."""
    return f"{OURS}{pid}-{start}"


class NoGroup(SensorFault):
    """There is no group that counts; nothing hinders reading."""


class Group(NamedTuple):
    """The folder of a control group and the folder where its hierarchy is mounted."""

    version: int
    folder: str
    top: str

    def ancestors(self) -> tuple[str, ...]:
        """Folders from the group itself up to the mount, the root of the hierarchy left out."""
        folders = [self.folder]
        while folders[-1] != self.top and len(folders) < 64:
            folders.append(folders[-1].rpartition("/")[0])
        return tuple(folder for folder in folders if not is_root(self.version, folder))


class Mount(NamedTuple):
    """One hierarchy as this process sees it."""

    version: int
    root: str
    folder: str
    options: frozenset[str]


def membership(roots: Roots, pid: int) -> bytes:
    """`/proc/<pid>/cgroup` as it is, to notice a migration. Raises `SensorFault`."""
    path = f"{roots.proc}/{pid}/cgroup"
    try:
        data = read_once(path)
    except SensorFault as fault:
        if fault.number == errno.ENOENT and exists(f"{roots.proc}/{pid}"):
            raise NoGroup(f"{fault.reason}: this kernel has no control groups") from None
        raise
    if not data.endswith(b"\n") or not all(line.count(b":") > 1 for line in data.splitlines()):
        raise garbled(path, "it is not lines of `number:controllers:path`")
    return data


def is_root(version: int, folder: str) -> bool:
    """Whether a folder is the root of its hierarchy: the kernel makes these files only there."""
    if version == 1:
        return exists(f"{folder}/release_agent")
    return not exists(f"{folder}/cgroup.events")


def find_group(roots: Roots, pid: int, controller: str, proof: tuple[str, str]) -> Group:
    """Find the group that counts `controller`, proven by a file for version 1 or 2.

    Raises `NoGroup` saying why there is none, `SensorFault` when that cannot be told.
    """
    lines = groups_listed(membership(roots, pid))
    mounts = mounts_of(roots)
    for controllers, path in lines:
        if controller in controllers:
            for mount in mounts:
                if mount.version == 1 and controller in mount.options:
                    folder = outside(folder_of(mount, path), pid)
                    group = _nearest(Group(1, folder, mount.folder), proof[0])
                    if group is not None:
                        return _own(group, controller)
    for controllers, path in lines:
        if controllers == frozenset({""}):
            for mount in mounts:
                if mount.version == 2:
                    folder = outside(folder_of(mount, path), pid)
                    group = _nearest(Group(2, folder, mount.folder), proof[1])
                    if group is not None:
                        return _own(group, controller)
    raise _absent(roots, pid, controller, mounts)


def outside(folder: str, pid: int) -> str:
    """The folder, or the one around it when it is the group that process `pid` made for itself."""
    around, _, name = folder.rpartition("/")
    return around if name.startswith(f"{OURS}{pid}-") else folder


def _own(group: Group, controller: str) -> Group:
    if is_root(group.version, group.folder):
        raise NoGroup(
            f"not in a control group of its own: {controller} is counted for the root group"
            f" {group.folder}, which is the whole machine",
            "start it in one: systemd-run --scope -p MemoryMax=1G -p CPUQuota=100% COMMAND",
        )
    return group


def _nearest(group: Group, proof: str) -> Group | None:
    """The group itself or its nearest ancestor with the controller's file."""
    folder = group.folder
    for _ in range(64):
        if exists(f"{folder}/{proof}"):
            return group._replace(folder=folder)
        if folder == group.top:
            return None
        folder = folder.rpartition("/")[0]
    return None


def _absent(roots: Roots, pid: int, controller: str, mounts: list[Mount]) -> NoGroup:
    if _disabled(roots, controller):
        if controller == "memory":
            return NoGroup(
                "the memory controller is switched off at boot (cgroup_disable=memory, the "
                "default of a Raspberry Pi): no group counts memory",
                "append cgroup_enable=memory cgroup_memory=1 to the kernel command line "
                "(Raspberry Pi: /boot/firmware/cmdline.txt) and reboot",
            )
        return NoGroup(
            f"the {controller} controller is switched off at boot (cgroup_disable={controller})",
            f"remove cgroup_disable={controller} from the kernel command line and reboot",
        )
    if not mounts:
        return NoGroup(f"no control group file system is mounted ({roots.proc}/self/mountinfo)")
    return NoGroup(
        f"no group in {roots.proc}/{pid}/cgroup, nor an ancestor of one, counts {controller}"
    )


def _disabled(roots: Roots, controller: str) -> bool:
    """Whether `/proc/cgroups` (name, hierarchy, groups, enabled) or the boot line says so."""
    try:
        for line in read_once(f"{roots.proc}/cgroups").decode("ascii", "replace").splitlines():
            words = line.split()
            if len(words) == 4 and words[0] == controller:
                return words[3] == "0"
    except SensorFault:
        pass
    try:
        words = read_once(f"{roots.proc}/cmdline").decode("ascii", "replace").split()
    except SensorFault:
        return False
    return f"cgroup_disable={controller}" in words


def groups_listed(data: bytes) -> list[tuple[frozenset[str], str]]:
    """`id:controllers:path`; the path may hold colons."""
    found = []
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            found.append((frozenset(parts[1].split(",")), parts[2]))
    return found


def mounts_of(roots: Roots) -> list[Mount]:
    """Every mounted hierarchy. Raises `SensorFault`."""
    found = []
    path = f"{roots.proc}/self/mountinfo"
    data = read_once(path).decode("utf-8", "surrogateescape")
    if not data.endswith("\n"):
        raise garbled(path, "it is empty or cut off")
    for line in data.splitlines():
        left, dash, right = line.partition(" - ")
        words, kind = left.split(), right.split()
        if not dash or len(words) < 5:
            raise garbled(path, f"a line {line[:40]!r}")
        if len(kind) < 3 or kind[0] not in {"cgroup", "cgroup2"}:
            continue
        folder = unescaped(words[4])
        if folder.startswith("/sys"):
            folder = roots.sys + folder[4:]
        version = 2 if kind[0] == "cgroup2" else 1
        options = frozenset(kind[2].split(","))
        found.append(Mount(version, unescaped(words[3]), folder, options))
    return found


def folder_of(mount: Mount, path: str) -> str:
    """The group's folder beneath the mount; the mount itself when the path is not beneath it."""
    beneath = path
    if mount.root != "/":
        if path != mount.root and not path.startswith(mount.root + "/"):
            return mount.folder  # bind-mounted into a container, or seen from another namespace
        beneath = path[len(mount.root) :]
    beneath = beneath.strip("/")
    if not beneath or ".." in beneath.split("/"):
        return mount.folder
    folder = f"{mount.folder}/{beneath}"
    return folder if exists(folder) else mount.folder
