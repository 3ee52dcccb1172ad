"""What `amptalk attach` is about: a process with its descendants, a control group, or a unit.

A process and what it started is moved into a group of ours beneath the one it lives in, and back. A
group that somebody else made keeps its processes: its own limits are changed, and changed back. A
unit is the group that systemd gives it.
"""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.kernel.own_groups import OwnGroups
from amptalk.actuators.kernel.places import Place
from amptalk.model.errors import ActionError, ConfigurationError
from amptalk.sensors.cgroups import mounts_of, own_group_name
from amptalk.sensors.files import SensorFault, exists, listing, read_once
from amptalk.sensors.identity import Identity, identity_of
from amptalk.sensors.procstat import family
from amptalk.sensors.roots import Roots

LIMIT_FILES = {
    "memory": ("memory.limit_in_bytes", "memory.max"), "cpu": ("cpu.cfs_quota_us", "cpu.max"),
}  # fmt: skip
"""Controller to the file of its limit in version 1 and 2."""
_PATIENCE = 2.0


class Target(NamedTuple):
    """Found and alive."""

    name: str
    """As it was given."""
    process: Identity
    """The process itself, or one that lives in the group."""
    folders: tuple[tuple[int, str], ...] = ()
    """Version and folder of the group in each hierarchy; none for a process."""

    def members(self, roots: Roots) -> list[int]:
        """Its processes now."""
        if not self.folders:
            try:
                return family(roots.proc, self.process.pid, frozenset())
            except SensorFault:
                return []
        return _in_group(self.folders[0][1])


def find_target(roots: Roots, name: str) -> Target:
    """Find what a name means. Raises `ConfigurationError`."""
    if name.isdigit():
        try:
            return Target(name, identity_of(roots.proc, int(name)))
        except SensorFault:
            raise ConfigurationError(f"process {name} does not live, or hides from you") from None
    path = name if "/" in name else _group_of_unit(name)
    folders = _folders(roots, path)
    if not folders:
        raise ConfigurationError(f"{name}: no control group {path} is mounted here")
    for _, folder in folders:
        for pid in _in_group(folder):
            try:
                return Target(name, identity_of(roots.proc, pid), tuple(folders))
            except SensorFault:
                continue
    raise ConfigurationError(f"{name}: no process lives in {folders[0][1]}")


class GivenGroups(OwnGroups):
    """Groups that somebody else made: nothing is made, moved or removed."""

    def __init__(self, roots: Roots, journal: Journal, target: Target) -> None:
        super().__init__(roots, journal, lambda: target.members(roots))
        self._target = target

    def place(self, controller: str) -> Place:
        """The group itself. Raises `ActionError` where it has no such controller."""
        proofs = LIMIT_FILES.get(controller, ())
        for version, folder in self._target.folders:
            if proofs and exists(f"{folder}/{proofs[version - 1]}"):
                if os.access(f"{folder}/{proofs[version - 1]}", os.W_OK):
                    return Place(version, folder, controller)
                raise ActionError(f"{folder}/{proofs[version - 1]} may not be written by this user")
        raise ActionError(f"{self._target.name} has no {controller} controller")

    def enter(self, controller: str) -> str:
        """Its folder. Raises `ActionError`."""
        return self.place(controller).home

    def leave(self, controller: str) -> None:
        """Nothing was made."""


def process_groups(roots: Roots, journal: Journal, target: Target) -> OwnGroups:
    """Groups of ours around a process. Raises `ActionError` when it holds limits by itself."""
    whom = target.process
    name = own_group_name(whom.pid, whom.start)
    try:
        taken = name.encode() in read_once(f"{roots.proc}/{whom.pid}/cgroup")
    except SensorFault as fault:
        raise ActionError(fault.reason) from None
    if taken:
        raise ActionError(f"process {whom.pid} holds limits of its own, or is attached already")
    return OwnGroups(roots, journal, lambda: target.members(roots), whom)


def _folders(roots: Roots, path: str) -> list[tuple[int, str]]:
    """The group in every hierarchy that has it: by its folder, or by its path in all of them."""
    try:
        mounts = mounts_of(roots)
    except SensorFault as fault:
        raise ConfigurationError(fault.reason) from None
    found = []
    for mount in mounts:
        beneath = path.removeprefix(mount.folder) if path.startswith(mount.folder + "/") else path
        folder = f"{mount.folder}/{beneath.strip('/')}"
        if beneath.strip("/") and exists(f"{folder}/cgroup.procs"):
            found.append((mount.version, folder))
    return found


def _group_of_unit(unit: str) -> str:
    command = ["systemctl", "show", "--property=ControlGroup", "--value", "--", unit]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words and a name behind `--`
            command, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigurationError(f"unit {unit}: systemd cannot be asked: {error}") from None
    path = done.stdout.strip()
    if done.returncode or not path.startswith("/"):
        raise ConfigurationError(f"unit {unit} has no control group: it does not run")
    return path


def _in_group(folder: str) -> list[int]:
    """Processes of a group and of those beneath it."""
    found: list[int] = []
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            found += map(int, read_once(f"{here}/cgroup.procs").split())
            waiting += [f"{here}/{name}" for name in listing(here)
                        if exists(f"{here}/{name}/cgroup.procs")]  # fmt: skip
        except SensorFault:
            continue
    return found
