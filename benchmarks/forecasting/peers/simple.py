"""The last value, the last season, two exponential smoothings and the straight line."""

from __future__ import annotations

from collections import deque

from benchmarks.forecasting.protocol import HORIZON


class LastValue:
    """Everything stays as it is."""

    def update(self, value: float) -> list[float]:
        """See `Peer`."""
        return [value] * HORIZON


class SeasonalNaive:
    """Everything is as it was a season ago; the last value where there is no season."""

    def __init__(self, period: int) -> None:
        self._season: deque[float] = deque(maxlen=max(period, HORIZON))
        self._period = period

    def update(self, value: float) -> list[float]:
        """See `Peer`."""
        season = self._season
        season.append(value)
        if not self._period or len(season) < self._period:
            return [value] * HORIZON
        first = len(season) - self._period
        return [season[first + ahead % self._period] for ahead in range(HORIZON)]


class Ewma:
    """Exponentially weighted mean, the newest sample counting half."""

    GAIN = 0.5

    def __init__(self) -> None:
        self._level: float | None = None

    def update(self, value: float) -> list[float]:
        """See `Peer`."""
        level = value if self._level is None else self._level + self.GAIN * (value - self._level)
        self._level = level
        return [level] * HORIZON


class DampedHolt:
    """Exponential smoothing with a damped trend (Gardner and McKenzie 1985)."""

    LEVEL_GAIN, TREND_GAIN, DAMPING = 0.6, 0.1, 0.9

    def __init__(self) -> None:
        self._level: float | None = None
        self._trend = 0.0
        damped = [self.DAMPING**ahead for ahead in range(1, HORIZON + 1)]
        self._reach = [sum(damped[:ahead]) for ahead in range(1, HORIZON + 1)]

    def update(self, value: float) -> list[float]:
        """See `Peer`."""
        if self._level is None:
            self._level = value
        else:
            carried = self.DAMPING * self._trend
            predicted = self._level + carried
            level = predicted + self.LEVEL_GAIN * (value - predicted)
            self._trend = carried + self.TREND_GAIN * (level - self._level - carried)
            self._level = level
        return [self._level + reach * self._trend for reach in self._reach]


class PredictLinear:
    """Least-squares line through the newest samples, as Prometheus' `predict_linear` draws it."""

    def __init__(self, window: int) -> None:
        self._recent: deque[float] = deque(maxlen=window)

    def update(self, value: float) -> list[float]:
        """See `Peer`."""
        recent = self._recent
        recent.append(value)
        count = len(recent)
        if count < 3:
            return [value] * HORIZON
        middle = 0.5 * (count - 1)
        mean = sum(recent) / count
        products = sum((at - middle) * height for at, height in enumerate(recent))
        slope = 12.0 * products / (count * (count * count - 1))
        now = mean + slope * middle
        return [now + slope * ahead for ahead in range(1, HORIZON + 1)]
