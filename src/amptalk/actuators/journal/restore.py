"""Undo what ended processes left behind: each entry by itself, whatever becomes of the others.

An entry whose owner lives is its owner's. One of an earlier boot is void, because all that is
journalled ends with a boot. One from another pid namespace cannot be judged here and remains.
Several may restore at once, and one may be killed in between: undoing is idempotent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from amptalk.actuators.journal.changes import Entry, from_text
from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.undo import Outcome, State, undo
from amptalk.model.errors import JournalError
from amptalk.sensors.files import SensorFault
from amptalk.sensors.identity import Identity, namespace_of, read_boot, start_of

DEADLINE = 0.2
"""Seconds that undoing one change may take before the next is begun beside it."""
_LAST = 1.0
"""Seconds that the late ones are given together at the end."""


class Restored(NamedTuple):
    """What came of one entry."""

    name: str
    outcome: Outcome

    @property
    def remains(self) -> bool:
        """True when something of ours is still to be undone."""
        return self.outcome.state is State.REMAINS


class _Undoing:
    """One entry being undone on a thread of its own, which may hang."""

    def __init__(self, work: Callable[[], Outcome]) -> None:
        self.outcome: Outcome | None = None
        self._work = work
        self.thread = threading.Thread(target=self._run, name="amptalk-restore", daemon=True)
        try:
            self.thread.start()
        except RuntimeError:  # no thread to be had: better to wait than to leave it
            self._run()

    def _run(self) -> None:
        self.outcome = self._work()

    def wait(self, seconds: float) -> None:
        if self.outcome is None:
            self.thread.join(seconds)


def restore(
    folder: JournalFolder,
    proc: str,
    *,
    owner: Identity | None = None,
    dry_run: bool = False,
    deadline: float = DEADLINE,
) -> list[Restored]:
    """Undo all that ended owners left, or what `owner` made, newest first.

    `proc` is where processes are looked for. Raises `JournalError` when the folder cannot be
    listed; all else is an outcome.
    """
    entries, results = _entries(folder)
    if owner is not None:
        results = []
        due = [entry for entry in entries if entry.owner == owner]
    else:
        due, more = _left_behind(entries, proc)
        for name, outcome in more:
            results.append(Restored(name, outcome))
            if outcome.state is State.NOTHING and not dry_run:
                results[-1] = _forgotten(folder, results[-1])
        if not dry_run:
            _sweep(folder, proc)
    return [*results, *_undo_all(folder, due, proc, dry_run=dry_run, deadline=deadline)]


def entries_of(folder: JournalFolder) -> list[Entry]:
    """All entries that can be read, latest change first. Raises `JournalError`."""
    return _entries(folder)[0]


def _entries(folder: JournalFolder) -> tuple[list[Entry], list[Restored]]:
    """All entries that can be read, latest change first, and what came of the others."""
    entries, broken = [], []
    for name in folder.names():
        try:
            data = folder.read(name)
            if data is not None:
                entries.append(from_text(data, name))
        except JournalError as error:
            broken.append(Restored(name, Outcome(State.REMAINS, str(error))))
    entries.sort(key=lambda entry: (entry.owner.start, entry.owner.pid, entry.number), reverse=True)
    return entries, broken


def _left_behind(
    entries: Iterable[Entry], proc: str
) -> tuple[list[Entry], list[tuple[str, Outcome]]]:
    """Entries to be undone now, and what is to be said of the others."""
    boot, namespace = _boot(proc), namespace_of(proc)
    due, others = [], []
    for entry in entries:
        owner = entry.owner
        if boot and owner.boot != boot:
            others.append((entry.name, Outcome(State.NOTHING, "ended with an earlier boot")))
        elif owner.namespace != namespace:
            text = f"made in another pid namespace ({owner.namespace}): restore it from there"
            others.append((entry.name, Outcome(State.REMAINS, text)))
        elif not _lives(owner, proc):
            due.append(entry)
    return due, others


def _boot(proc: str) -> str:
    """Which boot this is, empty when the kernel does not tell."""
    try:
        return read_boot(proc)
    except SensorFault:
        return ""


def _lives(owner: Identity, proc: str) -> bool:
    try:
        return start_of(proc, owner.pid) == owner.start
    except SensorFault:
        return True  # it cannot be told: leave what may be in use


def _undo_all(
    folder: JournalFolder, due: list[Entry], proc: str, *, dry_run: bool, deadline: float
) -> list[Restored]:
    begun = []
    for entry in due:
        undoing = _Undoing(partial(undo, entry.change, proc, dry_run=dry_run))
        undoing.wait(deadline)
        begun.append((entry, undoing))
    until = time.monotonic() + _LAST
    results = []
    for entry, undoing in begun:
        undoing.wait(max(0.0, until - time.monotonic()))
        outcome = undoing.outcome or Outcome(
            State.REMAINS, f"{entry.change.path}: the kernel does not answer"
        )
        result = Restored(entry.name, outcome)
        done = outcome.state is not State.REMAINS and not dry_run
        results.append(_forgotten(folder, result) if done else result)
    return results


def _forgotten(folder: JournalFolder, result: Restored) -> Restored:
    try:
        folder.remove(result.name)
    except JournalError as error:
        text = f"{result.outcome.text}, but {error}"
        return Restored(result.name, Outcome(State.REMAINS, text))
    return result


def _sweep(folder: JournalFolder, proc: str) -> None:
    """Remove unfinished files of owners that were killed while they wrote."""
    for name in folder.unfinished():
        pid, start = [*name.split("-"), "", ""][:2]
        try:
            if pid.isdigit() and start.isdigit() and start_of(proc, int(pid)) != int(start):
                folder.remove(name)
        except (SensorFault, JournalError):
            continue
