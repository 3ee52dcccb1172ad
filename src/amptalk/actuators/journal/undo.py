"""Undo one change, whoever made it: compare first, and change back only what is still ours.

Each way of undoing is idempotent: done twice, or begun and not ended, it comes to the same.
Nothing here looks at the journal (`restore`).
"""

from __future__ import annotations

import errno
import time
from enum import Enum
from typing import NamedTuple, Protocol

from amptalk.actuators.journal.changes import CONTROLLERS, GPU, GROUP, STOPPED, Change
from amptalk.actuators.kernel import writing
from amptalk.actuators.kernel.writing import Refused, read, remove_folder, resume, same, write
from amptalk.sensors.cgroups import OURS
from amptalk.sensors.files import SensorFault, exists, listing
from amptalk.sensors.identity import is_stopped, start_of

_EMPTYING = 0.5
"""Seconds in which a group must be empty: its processes may start others while they are moved."""
_PAUSE = 0.005
_OVER = {errno.ENOENT, errno.ENODEV, errno.ESRCH}


class Access(Protocol):
    """Reads and writes values by their paths. Both raise `Refused`."""

    def read(self, path: str, /) -> str:
        """What stands there."""

    def write(self, path: str, text: str, /) -> None:
        """Have something else stand there."""


class State(Enum):
    """What came of undoing a change."""

    UNDONE = "undone"
    NOTHING = "nothing to undo"
    """It is as before, or gone with what it belonged to."""
    THEIRS = "left alone"
    """Somebody else has changed it since: nothing of ours is left."""
    REMAINS = "remains"
    """It could not be undone."""


class Outcome(NamedTuple):
    """What came of it, in words that an operator can act on."""

    state: State
    text: str


def undo(change: Change, proc: str, *, dry_run: bool = False) -> Outcome:
    """Undo a change made on the machine whose processes are in `proc`. Never raises.

    With `dry_run` everything is looked at and nothing done: `UNDONE` then says what would be.
    """
    how = {
        GROUP: _undo_group, CONTROLLERS: _undo_controllers, STOPPED: _undo_stop, GPU: _undo_gpu,
    }.get(change.kind, _undo_value)  # fmt: skip
    try:
        return how(change, proc, dry_run)
    except Refused as refused:
        if refused.number in _OVER and not exists(change.path):
            return Outcome(State.NOTHING, f"{change.path} is gone")
        return Outcome(State.REMAINS, str(refused))
    except SensorFault as fault:
        return Outcome(State.REMAINS, fault.reason)


def _undo_value(change: Change, proc: str, dry_run: bool) -> Outcome:  # noqa: FBT001
    if change.process is not None and start_of(proc, change.process[0]) != change.process[1]:
        return Outcome(State.NOTHING, f"process {change.process[0]} has ended")
    return _put_back(change, writing, dry_run=dry_run)


def _undo_gpu(change: Change, _proc: str, dry_run: bool) -> Outcome:  # noqa: FBT001
    from amptalk.actuators.devices import nvml

    if change.path.endswith(nvml.POWER):
        return _put_back(change, nvml, dry_run=dry_run)
    if not dry_run:  # the driver does not tell a lock, so there is nothing to compare
        nvml.write(change.path, "")
    return Outcome(State.UNDONE, f"{change.path}: no lock any more")


def _put_back(change: Change, access: Access, *, dry_run: bool) -> Outcome:
    path = change.path
    now = access.read(path)
    if same(now, change.original):
        return Outcome(State.NOTHING, f"{path} holds {now!r} as before")
    if not any(same(now, ours) for ours in change.ours):
        return Outcome(State.THEIRS, f"{path} was changed to {now!r} by somebody else")
    if not dry_run:
        access.write(path, change.original)
        then = access.read(path)
        if not same(then, change.original):
            return Outcome(State.REMAINS, f"{path} holds {then!r} after writing {change.original}")
    return Outcome(State.UNDONE, f"{path}: {now!r} back to {change.original!r}")


def _undo_stop(change: Change, proc: str, dry_run: bool) -> Outcome:  # noqa: FBT001
    assert change.process is not None  # noqa: S101 - `changes.wrong` lets no other in
    pid, start = change.process
    if start_of(proc, pid) != start:
        return Outcome(State.NOTHING, f"process {pid} has ended")
    if not is_stopped(proc, pid):
        return Outcome(State.NOTHING, f"process {pid} is not stopped")
    if not dry_run:
        resume(pid)
    return Outcome(State.UNDONE, f"process {pid} was stopped and goes on")


def _undo_group(change: Change, _proc: str, dry_run: bool) -> Outcome:  # noqa: FBT001
    folder, home = change.path, change.original
    if not exists(folder):
        return Outcome(State.NOTHING, f"{folder} is gone")
    count = len(_members(folder))
    moved = f"{count} processes moved back to {home}, " if count else ""
    if not dry_run:
        _empty(folder, home)
    return Outcome(State.UNDONE, f"{moved}{folder} removed")


def _empty(folder: str, home: str) -> None:
    """Move all processes out and remove the group, within half a second. Raises `Refused`."""
    until = time.monotonic() + _EMPTYING
    while True:
        for pid in _members(folder):
            try:
                write(f"{home}/cgroup.procs", pid)
            except Refused as refused:
                if refused.number != errno.ESRCH:
                    raise
        try:
            remove_folder(folder)
        except Refused as refused:
            if refused.number != errno.EBUSY or time.monotonic() > until:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _members(folder: str) -> list[str]:
    return read(f"{folder}/cgroup.procs").split()


def _undo_controllers(change: Change, _proc: str, dry_run: bool) -> Outcome:  # noqa: FBT001
    path = change.path
    listed = read(path).split()
    added = [name for name in change.ours if name in listed]
    if not added:
        return Outcome(State.NOTHING, f"{path} does not list {' '.join(change.ours)}")
    folder = path.rpartition("/")[0]
    others = [
        name
        for name in listing(folder)
        if exists(f"{folder}/{name}/cgroup.procs") and not name.startswith(OURS)
    ]
    if others:
        return Outcome(State.THEIRS, f"{path}: other groups use {' '.join(added)} by now: {others}")
    if not dry_run:
        write(path, " ".join(f"-{name}" for name in added))
    return Outcome(State.UNDONE, f"{path}: without {' '.join(added)} again")
