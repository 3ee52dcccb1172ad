"""One value that we hold in a file of the kernel: noted, written, read back, put back."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from amptalk.actuators.journal.changes import VALUE, Change, Entry
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.kernel import writing
from amptalk.actuators.kernel.writing import same
from amptalk.model.errors import ActionError

if TYPE_CHECKING:
    from amptalk.actuators.journal.undo import Access

SETTLING = 1.0
"""Seconds within which the kernel must have done what it is told in steps."""
PAUSE = 0.005
"""Seconds between looks."""


class HeldValue:
    """A file's text as we want it, until `release`. One thread at a time; may block.

    `process` is pid and start for files of a process, `proc` where processes are looked for.
    `kind` is that of the change, and `access` the way to what the path names.
    """

    def __init__(
        self,
        path: str,
        journal: Journal,
        proc: str,
        process: tuple[int, int] | None = None,
        *,
        kind: str = VALUE,
        access: Access = writing,
    ) -> None:
        self.path = path
        self._journal = journal
        self._proc = proc
        self._process = process
        self._kind = kind
        self._access = access
        self._entry: Entry | None = None
        self.text: str | None = None
        """What we hold there; `None` when nothing."""

    def hold(self, text: str, *, passing: str = "") -> None:
        """Write a text down, into the file, and read it back. Raises `ActionError`.

        `passing` is what the kernel says while it is on the way there.
        """
        if text == self.text:
            return
        entry = self._entry
        ours = tuple(one for one in (self.text, passing, text) if one)
        if entry is None:
            change = Change(
                self._kind, self.path, self._access.read(self.path), ours, self._process
            )
            self._entry = self._journal.note(change)
        else:
            self._entry = self._journal.renew(entry, entry.change._replace(ours=ours))
        try:
            self._access.write(self.path, text)
            now = self._settled(passing)
        except ActionError:
            if self.text is None:
                self._put_back()
            raise
        if not same(now, text):
            self._took(now)
        self.text = text

    def _settled(self, passing: str) -> str:
        """What the file holds once the kernel has done what it is told."""
        until = time.monotonic() + SETTLING
        now = self._access.read(self.path)
        while passing and same(now, passing) and time.monotonic() < until:
            time.sleep(PAUSE)
            now = self._access.read(self.path)
        return now

    def _took(self, now: str) -> None:
        """The kernel made something else of it."""
        assert self._entry is not None  # noqa: S101 - `hold` has noted it
        change = self._entry.change
        wanted = change.ours[-1]
        if not same(now, change.original):
            self._entry = self._journal.renew(self._entry, change._replace(ours=(now,)))
        self._put_back()
        self.text = None
        raise ActionError(f"{self.path} holds {now!r} after {wanted!r} was written: not kept")

    def still_held(self) -> str:
        """Why it is not held any more, empty while it is. Raises `ActionError`."""
        if self.text is None:
            return f"{self.path} is not held"
        now = self._access.read(self.path)
        return "" if same(now, self.text) else f"{self.path} was changed to {now!r}"

    def release(self) -> None:
        """Put the text back that was there, unless somebody else changed it.

        Raises `ActionError` when it could not be put back; it stays in the journal.
        """
        why = self._put_back()
        self.text = None
        if why:
            raise ActionError(why)

    def forget(self) -> None:
        """The process has ended and its file with it; what is in the journal goes, too."""
        with suppress(ActionError):
            self.release()

    def _put_back(self) -> str:
        if self._entry is None:
            return ""
        from amptalk.actuators.journal.undo import State, undo

        outcome = undo(self._entry.change, self._proc)
        if outcome.state is State.REMAINS:
            return outcome.text
        self._journal.forget(self._entry)
        self._entry = None
        return ""
