"""Expert: a straight line through the recent values, older ones counting less.

Discounted least squares in recursive form (Brown 1963): the gains are those of a
least-squares line while the memory fills, and constant from then on. No sums are
kept, so nothing grows or cancels however long it runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

MEMORY = 0.95
"""Weight of a value relative to the next newer one: about 40 values matter."""
_LEVEL_GAIN = 1.0 - MEMORY**2
_SLOPE_GAIN = (1.0 - MEMORY) ** 2
_SLOPE_VARIANCE = 2.0 * ((1.0 - MEMORY) / (1.0 + MEMORY)) ** 3
"""Variance of the slope relative to that of the errors, once the memory is full."""
_FEWEST = 8
"""Values before a slope is trusted, and those that are kept, in effect, of a bent line."""
_BIASED = 0.85
"""Trigg's (1964) tracking signal, mean error over mean absolute error, of a bent line."""
_TRACKING_GAIN = 0.1
_ROUNDING = 1e-9


class Line:
    """Level, slope per step and how sure they are, of evenly spaced values."""

    __slots__ = ("_absolute", "_bias", "_count", "_error", "_horizons", "level", "slope")

    def __init__(self, horizons: Sequence[int]) -> None:
        self._horizons = tuple(horizons)
        self._count = 0
        self._error = 0.0
        self._bias = 0.0
        self._absolute = 0.0
        self.level = 0.0
        self.slope = 0.0

    def update(self, value: float) -> list[float]:
        """Take a value and return the line at the horizons."""
        self._count = n = self._count + 1
        if n == 1:
            self.level = value
        error = value - self.level - self.slope
        self._bias += _TRACKING_GAIN * (error - self._bias)
        self._absolute += _TRACKING_GAIN * (abs(error) - self._absolute)
        rounding = _ROUNDING * (abs(self.level) + abs(self.slope))
        if n > 4 * _FEWEST and abs(self._bias) > _BIASED * self._absolute + rounding:
            self._count = n = _FEWEST
        level_gain, slope_gain = _LEVEL_GAIN, _SLOPE_GAIN
        if n < 120:  # beyond it the constant gains are the larger ones
            level_gain = max(level_gain, 2.0 * (2 * n - 1) / (n * (n + 1)))
            slope_gain = max(slope_gain, 6.0 / (n * (n + 1))) if n > 1 else 0.0
        self.level += self.slope + level_gain * error
        self.slope += slope_gain * error
        if n > 2:
            self._error += max(1.0 / (n - 2), 1.0 - MEMORY) * (abs(error) - self._error)
        level, slope = self.level, self.slope
        return [level + slope * horizon for horizon in self._horizons]

    @property
    def deviation(self) -> float:
        """Standard deviation of the values around the line."""
        return 1.2533 * self._error  # that of a normal variable from its mean absolute value

    def slope_deviation(self) -> float:
        """Standard deviation of the slope; `inf` while there are too few values."""
        n = self._count
        if n < _FEWEST:
            return math.inf
        return self.deviation * math.sqrt(max(12.0 / n**3, _SLOPE_VARIANCE))
