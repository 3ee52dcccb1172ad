"""Slow sources of several parts: read one after another, without the part that hangs.

A pass over the parts is one job of the slow thread, and the deadline is that of each part. A part
that does not answer is set apart with the reason; a new pass goes on without it, on another
thread. The old pass ends as soon as its part answers, whatever it said; from then on that part is
asked again. What the parts are, and what is made of them, is the business of the sources.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from amptalk.sensors.files import SensorFault
from amptalk.sensors.slow import CADENCE, LONGEST_PAUSE, SlowReader

T = TypeVar("T")
V = TypeVar("V")


class Ask(Protocol):
    """Ask one part, by its name."""

    def __call__(self, part: str, read: Callable[[], V], /) -> V:
        """What `read` returns. Raises its `SensorFault`, or the one for which it is set apart."""


class _LeftError(Exception):
    """A pass that was left behind goes no further."""


class InParts(Generic[T]):
    """Has a source read on the slow thread.

    `read` runs there and touches a part only through what it is given; it returns faults that it
    expects instead of raising them, so that they are asked about again at the usual cadence.
    `take` and `lose` run on the tick's thread.
    """

    def __init__(
        self,
        slow: SlowReader,
        title: str,
        read: Callable[[Ask], T],
        take: Callable[[T, float], None],
        lose: Callable[[SensorFault], None],
    ) -> None:
        self.title = title
        self.read = read
        self.take = take
        self.every = CADENCE
        self.apart: dict[str, SensorFault] = {}
        """Parts that owe an answer, and why they are missing."""
        self.cost_us = 0.0
        """CPU time of the last pass, in microseconds."""
        self._lose = lose
        self._slow = slow
        self._pass = self._begin()

    def _begin(self) -> _Pass[T]:
        begun = _Pass(self)
        begun.proceed = self._slow.add(begun, ahead=True)
        return begun

    def pace(self, *, idle: bool) -> None:
        """Read at the usual cadence; without any sensor only when they are looked for anew."""
        self.every = LONGEST_PAUSE if idle else CADENCE

    def hurry(self) -> None:
        """Read again at the next tick."""
        self._slow.hurry(self._pass)

    def lose(self, one: _Pass[T], fault: SensorFault) -> None:
        """Take up, on the tick's thread, that a pass hangs or has ended without a value."""
        part = one.leave()
        if part:
            self.apart[part] = fault
        if one is not self._pass:
            if not part:  # what it waited for has answered, and this was its last word
                self._slow.remove(one)
                self.apart.pop(one.waits_for, None)
                self.hurry()
            return
        self._lose(fault)
        if part:
            self._pass = self._begin()


class _Pass(Generic[T]):
    """One pass after another, until one hangs: a `SlowSensor`."""

    def __init__(self, source: InParts[T]) -> None:
        self.proceed: Callable[[], None]
        self.waits_for = ""
        self._source = source
        self._part = ""
        self._left = False
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        part = self._part
        return f"{self._source.title} ({part})" if part else self._source.title

    @property
    def every(self) -> float:
        return self._source.every

    def prepare(self) -> None:
        """Nothing of the tick's state is needed."""

    def read(self) -> T:
        begun = time.thread_time()
        try:
            return self._source.read(self._ask)
        finally:
            self._part = ""
            if not self._left:
                self._source.cost_us = (time.thread_time() - begun) * 1e6

    def _ask(self, part: str, read: Callable[[], V], /) -> V:
        fault = self._source.apart.get(part)
        if fault is not None:
            raise fault
        self._step(part)
        try:
            return read()
        finally:
            self._step("")

    def _step(self, part: str) -> None:
        with self._lock:
            if self._left:
                raise _LeftError
            self._part = part
        self.proceed()

    def leave(self) -> str:
        """Go no further when a part hangs; which one, or nothing when none does."""
        with self._lock:
            if self._part:
                self._left, self.waits_for = True, self._part
            return self._part

    def take(self, value: T, at: float) -> None:
        self._source.take(value, at)

    def lose(self, fault: SensorFault) -> None:
        self._source.lose(self, fault)

    def release(self) -> None:
        """Nothing is kept open."""
