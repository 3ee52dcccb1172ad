"""Reading the guest's real `/proc` and `/sys`, with time that the test moves or with real time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from amptalk.clock import VirtualClock
from amptalk.model.sample import Sample
from amptalk.sensors.suite import SensorSuite

MEDIUM, SLOW = 5.0, 61.0
"""Seconds after which values of the medium cadence are read anew, and sensors looked for."""


class Look:
    """A suite whose clock stands still between its readings: rates are over virtual seconds."""

    def __init__(self, scope: str = "device", pid: int | None = None) -> None:
        self.clock = VirtualClock()
        self.suite = SensorSuite(scope, self.clock, pid=pid)

    def after(self, seconds: float) -> Sample:
        """Let so much time pass and read."""
        self.clock.advance(seconds)
        return self.suite.read()

    def anew(self) -> Sample:
        """Look for sensors anew and read them all."""
        return self.after(SLOW)


@contextmanager
def looking(scope: str = "device", pid: int | None = None) -> Iterator[Look]:
    """A look that is closed at the end."""
    look = Look(scope, pid)
    try:
        yield look
    finally:
        look.suite.close()


@contextmanager
def watching(scope: str = "device", pid: int | None = None) -> Iterator[SensorSuite]:
    """A suite in real time."""
    suite = SensorSuite(scope, pid=pid)
    try:
        yield suite
    finally:
        suite.close()


def watch_until(
    suite: SensorSuite, condition: Callable[[Sample], bool], what: str, deadline: float = 30.0
) -> Sample:
    """Read a suite every quarter of a second until its sample says what is awaited."""
    end = time.monotonic() + deadline
    while True:
        time.sleep(0.25)
        sample = suite.read()
        if condition(sample):
            return sample
        assert time.monotonic() < end, f"not within {deadline:g} s: {what}; {sample.as_dict()}"
