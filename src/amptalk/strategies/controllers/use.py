"""Control of use: the percent of the time in which a processor or a GPU was busy.

Read over less than a second, use tells which of a few jobs happened to run and which rested, and
no model of the load fits that: each job that starts looked like more load and was cut for, until
next to nothing ran. So readings that come faster are taken together, by the time that each stands
for, unless they hardly differ from one to the next: many small jobs are a smooth load. Slower ones
go on as they are.
"""

from __future__ import annotations

import math

from amptalk.strategies.controllers.contract import HIGHEST_RATIO
from amptalk.strategies.controllers.fast import FastController

_TOGETHER = 1.0
"""Seconds that what is decided on stands for at least, to the nearest reading."""
_RESTLESS, _AT_FIRST = 0.1, 0.3
"""Mean difference from reading to reading (parts of the limit) from which readings are restless,
and what it is taken for until it is known."""
_MEMORY = 10.0
"""Seconds in which differences are forgotten to a third."""


class UseController(FastController):
    """A `FastController` that decides once a second at most where readings are restless."""

    def __init__(self) -> None:
        super().__init__()
        self._read_at = math.nan
        """When the last reading came."""
        self._read = math.nan
        self._differing = _AT_FIRST
        """Mean difference from reading to reading."""
        self._used = 0.0
        """Ratio times seconds of the readings since the last decision."""

    def take(self, now: float, ratio: float, most: float = 1.0) -> float:
        """Take a reading as the base does; the share changes once enough have come together."""
        ratio = min(HIGHEST_RATIO, ratio)
        seconds, before = now - self._read_at, self._read
        self._read_at, self._read = now, ratio
        if not self.measured:
            return super().take(now, ratio, most)
        if seconds <= 0.0:
            return self.share
        weight = 1.0 - math.exp(-seconds / _MEMORY)
        self._differing += weight * (abs(ratio - before) - self._differing)
        self._used += ratio * seconds
        together = now - self._last
        if self._differing > _RESTLESS and together + 0.5 * seconds < _TOGETHER:
            return self.share
        ratio = self._used / together
        self._used = 0.0
        return super().take(now, ratio, most)

    def shift(self, by: float) -> None:
        """Levels are told on another scale from now on, `by` (log) above that until now."""
        super().shift(by)
        self._used *= math.exp(by)
        self._read *= math.exp(by)
