"""Control of use: the percent of the time in which a processor or a GPU was busy.

Read over less than a second, use tells which of a few jobs happened to run and which rested, and
no model of the load fits that: each job that starts looked like more load and was cut for, until
next to nothing ran. So readings that come faster are taken together, by the time that each stands
for. Slower ones go on as they are.
"""

from __future__ import annotations

import math

from amptalk.strategies.controllers.fast import FastController

_TOGETHER = 1.0
"""Seconds that what is decided on stands for at least, to the nearest reading."""


class UseController(FastController):
    """A `FastController` that decides once a second at most."""

    def __init__(self) -> None:
        super().__init__()
        self._read_at = math.nan
        """When the last reading came."""
        self._used = self._seconds = 0.0
        """Ratio times seconds of the readings since the last decision, and their seconds."""

    def take(self, now: float, ratio: float, most: float = 1.0) -> float:
        """Take a reading as the base does; the share changes once enough have come together."""
        seconds = now - self._read_at
        self._read_at = now
        if not self.measured:
            return super().take(now, ratio, most)
        self._used += ratio * seconds
        self._seconds += seconds
        if self._seconds + 0.5 * seconds < _TOGETHER:
            return self.share
        ratio = self._used / self._seconds
        self._used = self._seconds = 0.0
        return super().take(now, ratio, most)

    def shift(self, by: float) -> None:
        """Levels are told on another scale from now on, `by` (log) above that until now."""
        super().shift(by)
        self._used *= math.exp(by)
