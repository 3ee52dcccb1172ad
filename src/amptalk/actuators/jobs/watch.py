"""Measures jobs while they run: peaks of memory and GPU memory, CPU seconds and joules.

Memory of this process and its descendants is read when a job begins and ends and, on a thread
of its own, ever more seldom in between: after a twentieth of the time since the last change, at
least 5 ms, at most 250 ms, and never so often that it takes more than a fiftieth of a core. So
a short peak is seen as well as a short job. What the GPU holds, and the power, is known once a
tick and comes from there. Work that is not learned from is read at its ends and at the ticks.

CPU time is that of this process and of children that were waited for. Joules are the device's
power, as last measured, over the time, whoever used it. What is learned of all this is the
business of `book`.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from amptalk.actuators.jobs.attribution import NOTHING_KNOWN, FlowShares, Known, PeakShares

if TYPE_CHECKING:
    from amptalk.clock import Clock
    from amptalk.model.sample import Sample

SOONEST, LATEST = 0.005, 0.25
"""Seconds between two readings of memory while jobs run."""
_PART = 0.05
_TIMES_ITS_COST = 50.0
_REMEMBERED = 8
"""Readings; a tick takes less time than so many."""
_IDLE = 5.0
"""Seconds without jobs after which the thread ends."""

_HELD = {"memory": "application.memory_mb", "gpu_memory": "gpu_memory_mb"}
"""What is held, and the field of a sample that tells it. Memory only where it cannot be read here:
a tick counts forks in full until it knows better."""
FLOWS = ("cpu_seconds", "joules")
QUANTITIES = (*_HELD, *FLOWS)
RESOLUTION = {
    "memory": 1.0,
    "gpu_memory": 2.0,
    "cpu_seconds": 0.01,
    "joules": 0.1,
    "seconds": 0.001,
}
"""What is measured no better than this: the kernel counts pages in batches for each core, Python
takes memory by the MB, drivers by 2 MB; CPU time comes in steps of 10 ms."""


class RunCost(NamedTuple):
    """What one run of a job took."""

    seconds: float
    costs: Mapping[str, float]
    """By quantity: MB of memory and gpu_memory, cpu_seconds, joules; unknown ones left out."""
    unsure: Mapping[str, float]
    """By quantity: standard deviation of what may be of other jobs that ran in its time."""
    kept: Mapping[str, float]
    """Of what is held, the MB that were not given back at its end; known of runs alone."""


class Progress(NamedTuple):
    """How far a running job is."""

    seconds: float
    """Since it began."""
    taken: Mapping[str, float]
    """Its highest rise of what is held so far, by quantity; `nan` when it was never measured."""
    shown: float
    """Part of the time between the last two ticks that it ran in, 0-1: a rate that a tick tells
    holds so much of it."""


class Held(NamedTuple):
    """What the application holds of a resource, read by itself."""

    amount: float
    """`nan` when it is not read."""
    climbed: float
    """Sum of all rises so far: nobody can have taken more than that since they began."""
    sampled: tuple[float, ...] = ()
    """What was read about the time of the last sample: its value tells one of these. More than
    one where work began or ended meanwhile."""
    at: float = -math.inf
    """Monotonic seconds of the reading."""


UNREAD = Held(math.nan, 0.0)


def cpu_seconds() -> float:
    """CPU time of this process and of its waited-for children so far."""
    return math.fsum(os.times()[:4])


class JobWatch:
    """Thread-safe. `memory_mb` reads the application's memory now, `nan` when unknown."""

    def __init__(self, clock: Clock, memory_mb: Callable[[], float]) -> None:
        self._clock = clock
        self._read = memory_mb
        self._last = math.nan
        self._climbed = 0.0
        self._readings: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)
        """The last ones with their times."""
        self._sampled: tuple[float, ...] = ()
        self._lock = threading.Lock()
        """Held while memory is read: a value from before a job began or ended is not of those that
        run after it."""
        self._begun: dict[Hashable, float] = {}
        self._overlapped: set[Hashable] = set()
        self._own = PeakShares()
        self._ticked = {name: PeakShares() for name in _HELD}
        self._flows = {name: FlowShares() for name in FLOWS}
        self._before: Sample | None = None
        self._latest: Sample | None = None
        self._cut_at = self._cpu = self._changed = math.nan
        self._sampler: threading.Thread | None = None
        self._news = threading.Event()

    def begin(self, job: Hashable, expected: Mapping[str, Known], *, learn: bool) -> None:
        """A job begins; `expected` by quantity, for flows the rate a second.

        With `learn` its peak is looked for on a thread.
        """
        with self._lock:
            value = self._memory()
            if self._begun:
                self._overlapped |= {job, *self._begun}
            self._cut()
            self._begun[job] = self._changed = self._cut_at
            memory = expected.get("memory", NOTHING_KNOWN)
            self._own.begin(job, memory, value)
            for name, shares in self._ticked.items():
                shares.begin(job, expected.get(name, NOTHING_KNOWN), _held(self._latest, name))
            for name, flow in self._flows.items():
                flow.begin(job, expected.get(name, NOTHING_KNOWN))
            if learn and not math.isnan(value):
                self._sample()
        self._news.set()

    def end(self, job: Hashable) -> RunCost | None:
        """A job ends; returns what it took, `None` when it was not begun here."""
        if job not in self._begun:
            return None
        with self._lock:
            value = self._memory()
            self._cut()
            seconds = self._cut_at - self._begun.pop(job)
            alone = job not in self._overlapped
            self._overlapped.discard(job)
            shares = {name: held.end(job, math.nan) for name, held in self._ticked.items()}
            kept = {name: held.left for name, held in self._ticked.items()} if alone else {}
            own = self._own.end(job, value)
            if not math.isnan(own.amount):
                shares["memory"] = own
                if alone:
                    kept["memory"] = self._own.left
            shares.update((name, flow.end(job)) for name, flow in self._flows.items())
        known = {name: share for name, share in shares.items() if not math.isnan(share.amount)}
        return RunCost(
            seconds,
            {name: share.amount for name, share in known.items()},
            {name: share.unsure for name, share in known.items()},
            {name: left for name, left in kept.items() if name in known},
        )

    def tick(self, sample: Sample) -> None:
        """Take what a tick saw."""
        with self._lock:
            if self._begun:
                self._own.measure(self._memory())
                for name, shares in self._ticked.items():
                    shares.measure(_held(sample, name))
                self._cut()
            self._sampled = self._read_about(sample.monotonic)
            if not self._begun and not self._sampled:
                self._last = math.nan
        self._before, self._latest = self._latest, sample

    def held(self) -> Held:
        """The application's memory as last read while jobs run and until the next sample."""
        with self._lock:
            at = self._readings[-1][0] if self._readings else -math.inf
            return Held(self._last, self._climbed, self._sampled, at)

    def progress(self) -> dict[Hashable, Progress]:
        """How far each running job is, as of the last reading."""
        with self._lock:
            now = self._clock.monotonic()
            taken = {name: shares.taken() for name, shares in self._ticked.items()}
            for job, rise in self._own.taken().items():
                if not math.isnan(rise):
                    taken["memory"][job] = rise
            return {
                job: Progress(
                    now - begun,
                    {name: rises[job] for name, rises in taken.items()},
                    self._shown(begun),
                )
                for job, begun in self._begun.items()
            }

    def _memory(self) -> float:
        """Read the application's memory; the lock is held."""
        value = self._read()
        if value > self._last:
            self._climbed += value - self._last
        self._last = value
        self._readings.append((self._clock.monotonic(), value))
        return value

    def _read_about(self, moment: float) -> tuple[float, ...]:
        """What was read last before a moment and since, the newest last; nothing when not since."""
        before: tuple[float, ...] = ()
        since: list[float] = []
        for at, value in self._readings:
            if at < moment:
                before = (value,)
            else:
                since.append(value)
        return (*before, *since) if since else ()

    def _shown(self, begun: float) -> float:
        if self._latest is None or self._before is None:
            return 0.0
        interval = self._latest.monotonic - self._before.monotonic
        since = self._latest.monotonic - begun
        return min(1.0, max(0.0, since / interval)) if interval > 0.0 else 0.0

    def _cut(self) -> None:
        """Book CPU time and energy since the last cut."""
        now, cpu = self._clock.monotonic(), cpu_seconds()
        if self._begun:
            seconds = now - self._cut_at
            self._flows["cpu_seconds"].add(cpu - self._cpu, seconds)
            watts = math.nan if self._latest is None else self._latest.power_watts
            self._flows["joules"].add(watts * seconds, seconds)
        self._cut_at, self._cpu = now, cpu

    def _sample(self) -> None:
        """Have a thread that reads memory; the lock is held."""
        if self._sampler is None:
            self._sampler = threading.Thread(target=self._run, name="amptalk-jobs", daemon=True)
            try:
                self._sampler.start()
            except RuntimeError:  # no thread can be started now: ticks and ends still measure
                self._sampler = None

    def _run(self) -> None:
        """Read memory while jobs run, on a thread of its own."""
        news, cost = self._news, 0.0
        while True:
            news.clear()
            with self._lock:
                running = bool(self._begun)
                pause = _PART * (self._clock.monotonic() - self._changed)
            pause = max(SOONEST, min(pause, LATEST), _TIMES_ITS_COST * cost)
            woken = news.wait(pause if running else _IDLE)
            if running:
                with self._lock:
                    began = time.thread_time()
                    self._own.measure(self._memory())
                    cost = time.thread_time() - began
            elif not woken:
                with self._lock:
                    if not self._begun:
                        self._sampler = None
                        return


def _held(sample: Sample | None, name: str) -> float:
    return math.nan if sample is None else float(sample[_HELD[name]])
