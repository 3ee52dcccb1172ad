"""How wrong forecasts were: the only source of intervals and probabilities.

Errors are kept in units of the volatility at their origin, so that calm and wild
times are comparable (split-conformal prediction with a volatility scale).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque

_LARGEST = 50.0


class Errors:
    """The newest errors of one kind, sorted for quantiles."""

    __slots__ = ("_recent", "_sorted", "_window")

    def __init__(self, window: int) -> None:
        self._window = window
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._recent)

    def add(self, error: float, scale: float) -> None:
        """Keep an error of a forecast made when usual changes were `scale` (0: left out)."""
        if scale <= 0.0:
            return
        relative = max(-_LARGEST, min(_LARGEST, error / scale))
        recent, ordered = self._recent, self._sorted
        if len(recent) == self._window:
            oldest = recent.popleft()
            del ordered[bisect_right(ordered, oldest) - 1]
        recent.append(relative)
        insort(ordered, relative)

    def quantile(self, level: float) -> float:
        """Error in scales that a share `level` of errors stays below, (n + 1) in place of n.

        Beyond the extremes it is the extreme and a tenth of the range: fewer errors,
        wider intervals. 0 without any error.
        """
        ordered = self._sorted
        count = len(ordered)
        if not count:
            return 0.0
        position = level * (count + 1) - 1.0
        margin = 0.1 * (ordered[-1] - ordered[0])
        if position <= 0.0:
            return ordered[0] - margin * min(1.0, -position)
        if position >= count - 1:
            return ordered[-1] + margin * min(1.0, position - count + 1)
        below = int(position)
        return ordered[below] + (position - below) * (ordered[below + 1] - ordered[below])

    def exceed(self, relative: float) -> float:
        """Smoothed share of errors above `relative` scales, within (0, 1)."""
        count = len(self._sorted)
        return (count - bisect_right(self._sorted, relative) + 0.1) / (count + 2.0)
