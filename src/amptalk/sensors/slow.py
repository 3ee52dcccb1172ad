"""Slow sensors, read on a thread of their own so that a tick never waits for a device.

The tick paces: `run_due` hands what is due to the thread and takes up what was answered. One
daemon thread a suite reads them in turn. It starts when there is something to read and ends
after 30 s without work.

A sensor that does not answer within its deadline loses its value, with the reason; its thread is
left to it and replaced. At most four threads are left so; then what is slow waits. The sensor is
not asked again meanwhile: when it answers after all, its value counts again. One that fails is
asked ever more seldom, up to every 15 minutes. None takes more than 1 % of a core.

Without threads (fixture trees, virtual clocks) a due sensor is read at once. Which sensors there
are, and what their values mean, is not covered.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from amptalk.clock import Clock
from amptalk.sensors.files import SensorFault

if TYPE_CHECKING:
    from queue import SimpleQueue

T = TypeVar("T")

DEADLINE = 2.0
"""Seconds after which a sensor counts as hanging."""
CADENCE = 5.0
LONGEST_PAUSE = 900.0
"""Seconds between attempts at a sensor that keeps failing."""
THREADS_LEFT = 4
"""Threads that may hang at the same time."""
_IDLE = 30.0
_SHARE = 100.0
_SAY_AGAIN = 5.0


class SlowSensor(Protocol[T]):
    """What is read slowly. Only `read` and `release` run on the slow thread."""

    name: str
    every: float
    """Seconds between readings; may change."""

    def prepare(self) -> None:
        """Take along, on the tick's thread, what the next reading needs of the tick's state."""

    def read(self) -> T:
        """Read the device. Raises `SensorFault`; may block."""

    def take(self, value: T, at: float) -> None:
        """Take up what was read, measured at `at`."""

    def lose(self, fault: SensorFault) -> None:
        """Take up that there is no value."""

    def release(self) -> None:
        """Let go of the device until the next reading."""


class _Job(Generic[T]):
    """One sensor and where its reading is."""

    def __init__(self, sensor: SlowSensor[T]) -> None:
        self.sensor = sensor
        self.due = -inf
        self.handed_at = 0.0
        self.begun: float | None = None
        self.handed = self.done = False
        """`done` is set last by the slow thread; from then on the tick owns the outcome."""
        self._outcome: tuple[T] | SensorFault = SensorFault("not read yet")
        self._answered_at = self._cost = 0.0
        self._failures = 0
        self._say_at = -inf

    def hand_out(self, now: float) -> None:
        self.sensor.prepare()
        self.handed, self.done, self.begun, self.handed_at = True, False, None, now

    def perform(self, clock: Clock) -> None:
        """Read, on the slow thread."""
        self.begun = clock.monotonic()
        cost = time.thread_time()
        try:
            self._outcome = (self.sensor.read(),)
        except SensorFault as fault:
            self._outcome = fault
        except Exception as error:  # noqa: BLE001 - the binding of a driver may raise anything
            text = f"{self.sensor.name} cannot be read: {type(error).__name__}: {error}"
            self._outcome = SensorFault(text)
        self._cost = time.thread_time() - cost
        self._answered_at = clock.monotonic()
        self.done = True

    def collect(self, now: float) -> None:
        """Take up what the slow thread found, on the tick's thread."""
        self.handed = False
        self._say_at = -inf
        if isinstance(self._outcome, SensorFault):
            self._failures += 1
            pause = min(self.sensor.every * 2.0 ** min(self._failures, 20), LONGEST_PAUSE)
            self.sensor.lose(self._outcome)
        else:
            self._failures = 0
            self.sensor.take(self._outcome[0], self._answered_at)
            pause = self.sensor.every
        self.due = now + max(pause, _SHARE * self._cost)

    def hangs(self, now: float) -> bool:
        begun = self.begun
        return begun is not None and not self.done and now - begun > DEADLINE

    def complain(self, now: float) -> None:
        """Say now and then that there is no answer."""
        if now < self._say_at:
            return
        begun = self.begun
        if self.hangs(now) and begun is not None:
            text = f"{self.sensor.name} has not answered for {now - begun:.0f} s"
        elif begun is None and now - self.handed_at > 2.0 * DEADLINE:
            text = f"{self.sensor.name} waits for other sensors, which do not answer"
        else:
            return
        self._say_at = now + _SAY_AGAIN
        self.sensor.lose(SensorFault(text))


class _Worker:
    """The slow thread; it knows neither the suite nor the manager, so they can be collected."""

    def __init__(
        self, jobs: list[_Job[Any]], queue: SimpleQueue[_Job[Any] | None], clock: Clock
    ) -> None:
        self.job: _Job[Any] | None = None
        self.abandoned = False
        self.answered = threading.Event()
        self._jobs = jobs
        self._queue = queue
        self._clock = clock
        self.thread = threading.Thread(target=self._run, name="amptalk-slow", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        from queue import Empty

        while not self.abandoned:
            try:
                job = self._queue.get(timeout=_IDLE)
            except Empty:
                break
            if job is None:
                break
            self.job = job
            job.perform(self._clock)
            self.job = None
            self.answered.set()
        if not self.abandoned:
            _release(self._jobs)


class SlowReader:
    """Reads slow sensors for one suite; all methods are for the tick's thread.

    `at` is the monotonic time from which `run_due` has something to do; `inf` without sensors.
    """

    def __init__(self, clock: Clock, *, threads: bool) -> None:
        self.at = inf
        self.clock = clock
        self._threads = threads
        self._jobs: list[_Job[Any]] = []
        self._queue: SimpleQueue[_Job[Any] | None] | None = None
        self._worker: _Worker | None = None
        self._left: list[_Worker] = []
        self._pid = os.getpid()

    def add(self, sensor: SlowSensor[Any]) -> None:
        """Read `sensor` from now on, for the first time at the next `run_due`."""
        self._jobs.append(_Job(sensor))
        self.at = -inf

    def remove(self, sensor: SlowSensor[Any]) -> None:
        """Read `sensor` no more."""
        self._jobs[:] = [job for job in self._jobs if job.sensor is not sensor]

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

    def _hand_out(self, job: _Job[Any], now: float) -> None:
        job.hand_out(now)
        if not self._threads:
            job.perform(self.clock)
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
                self._worker = _Worker(self._jobs, queue, self.clock)

    def settle(self, seconds: float) -> None:
        """Wait for what was handed out, but not longer than `seconds`; not for use in a tick."""
        end = time.monotonic() + seconds
        self.run_due(self.clock.monotonic())
        while any(job.handed and not job.done for job in self._jobs):
            left = end - time.monotonic()
            if left <= 0.0 or self._worker is None:
                return
            self._worker.answered.wait(min(left, 0.05))
            self._worker.answered.clear()
        self.run_due(self.clock.monotonic())

    def close(self) -> None:
        """End the thread and let go of the devices; the next `run_due` begins again.

        Waits for a reading in progress, at most its deadline. A thread that hangs is left.
        """
        worker, queue = self._worker, self._queue
        forked = os.getpid() != self._pid  # then the threads are the parent's
        self._worker = self._queue = None
        if forked:
            self._left, self._pid = [], os.getpid()
        elif worker is not None and queue is not None:
            queue.put(None)
            if worker.thread is not threading.current_thread():
                worker.thread.join(DEADLINE)
            if worker.thread.is_alive():
                worker.abandoned = True
                self._left.append(worker)
        elif not self._threads:
            _release(self._jobs)
        for job in self._jobs:
            if forked or job.begun is None or job.done:
                job.handed, job.due = False, -inf
        self.at = -inf if self._jobs else inf


def _release(jobs: list[_Job[Any]]) -> None:
    for job in jobs:
        if not (job.handed and job.begun is not None and not job.done):
            with suppress(Exception):
                job.sensor.release()
