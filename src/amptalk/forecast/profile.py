"""What a series usually is at a time of the day.

Days are counted on the clock of the readings, wherever it begins. One profile a day;
weeks and holidays are not told apart.
"""

from __future__ import annotations

from array import array
from math import floor, nan

DAY = 86400.0
_BINS = 144
_GAIN = 0.35
"""Weight of the latest day."""
_ENOUGH = 0.9
"""Share of the bins that were seen before the profile says anything."""


class DailyProfile:
    """Mean values in bins of ten minutes, a straight line between their middles."""

    __slots__ = ("_bin", "_count", "_seen", "_sum", "_values")

    def __init__(self) -> None:
        self._values = array("d", [nan]) * _BINS
        self._seen = 0
        self._bin = -1
        self._sum = 0.0
        self._count = 0

    def add(self, value: float, seconds: float) -> None:
        """Take a value of the moment `seconds`."""
        at = floor(seconds * (_BINS / DAY)) % _BINS
        if at != self._bin:
            self._close()
            self._bin = at
        self._sum += value
        self._count += 1

    def _close(self) -> None:
        if not self._count:
            return
        mean, at = self._sum / self._count, self._bin
        before = self._values[at]
        if before != before:  # noqa: PLR0124 - nan
            self._seen += 1
            self._values[at] = mean
        else:
            self._values[at] = before + _GAIN * (mean - before)
        self._sum, self._count = 0.0, 0

    def rises(self, seconds: float, step: float, count: int) -> list[float] | None:
        """How much higher it usually is 1 … `count` steps after `seconds`, or `None`.

        `None` before most of a day was seen, and where a bin is empty.
        """
        if self._seen < _ENOUGH * _BINS:
            return None
        values = self._values
        place, stride = seconds * (_BINS / DAY) - 0.5, step * (_BINS / DAY)
        heights = []
        for i in range(count + 1):
            at = place + i * stride
            below = floor(at)
            low, high = values[below % _BINS], values[(below + 1) % _BINS]
            heights.append(low + (at - below) * (high - low))
        first = heights[0]
        if any(height != height for height in heights):  # noqa: PLR0124
            return None
        return [height - first for height in heights[1:]]
