"""Straight lines through the recent values, older ones counting less: where they lead.

For limits beyond the horizon, such as those that a leak meets in hours; within it the
experts know better. Lines of several memories: a short one sees a ramp that has just
begun, a long one a leak that is slow beside the noise.

Discounted least squares in recursive form (Brown 1963): the gains are those of a
least-squares line while the memory fills, and constant from then on. No sums are
kept, so nothing grows or cancels however long it runs.
"""

from __future__ import annotations

import math

_MEMORIES = (0.95, 0.99, 0.998)
"""Weights of a value relative to the next newer one: about 40, 200 and 1000 values matter."""
_FEWEST = 8
"""Values before a slope is trusted, and those that are kept, in effect, of a bent line."""
_BIASED = 0.85
"""Trigg's (1964) tracking signal, mean error over mean absolute error, of a bent line."""
_ROUNDING = 1e-9


class Line:
    """Level, slope per step and how sure they are, of evenly spaced values."""

    __slots__ = (
        "_absolute", "_bias", "_count", "_error", "_forget", "_level_gain", "_slope_gain", "level",
        "slope",
    )  # fmt: skip

    def __init__(self, memory: float) -> None:
        """`memory`: weight of a value relative to the next newer one."""
        self._forget = 1.0 - memory
        self._level_gain = 1.0 - memory**2
        self._slope_gain = (1.0 - memory) ** 2
        self._count = 0
        self._error = 0.0
        self._bias = 0.0
        self._absolute = 0.0
        self.level = 0.0
        self.slope = 0.0

    def update(self, value: float) -> None:
        """Take a value, one step after the one before."""
        self._count = n = self._count + 1
        if n == 1:
            self.level = value
        error = value - self.level - self.slope
        tracking = 2.0 * self._forget
        self._bias += tracking * (error - self._bias)
        self._absolute += tracking * (abs(error) - self._absolute)
        rounding = _ROUNDING * (abs(self.level) + abs(self.slope))
        if n > 4 * _FEWEST and abs(self._bias) > _BIASED * self._absolute + rounding:
            self._count = n = _FEWEST
        level_gain = max(self._level_gain, 2.0 * (2 * n - 1) / (n * (n + 1)))
        slope_gain = max(self._slope_gain, 6.0 / (n * (n + 1))) if n > 1 else 0.0
        self.level += self.slope + level_gain * error
        self.slope += slope_gain * error
        if n > 2:
            self._error += max(1.0 / (n - 2), self._forget) * (abs(error) - self._error)

    @property
    def deviation(self) -> float:
        """Standard deviation of the values around the line."""
        return 1.2533 * self._error  # that of a normal variable from its mean absolute value

    @property
    def slope_deviation(self) -> float:
        """Standard deviation of the slope; `inf` while there are too few values."""
        n = self._count
        if n < _FEWEST:
            return math.inf
        full = 2.0 * (self._forget / (2.0 - self._forget)) ** 3  # variance at full memory
        return self.deviation * math.sqrt(max(12.0 / n**3, full))


class Trend:
    """The lines of all memories."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines = tuple([Line(memory) for memory in _MEMORIES])

    def update(self, value: float) -> None:
        """Take a value, one step after the one before."""
        for line in self._lines:
            line.update(value)

    def surest(self) -> Line:
        """The line whose slope stands out most from what it may be by chance."""
        best, most = self._lines[0], -1.0
        for line in self._lines:
            deviation = line.slope_deviation
            if deviation < math.inf:
                sure = abs(line.slope) / deviation if deviation > 0.0 else math.inf
                if sure > most:
                    best, most = line, sure
        return best
