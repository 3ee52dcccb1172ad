"""Slow sensors, read on a thread of their own so that a tick never waits for a device.

The tick paces: `run_due` hands what is due to the thread and takes up what was answered. One
daemon thread a suite reads them in turn. It starts when there is something to read and ends
after 30 s without work.

A sensor that does not answer within its deadline loses its value, with the reason; its thread is
left to it and replaced. At most four threads are left so; then what is slow waits. The sensor is
not asked again meanwhile: when it answers after all, its value counts again. One that fails is
asked ever more seldom, up to every 15 minutes. None takes more than 1 % of a core. A sensor of
several parts may leave out the one that hangs and go on with the others (`in_parts`).

Without threads (fixture trees, virtual clocks) a due sensor is read at once. Which sensors there
are, and what their values mean, is not covered.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any

from amptalk.clock import Clock
from amptalk.sensors.slow_jobs import (
    CADENCE,
    DEADLINE,
    LONGEST_PAUSE,
    THREADS_LEFT,
    Errand,
    Job,
    SlowSensor,
    Work,
    Worker,
    release,
)

if TYPE_CHECKING:
    from queue import SimpleQueue

__all__ = ["CADENCE", "DEADLINE", "LONGEST_PAUSE", "THREADS_LEFT", "SlowReader", "SlowSensor"]


class SlowReader:
    """Reads slow sensors for one suite; all methods are for the tick's thread.

    `at` is the monotonic time from which `run_due` has something to do; `inf` without sensors.
    """

    def __init__(self, clock: Clock, *, threads: bool) -> None:
        self.at = inf
        self.clock = clock
        self._threads = threads
        self._jobs: list[Job[Any]] = []
        self._queue: SimpleQueue[Work | None] | None = None
        self._worker: Worker | None = None
        self._left: list[Worker] = []
        self._pid = os.getpid()

    def add(self, sensor: SlowSensor[Any], *, ahead: bool = False) -> Callable[[], None]:
        """Read `sensor` from now on, for the first time at the next `run_due`.

        `ahead` of the others is for what usually answers at once. Returns what a sensor of several
        parts calls in its `read` whenever one has answered: the deadline begins anew.
        """
        job = Job(sensor, self.clock, ahead=ahead, paced=self._threads)
        self._jobs.append(job)
        self._jobs.sort(key=lambda one: not one.ahead)
        self.at = -inf
        return job.proceed

    def remove(self, sensor: SlowSensor[Any]) -> None:
        """Read `sensor` no more."""
        self._jobs[:] = [job for job in self._jobs if job.sensor is not sensor]

    def hurry(self, sensor: SlowSensor[Any]) -> None:
        """Read `sensor` at the next `run_due`, unless it is being read."""
        for job in self._jobs:
            if job.sensor is sensor:
                job.due = self.at = -inf

    def ask(self, function: Callable[[], object], seconds: float) -> bool:
        """Run `function` on the slow thread, from any thread, and wait for it up to `seconds`.

        False when it has not answered by then. Where there is no thread it is called at once.
        """
        worker, queue = self._worker, self._queue
        errand = Errand(function, self.clock)
        if worker is None or queue is None or not worker.thread.is_alive():
            errand.perform()
            return True
        queue.put(errand)
        return errand.ended.wait(seconds)

    def run_due(self, now: float) -> None:
        """Take up what was answered and hand out what is due."""
        worker = self._worker
        if worker is not None:
            running = worker.job
            if running is not None and running.hangs(now):
                worker.abandoned = True
                self._left.append(worker)
                self._worker = None
        at = inf
        for job in tuple(self._jobs):
            if job.handed and job.done:
                job.collect(now)
            if not job.handed and now >= job.due:
                self._hand_out(job, now)
            if job.handed:
                job.complain(now)
            at = min(at, -inf if job.handed else job.due)
        self.at = at
        if self._threads and at == -inf:
            self._see_to_worker()

    def _hand_out(self, job: Job[Any], now: float) -> None:
        job.hand_out(now)
        if not self._threads:
            job.perform()
            job.collect(now)
            return
        if self._queue is None:
            from queue import SimpleQueue

            self._queue = SimpleQueue()
        self._queue.put(job)

    def _see_to_worker(self) -> None:
        """Have a thread for what was handed out, unless too many hang already."""
        self._left = [worker for worker in self._left if worker.thread.is_alive()]
        if self._worker is not None and self._worker.thread.is_alive():
            return
        queue = self._queue
        if queue is not None and not queue.empty() and len(self._left) < THREADS_LEFT:
            with suppress(RuntimeError):  # no thread can be started now: the next tick tries again
                self._worker = Worker(self._jobs, queue)

    def settle(self, seconds: float, *, ahead: bool = False) -> None:
        """Wait for what was handed out, or what is read `ahead`, but not longer than `seconds`.

        Not for use in a tick, but for the very first.
        """
        end = time.monotonic() + seconds
        self.run_due(self.clock.monotonic())
        while any(job.handed and not job.done and job.ahead >= ahead for job in self._jobs):
            left = end - time.monotonic()
            if left <= 0.0 or self._worker is None:
                return
            self._worker.answered.wait(min(left, 0.05))
            self._worker.answered.clear()
        self.run_due(self.clock.monotonic())

    def close(self, wait: float = DEADLINE) -> None:
        """End the thread and let go of the devices; the next `run_due` begins again.

        Waits for a reading in progress, at most `wait` seconds; then its thread is left to it.
        """
        worker, queue = self._worker, self._queue
        forked = os.getpid() != self._pid  # then the threads are the parent's
        self._worker = self._queue = None
        if forked:
            self._left, self._pid = [], os.getpid()
        elif worker is not None and queue is not None:
            queue.put(None)
            if worker.thread is not threading.current_thread():
                worker.thread.join(wait)
            if worker.thread.is_alive():
                worker.abandoned = True
                self._left.append(worker)
        elif not self._threads:
            release(self._jobs)
        for job in self._jobs:
            if forked or job.begun is None or job.done:
                job.handed, job.due = False, -inf
        self.at = -inf if self._jobs else inf
