"""The owner's side of the journal: note a change before it is made, forget it once it is undone."""

from __future__ import annotations

import threading

from amptalk.actuators.journal.changes import Change, Entry, to_text, wrong
from amptalk.actuators.journal.folder import JournalFolder
from amptalk.model.errors import JournalError
from amptalk.sensors.identity import Identity


class Journal:
    """Changes of one process that are not undone yet. Thread-safe.

    Raises `JournalError` when an entry cannot be written: the change must then not be made.
    """

    def __init__(self, folder: JournalFolder, owner: Identity) -> None:
        self._folder = folder
        self.owner = owner
        self._lock = threading.Lock()
        self._last = self._highest()

    def _highest(self) -> int:
        """The last number that is taken, by what could not be undone before."""
        mine = f"{self.owner.pid}-{self.owner.start}-"
        numbers = [name[len(mine) :].partition(".")[0] for name in self._folder.names()
                   if name.startswith(mine)]  # fmt: skip
        return max((int(number) for number in numbers if number.isdigit()), default=0)

    def note(self, change: Change) -> Entry:
        """Write a change down, before it is made."""
        why = wrong(change)
        if why:
            raise JournalError(f"not to be journalled: {why}")
        with self._lock:
            self._last += 1
            entry = Entry(self.owner, self._last, change)
        self._folder.write(entry.name, to_text(entry))
        return entry

    def renew(self, entry: Entry, change: Change) -> Entry:
        """Write down what the same change is to be from now on, before it becomes so."""
        entry = entry._replace(change=change)
        self._folder.write(entry.name, to_text(entry))
        return entry

    def forget(self, entry: Entry) -> None:
        """Take a change out that is undone."""
        self._folder.remove(entry.name)

    def close(self) -> None:
        """Let go of the folder; what is not undone stays in it."""
        self._folder.close()
