"""A processor that works on jobs one by one, as admission lets them start."""

from __future__ import annotations

from collections import deque
from enum import Enum
from itertools import islice

from amptalk.actuators.admission_queue import AdmissionQueue
from amptalk.actuators.admission_request import Request
from amptalk.simulation.plants.seeded import SeededPlant

_TICK = 0.02
"""Seconds that a worker does one thing at least."""
_SEEN = 1.0
"""Seconds of use that count as the level."""


class _Doing(Enum):
    ASKING = 0
    BUSY = 1
    WAITING = 2


class _Worker:
    __slots__ = ("doing", "left", "request")

    def __init__(self) -> None:
        self.doing = _Doing.ASKING
        self.left = 0.0
        """Seconds of a core, or of waiting."""
        self.request = Request(None, {})


class PacedJobs(SeededPlant):
    """Use of a processor by `workers` that each do one job after the other.

    A job needs a core for `busy` seconds, waits for `waits` seconds for something else, each up
    to `varies` of it longer or shorter, and asks for admission before it begins: the rests that
    hold the allocation are those of a live run. With fewer cores than busy workers the cores
    are shared.

    In percent of all cores. The level is the use of the last second; the sensor tells that of
    the last period, which is all or nothing where jobs are longer. Work is use.
    """

    resource = "cpu_percent"
    limit = 60.0

    def __init__(
        self,
        period: float = 1.0,
        *,
        workers: int = 4,
        cores: int = 2,
        busy: float = 0.2,
        waits: float = 0.1,
        varies: float = 0.3,
    ) -> None:
        self._cores = cores
        self._busy, self._waits, self._varies = busy, waits, varies
        self._number = workers
        self._kept = max(1, round(max(period, _SEEN) / _TICK))
        super().__init__(period)

    def _begin(self) -> None:
        self._queue = AdmissionQueue(())
        self._workers = [_Worker() for _ in range(self._number)]
        for worker in self._workers:
            self._queue.enter(worker.request)
        self._used: deque[float] = deque(maxlen=self._kept)
        self._ticks = 0

    def oracle(self) -> float:
        """What could be used if work came in parts of any size."""
        return self.limit / 100.0

    def _move(self, allocation: float, dt: float) -> tuple[float, float, float]:
        self._queue.update((), allocation)
        until = round((self.seconds + dt) / _TICK)
        before = self._ticks
        while self._ticks < until:
            self._used.append(self._tick(self._ticks * _TICK))
            self._ticks += 1
        done = self._mean(max(1, self._ticks - before))
        return self._mean(round(_SEEN / _TICK)), done / 100.0, 1.0

    def _tick(self, now: float) -> float:
        """Let everyone go on for one tick; returns the percent of the cores that were used."""
        for request in self._queue.advance(now):
            worker = next(one for one in self._workers if one.request is request)
            worker.doing, worker.left = _Doing.BUSY, self._drawn(self._busy)
        busy = [worker for worker in self._workers if worker.doing is _Doing.BUSY]
        speed = min(1.0, self._cores / len(busy)) if busy else 0.0
        for worker in self._workers:
            if worker.doing is not _Doing.ASKING:
                self._go_on(worker, now, speed if worker.doing is _Doing.BUSY else 1.0)
        return 100.0 * len(busy) * speed / self._cores

    def _go_on(self, worker: _Worker, now: float, speed: float) -> None:
        worker.left -= speed * _TICK
        if worker.left > 0.0:
            return
        if worker.doing is _Doing.BUSY:
            worker.doing, worker.left = _Doing.WAITING, self._drawn(self._waits)
            return
        self._queue.leave(worker.request, now + _TICK)
        worker.doing = _Doing.ASKING
        self._queue.enter(worker.request)

    def _drawn(self, seconds: float) -> float:
        return seconds * self._random.uniform(1.0 - self._varies, 1.0 + self._varies)

    def _mean(self, ticks: int) -> float:
        """Percent used in the last ticks."""
        used = list(islice(reversed(self._used), ticks))
        return sum(used) / len(used) if used else 0.0

    def _sense(self, level: float) -> float:  # noqa: ARG002 - of the base: use is counted
        return self._mean(max(1, round(self.period / _TICK)))
