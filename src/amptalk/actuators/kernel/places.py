"""Where a process may make a control group of its own: directly beneath the one it lives in.

Never beside it or above: the limits around the process go on to hold. Where that cannot be, the
reason says so with what would help. Nothing is changed here (`own_groups`).

Formats: cgroups(7); Documentation/admin-guide/cgroup-v2.rst, "Delegation" and "No Internal Process
Constraint".
"""

from __future__ import annotations

import os
from typing import NamedTuple

from amptalk.model.errors import ActionError
from amptalk.sensors.cgroups import folder_of, groups_listed, membership, mounts_of, outside
from amptalk.sensors.files import SensorFault, exists, text_or_nothing
from amptalk.sensors.roots import Roots

FREEZER = "freezer"
_PROOFS = {
    "memory": "memory.limit_in_bytes", "cpu": "cpu.cfs_quota_us", "pids": "cgroup.procs",
    FREEZER: "cgroup.procs",
}  # fmt: skip
"""Controller of version 1 to a file without which it is of no use; of the root too."""
SCOPE = (
    "start the application in a group of its own with `systemd-run --scope -p Delegate=yes COMMAND`"
    " (--user where you are not root)"
)
"""What gives an application a group that it may divide."""


class Place(NamedTuple):
    """The group in which a group of ours is made."""

    version: int
    home: str
    """Folder of the group that the process lives in."""
    controller: str


def place_of(roots: Roots, pid: int, controller: str) -> Place:
    """Find where a group that has `controller` can be made. Raises `ActionError` saying why not."""
    try:
        lines = groups_listed(membership(roots, pid))
        mounts = mounts_of(roots)
    except SensorFault as fault:
        raise ActionError(fault.reason) from None
    for controllers, path in lines:
        for mount in mounts:
            if mount.version == 1 and controller in controllers & mount.options:
                home = outside(folder_of(mount, path), pid)
                if exists(f"{home}/{_PROOFS[controller]}"):
                    return _checked(Place(1, home, controller))
    for controllers, path in lines:
        for mount in mounts:
            if mount.version == 2 and controllers == frozenset({""}):
                home = outside(folder_of(mount, path), pid)
                return _checked(_handed(Place(2, home, controller)))
    raise ActionError(f"no control group file system with {controller} is mounted here")


def _handed(place: Place) -> Place:
    """The place, if its group has the controller; freezing needs none."""
    handed = text_or_nothing(f"{place.home}/cgroup.controllers").split()
    if place.controller == FREEZER or place.controller in handed:
        return place
    raise ActionError(
        f"{place.home} has no {place.controller} controller (it has {' '.join(handed) or 'none'}): "
        f"{SCOPE}"
    )


def _checked(place: Place) -> Place:
    """The place, if this user may make a group there and move processes into it."""
    home = place.home
    needed = [home, f"{home}/cgroup.procs"]
    if place.version == 2 and place.controller != FREEZER:
        needed.append(f"{home}/cgroup.subtree_control")
    for path in needed:
        if not os.access(path, os.W_OK):
            raise ActionError(f"{path} may not be written by this user: {SCOPE}")
    return place
