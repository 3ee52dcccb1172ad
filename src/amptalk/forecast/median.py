"""Expert: the median of the last values; what remains when spikes are left out."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence

WINDOW = 15


class RunningMedian:
    """Expects every horizon to be the median of the last `WINDOW` values."""

    __slots__ = ("_count", "_recent", "_sorted")

    def __init__(self, horizons: Sequence[int]) -> None:
        self._count = len(horizons)
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []

    def update(self, value: float) -> list[float]:
        """Take a value and return the expected ones at the horizons."""
        recent, ordered = self._recent, self._sorted
        if len(recent) == WINDOW:
            del ordered[bisect_left(ordered, recent.popleft())]
        recent.append(value)
        insort(ordered, value)
        middle = len(ordered) // 2
        median = (
            ordered[middle] if len(ordered) % 2 else 0.5 * (ordered[middle - 1] + ordered[middle])
        )
        return [median] * self._count
