"""Measures jobs while they run: peaks of memory and GPU memory, CPU seconds and joules.

Memory of this process is read when a job begins and ends and, on a thread of its own, ever
more seldom in between: after a twentieth of the time since the last change, at least 5 ms and
at most 250 ms. So a short peak is seen as well as a short job, at less than 1 % of a core.
What other processes and the GPU hold, and the power, is known once a tick and comes from there.

CPU time is that of this process and of children that were waited for. Joules are the device's
power, as last measured, over the time, whoever used it. What is learned of all this is the
business of `book`.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from amptalk.actuators.jobs.attribution import NOTHING_KNOWN, Expected, FlowShares, PeakShares

if TYPE_CHECKING:
    from amptalk.clock import Clock
    from amptalk.model.sample import Sample

SOONEST, LATEST = 0.005, 0.25
"""Seconds between two readings of memory while jobs run."""
_PART = 0.05
_IDLE = 5.0
"""Seconds without jobs after which the thread ends."""

_HELD = {"memory": "memory_used_mb", "gpu_memory": "gpu_memory_mb"}
"""What is held, and the field of a sample that tells it."""
FLOWS = ("cpu_seconds", "joules")
QUANTITIES = (*_HELD, *FLOWS)


class RunCost(NamedTuple):
    """What one run of a job took."""

    seconds: float
    costs: Mapping[str, float]
    """By quantity: MB of memory and gpu_memory, cpu_seconds, joules; unknown ones left out."""
    alone: bool
    """True when no other admitted work ran in its time."""


def cpu_seconds() -> float:
    """CPU time of this process and of its waited-for children so far."""
    return math.fsum(os.times()[:4])


class JobWatch:
    """Thread-safe. `own_memory_mb` reads the memory of this process, `nan` when unknown."""

    def __init__(
        self, clock: Clock, own_memory_mb: Callable[[], float], *, threads: bool = True
    ) -> None:
        self._clock = clock
        self._own_memory_mb = own_memory_mb
        self._threads = threads
        self._lock = threading.Lock()
        self._begun: dict[Hashable, float] = {}
        self._overlapped: set[Hashable] = set()
        self._own = PeakShares()
        self._ticked = {name: PeakShares() for name in _HELD}
        self._flows = {name: FlowShares() for name in FLOWS}
        self._latest: Sample | None = None
        self._cut_at = self._cpu = self._changed = math.nan
        self._sampler: threading.Thread | None = None
        self._news = threading.Event()

    def begin(self, job: Hashable, expected: Mapping[str, Expected]) -> None:
        """A job begins; `expected` by quantity, for flows the rate a second."""
        value = self._own_memory_mb()
        with self._lock:
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
            if self._threads and not math.isnan(value):
                self._sample()
        self._news.set()

    def end(self, job: Hashable) -> RunCost | None:
        """A job ends; returns what it took, `None` when it was not begun here."""
        if job not in self._begun:
            return None
        value = self._own_memory_mb()
        with self._lock:
            self._cut()
            seconds = self._cut_at - self._begun.pop(job)
            alone = job not in self._overlapped
            self._overlapped.discard(job)
            own = self._own.end(job, value)
            costs = {name: shares.end(job, math.nan) for name, shares in self._ticked.items()}
            if not own <= costs["memory"]:
                costs["memory"] = own if not math.isnan(own) else costs["memory"]
            costs.update((name, flow.end(job)) for name, flow in self._flows.items())
        known = {name: cost for name, cost in costs.items() if not math.isnan(cost)}
        return RunCost(seconds, known, alone)

    def tick(self, sample: Sample) -> None:
        """Take what a tick saw."""
        if self._begun:
            with self._lock:
                for name, shares in self._ticked.items():
                    shares.measure(_held(sample, name))
                self._cut()
        self._latest = sample

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
        news = self._news
        while True:
            news.clear()
            with self._lock:
                running = bool(self._begun)
                pause = _PART * (self._clock.monotonic() - self._changed)
            woken = news.wait(max(SOONEST, min(pause, LATEST)) if running else _IDLE)
            if running:
                value = self._own_memory_mb()
                with self._lock:
                    self._own.measure(value)
            elif not woken:
                with self._lock:
                    if not self._begun:
                        self._sampler = None
                        return


def _held(sample: Sample | None, name: str) -> float:
    return math.nan if sample is None else float(sample[_HELD[name]])
