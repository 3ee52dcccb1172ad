"""Expert: exponential smoothing with a damped trend (Holt 1957; Gardner and McKenzie 1985)."""

from __future__ import annotations

from collections.abc import Sequence

LEVEL_GAIN = 0.6
TREND_GAIN = 0.1
DAMPING = 0.9


class DampedHolt:
    """Follows level and trend of evenly spaced values; the trend fades with the horizon."""

    __slots__ = ("_level", "_reach", "_trend")

    def __init__(self, horizons: Sequence[int]) -> None:
        self._reach = [DAMPING * (1.0 - DAMPING**horizon) / (1.0 - DAMPING) for horizon in horizons]
        self._level: float | None = None
        self._trend = 0.0

    def update(self, value: float) -> list[float]:
        """Take a value and return the expected ones at the horizons."""
        if self._level is None:
            self._level = value
        predicted = self._level + DAMPING * self._trend
        level = predicted + LEVEL_GAIN * (value - predicted)
        self._trend += TREND_GAIN * (level - self._level - self._trend)
        self._level = level
        trend = self._trend
        return [level + trend * reach for reach in self._reach]
