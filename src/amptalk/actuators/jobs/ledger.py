"""Named jobs from their begin to their end: measured, learned from, remembered in a file.

Ties `watch`, `book` and `learned_file` together, for the gate, the tick and the manager.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from amptalk.actuators.jobs import learned_file
from amptalk.actuators.jobs.attribution import Known
from amptalk.actuators.jobs.book import JobBook, JobCost
from amptalk.actuators.jobs.watch import Held, JobWatch, Progress

if TYPE_CHECKING:
    from amptalk.clock import Clock
    from amptalk.model.sample import Sample

SAVE_EVERY = 60.0
"""Seconds between two writings of what was learned; a stop writes at once."""


_ROUGHLY = 0.25
"""Share that a declared amount is taken to be unsure by."""


class Course(NamedTuple):
    """What is known beforehand of one run."""

    expected: Mapping[str, float]
    """By resource: what it takes at most, as learned, else as declared."""
    seconds: float
    """How long it lasts at most, as learned; `inf` when unknown."""


class _Run(NamedTuple):
    job: str | None
    size: float
    course: Course


def _unknown() -> float:
    return math.nan


class Jobs:
    """Thread-safe. `path` is the file that keeps what was learned, `None` for none.

    `cores` tells the effective capacity of CPU, more than 0 or `nan`.

    Raises `ConfigurationError` for a file that is there and cannot be used.
    """

    def __init__(
        self,
        clock: Clock,
        memory_mb: Callable[[], float] = _unknown,
        path: str | None = None,
        cores: Callable[[], float] = _unknown,
    ) -> None:
        self._cores = cores
        self._watch = JobWatch(clock, memory_mb)
        self._book = JobBook()
        self._lock = threading.Lock()
        self._running: dict[Hashable, _Run] = {}
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

    def begin(
        self, run: Hashable, job: str | None, size: float, amounts: Mapping[str, float]
    ) -> None:
        """Begin to measure admitted work, and to learn from it when it has a name.

        `amounts` is what it was admitted with. Without a name and amounts it is measured only
        where it overlaps other work.
        """
        with self._lock:
            if job is None and not amounts and not self._running:
                return
            course = self._course(job, size, amounts)
            self._running[run] = _Run(job, size, course)
            expected = {name: Known(a, (_ROUGHLY * a) ** 2) for name, a in amounts.items()}
            if job is not None:
                expected.update(self._book.expected(job, size))
        self._watch.begin(run, expected, learn=job is not None)

    def end(self, run: Hashable) -> None:
        """Learn from a run that ended."""
        cost = self._watch.end(run)
        if cost is None:
            return
        with self._lock:
            ended = self._running.pop(run, None)
            if ended is not None and ended.job is not None:
                self._book.add(ended.job, ended.size, cost)

    def course(self, job: str | None, size: float, amounts: Mapping[str, float]) -> Course:
        """What a run that was or may be admitted with `amounts` is expected to take."""
        with self._lock:
            return self._course(job, size, amounts)

    def progress(self) -> dict[Hashable, tuple[Course, Progress]]:
        """What each run that is measured is expected to take and has taken so far.

        Of a rate it has taken what a tick shows of it by now.
        """
        progress = self._watch.progress()
        found: dict[Hashable, tuple[Course, Progress]] = {}
        with self._lock:
            for run, known in self._running.items():
                made = progress.get(run)
                if made is not None:
                    shown = {
                        name: made.shown * amount for name, amount in known.course.expected.items()
                    }
                    found[run] = known.course, made._replace(taken={**shown, **made.taken})
        return found

    def _course(self, job: str | None, size: float, amounts: Mapping[str, float]) -> Course:
        if job is None:
            return Course(amounts, math.inf)
        seconds = self._book.seconds(job, size)
        learned = self._book.holds(job, size)
        cpu = 100.0 * self._book.cores(job, size) / self._cores()
        if not math.isnan(cpu):
            learned["cpu"] = min(100.0, cpu)
        return Course({**amounts, **learned}, math.inf if math.isnan(seconds) else seconds)

    def held(self) -> dict[str, Held]:
        """What the application was last read to hold, by resource; empty when it is not read."""
        memory = self._watch.held()
        return {} if math.isnan(memory.amount) else {"memory": memory}

    def tick(self, sample: Sample) -> None:
        """Take what a tick saw, and draw one curve again that is due."""
        self._watch.tick(sample)
        with self._lock:
            self._book.redraw()

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
