"""The jobs of the slow thread: one sensor and where its reading is; the thread itself.

`slow` says which job is due and takes up what was found; this is what happens on either side.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
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
_EARLY = 0.1
"""Seconds that a reading may come early: ticks are never exactly as far apart as the cadence."""


class SlowSensor(Protocol[T]):
    """What is read slowly. Only `read` and `release` run on the slow thread."""

    @property
    def name(self) -> str:
        """What it is called in reasons."""

    @property
    def every(self) -> float:
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


class Job(Generic[T]):
    """One sensor and where its reading is."""

    def __init__(self, sensor: SlowSensor[T], clock: Clock, *, ahead: bool, paced: bool) -> None:
        self.sensor = sensor
        self.ahead = ahead
        self._share = _SHARE if paced else 0.0
        self._clock = clock
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
        """Prepare for being read."""
        self.sensor.prepare()
        self.handed, self.done, self.begun, self.handed_at = True, False, None, now

    def proceed(self) -> None:
        """Say, on the slow thread, that a part has answered: the deadline begins anew."""
        self.begun = self._clock.monotonic()

    def perform(self) -> None:
        """Read, on the slow thread."""
        self.proceed()
        cost = time.thread_time()
        try:
            self._outcome = (self.sensor.read(),)
        except SensorFault as fault:
            self._outcome = fault
        except Exception as error:  # noqa: BLE001 - the binding of a driver may raise anything
            text = f"{self.sensor.name} cannot be read: {type(error).__name__}: {error}"
            self._outcome = SensorFault(text)
        self._cost = time.thread_time() - cost
        self._answered_at = self._clock.monotonic()
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
        self.due = max(self.handed_at + pause - _EARLY, now + self._share * self._cost)

    def hangs(self, now: float) -> bool:
        """Whether it has run into its deadline."""
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


class Errand:
    """One reading that somebody waits for; the thread leaves it behind when it hangs."""

    def __init__(self, function: Callable[[], object], clock: Clock) -> None:
        self.ended = threading.Event()
        self._function = function
        self._clock = clock
        self._begun = inf

    def perform(self) -> None:
        """Do it; what becomes of it is the function's own business."""
        self._begun = self._clock.monotonic()
        try:
            self._function()
        finally:
            self.ended.set()

    def hangs(self, now: float) -> bool:
        """Whether it has run into its deadline."""
        return not self.ended.is_set() and now - self._begun > DEADLINE


Work = Job[Any] | Errand


class Worker:
    """The slow thread; it knows neither the suite nor the manager, so they can be collected."""

    def __init__(self, jobs: list[Job[Any]], queue: SimpleQueue[Work | None]) -> None:
        self.job: Work | None = None
        self.abandoned = False
        self.answered = threading.Event()
        self._jobs = jobs
        self._queue = queue
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
            job.perform()
            self.job = None
            self.answered.set()
        if not self.abandoned:
            release(self._jobs)


def release(jobs: list[Job[Any]]) -> None:
    """Have all sensors that are not being read let go of their devices."""
    for job in jobs:
        if not (job.handed and job.begun is not None and not job.done):
            with suppress(Exception):
                job.sensor.release()
