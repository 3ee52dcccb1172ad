"""Time as something that is given: the system's clock and a virtual one for tests and replay."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the library needs to know of time."""

    def monotonic(self) -> float:
        """Seconds that never step; use for differences."""

    def time(self) -> float:
        """Seconds since the epoch, UTC; may step."""


class SystemClock:
    """The machine's clock."""

    __slots__ = ()
    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)


class VirtualClock:
    """A clock that moves only when told to."""

    def __init__(self, start: float = 1000.0, epoch: float = 1_700_000_000.0) -> None:
        self._now = start
        self._offset = epoch - start

    def monotonic(self) -> float:
        """Seconds of virtual time."""
        return self._now

    def time(self) -> float:
        """Virtual seconds since the epoch."""
        return self._now + self._offset

    def advance(self, seconds: float) -> float:
        """Move forward by `seconds` (not negative) and return the new monotonic time."""
        if seconds < 0:
            raise ValueError(f"a clock cannot go back: {seconds} s; give 0 or more")
        self._now += seconds
        return self._now
