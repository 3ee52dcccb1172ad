"""The thread that keeps a book in step with its ledger, off the tick.

It sleeps until somebody asks for something, another process changes the ledger or a callback has
come back, and looks at a shared ledger every 0.1 s whatever it is told. Errors, of the ledger or a
mistake of ours, stop nothing: grants stay as they are, and it tries again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from amptalk.model.errors import LedgerError
from amptalk.model.resource import BUILT_IN
from amptalk.model.sample import Sample
from amptalk.sharing.book import POLL_SECONDS, ComponentBook

UNSETTLED_SECONDS = 0.01
"""Between looks at what was measured, while a shrink is to be confirmed."""
_SOON = 200
"""After so many such looks in a row there is no hurry any more."""
IDLE_SECONDS = 1.0
"""Between looks where nobody else shares."""
_FAULT_SECONDS = 1.0


class Synchroniser:
    """Runs `book.sync` where the book belongs to a manager that runs."""

    def __init__(
        self,
        book: ComponentBook,
        measure: Callable[[str, Sample], float],
        told: Callable[[str], object],
        granted: Callable[[Mapping[str, float]], bool],
    ) -> None:
        """`measure` reads the use of a resource now; `told` hears once of each fault.

        `granted` is called with what this process may use, by resource, when that has changed,
        until it returns true.
        """
        self.book = book
        self._measure = measure
        self._told = told
        self._granted = granted
        self._limits = book.limits
        self._sample: Sample | None = None
        self._thread: threading.Thread | None = None
        self.fault = ""
        """Why the ledger cannot be followed; empty while it can."""
        book.follow = self.follow

    def follow(self, sample: Sample) -> None:
        """Take the newest sample; the first one starts the thread."""
        self._sample = sample
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="amptalk-sharing", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; grants stay as they are."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self.book.ledger.wake()
            thread.join(2.0 * IDLE_SECONDS)
            self._tell({})

    def forget(self) -> None:
        """Become inert in a fork's child."""
        self._thread = None
        self.book.follow = lambda _sample: None
        self.book.freeze()

    def _run(self) -> None:
        ledger = self.book.ledger
        calm = POLL_SECONDS if ledger.shared else IDLE_SECONDS
        unsettled = 0
        while self._thread is threading.current_thread():  # another one may have begun since
            pause = calm
            try:
                unsettled = 0 if self.book.sync(time.monotonic(), self._used) else unsettled + 1
                if 0 < unsettled <= _SOON:
                    pause = UNSETTLED_SECONDS
                elif unsettled:
                    pause = POLL_SECONDS
                self.fault = ""
                self._tell(self.book.limits)
            except Exception as error:  # noqa: BLE001 - nobody would start the thread again
                pause = _FAULT_SECONDS
                fault = str(error) if isinstance(error, LedgerError) else f"a mistake: {error!r}"
                if fault != self.fault:
                    self.fault = fault
                    self._told(fault)
            ledger.wait(pause)

    def _tell(self, limits: Mapping[str, float]) -> None:
        if limits is not self._limits and self._granted(limits):
            self._limits = limits

    def _used(self, resource: str) -> float:
        sample = self._sample
        assert sample is not None  # noqa: S101 - the thread starts with the first one
        return self._measure(resource, sample)


def of_sample(resource: str, sample: Sample) -> float:
    """What the newest sample says is used."""
    return float(sample[BUILT_IN[resource].field])
