"""Named jobs from their begin to their end: measured, learned from, remembered in a file.

Ties `watch`, `book` and `learned_file` together, for the gate, the tick and the manager.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from amptalk.actuators.jobs import learned_file
from amptalk.actuators.jobs.book import JobBook, JobCost
from amptalk.actuators.jobs.watch import JobWatch

if TYPE_CHECKING:
    from amptalk.clock import Clock
    from amptalk.model.sample import Sample

SAVE_EVERY = 60.0
"""Seconds between two writings of what was learned; a stop writes at once."""


def _unknown() -> float:
    return math.nan


class Jobs:
    """Thread-safe. `path` is the file that keeps what was learned, `None` for none.

    Raises `ConfigurationError` for a file that is there and cannot be used.
    """

    def __init__(
        self,
        clock: Clock,
        own_memory_mb: Callable[[], float] = _unknown,
        path: str | None = None,
    ) -> None:
        self._watch = JobWatch(clock, own_memory_mb)
        self._book = JobBook()
        self._lock = threading.Lock()
        self._running: dict[Hashable, tuple[str, float]] = {}
        self._path = path
        self._saved = 0
        self._saved_at = clock.monotonic()
        if path is not None:
            self._book.take(learned_file.load(path))

    def reserves(self, job: str, size: float) -> dict[str, float]:
        """Amounts of held resources that a run is to be admitted with; empty when unknown."""
        with self._lock:
            return self._book.reserves(job, size)

    def table(self, size: float | None = None) -> dict[str, JobCost]:
        """What was learned of each named job: what one more run of this size takes, how sure."""
        with self._lock:
            return self._book.table(math.nan if size is None else size)

    def begin(self, run: Hashable, job: str | None, size: float) -> None:
        """Begin to measure admitted work; unnamed work counts only where it overlaps named."""
        with self._lock:
            if job is not None:
                self._running[run] = job, size
            elif not self._running:
                return
            expected = self._book.expected(job, size) if job is not None else {}
        self._watch.begin(run, expected)

    def end(self, run: Hashable) -> None:
        """Learn from a run that ended."""
        cost = self._watch.end(run)
        if cost is None:
            return
        with self._lock:
            named = self._running.pop(run, None)
            if named is not None:
                self._book.add(*named, cost)

    def tick(self, sample: Sample) -> None:
        """Take what a tick saw."""
        self._watch.tick(sample)

    def due(self, now: float) -> bool:
        """Whether what was learned should be written; at most once a minute."""
        if self._path is None or now - self._saved_at < SAVE_EVERY:
            return False
        self._saved_at = now
        return self._book.changes != self._saved

    def save(self) -> None:
        """Write what was learned, if anything new was. Raises `OSError`."""
        with self._lock:
            if self._path is None or self._book.changes == self._saved:
                return
            changes, data = self._book.changes, self._book.as_dict()
        learned_file.save(self._path, data)
        self._saved = changes
