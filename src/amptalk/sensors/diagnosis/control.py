"""Whether the kernel could hold memory or CPU here: the control group's own limit files.

Says only whether this user may write them, and which limit they hold now. Nothing is written.

Formats: Documentation/admin-guide/cgroup-v2.rst (`memory.max`, `cpu.max`, delegation), cgroups(7).
"""

from __future__ import annotations

import os
from typing import NamedTuple

from amptalk.sensors.cgroups import Group, find_group
from amptalk.sensors.diagnosis.groups import own_group
from amptalk.sensors.diagnosis.machine import Machine
from amptalk.sensors.files import SensorFault, exists, text_or_nothing

_FILES = {
    "memory": ("memory", {1: "memory.limit_in_bytes", 2: "memory.max"}),
    "cpu": ("cpu", {1: "cpu.cfs_quota_us", 2: "cpu.max"}),
}
RESOURCES = tuple(_FILES)


class Control(NamedTuple):
    """What the kernel could do about one resource of the application."""

    writable: bool
    text: str
    remedy: str
    """The command that gives the application a group with a limit; empty when it has one."""


def kernel_control(machine: Machine, pid: int, resource: str) -> Control:
    """Look at the control group that counts `resource` of a process."""
    if machine.system != "Linux":
        return Control(writable=False, text="there are no control groups on this system", remedy="")
    controller, names = _FILES[resource]
    remedy = own_group(machine, controller)
    try:
        group = find_group(machine.roots, pid, controller, (names[1], names[2]))
    except SensorFault as fault:
        return Control(writable=False, text=fault.reason, remedy=remedy)
    path = f"{group.folder}/{names[group.version]}"
    now = text_or_nothing(path)
    limited = "no limit now" if now in {"max", "-1"} or len(now) > 18 else f"now {now}"
    if os.access(path, os.W_OK):
        return Control(writable=True, text=f"{path} may be written ({limited})", remedy="")
    if _delegated(group, controller):
        text = f"{group.folder} is delegated to this user, who may make groups in it"
        return Control(writable=True, text=text, remedy="")
    return Control(writable=False, text=f"{path} may not be written ({limited})", remedy=remedy)


def _delegated(group: Group, controller: str) -> bool:
    """Whether a version 2 group was handed to this user with the controller."""
    folder = group.folder
    return (
        group.version == 2
        and exists(f"{folder}/cgroup.subtree_control")
        and os.access(f"{folder}/cgroup.subtree_control", os.W_OK)
        and os.access(f"{folder}/cgroup.procs", os.W_OK)
        and os.access(folder, os.W_OK)
        and controller in text_or_nothing(f"{folder}/cgroup.controllers").split()
    )
