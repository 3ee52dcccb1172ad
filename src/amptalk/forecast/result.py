"""What a forecaster says at one moment: a path, how wide it may be, when a limit is met."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from amptalk.forecast.breaches import peaks_of
from amptalk.model.errors import ConfigurationError

if TYPE_CHECKING:
    from typing_extensions import Self

    from amptalk.forecast.breaches import Breaches
    from amptalk.forecast.intervals import Intervals

_SURE = 3.0
"""A slope counts as growth from this many of its standard deviations."""
_SPREAD = 2.0
"""Earliest and latest are this many standard deviations away."""


class TimeToLimit(float):
    """When a limit is met, in seconds from now; `inf` when that is not in sight."""

    __slots__ = ("earliest", "latest")

    earliest: float
    """Seconds, if it grows as fast as may be."""
    latest: float
    """Seconds, if as slowly as may be; `inf` when it may not be met at all."""

    def __new__(cls, seconds: float, earliest: float, latest: float) -> Self:
        """`earliest` and `latest` are the range around `seconds`."""
        self = super().__new__(cls, seconds)
        self.earliest, self.latest = earliest, latest
        return self

    def __reduce__(self) -> tuple[type[TimeToLimit], tuple[float, float, float]]:
        return TimeToLimit, (float(self), self.earliest, self.latest)

    def __repr__(self) -> str:
        return f"TimeToLimit({float(self)!r}, earliest={self.earliest!r}, latest={self.latest!r})"


_NOT_IN_SIGHT = TimeToLimit(math.inf, math.inf, math.inf)


class Growth(NamedTuple):
    """Straight line through the recent values, per step of the grid."""

    level: float
    slope: float
    slope_deviation: float
    deviation: float


class Forecast:
    """The next values of a series. Read it before the forecaster's next update."""

    __slots__ = ("_breaches", "_growth", "_intervals", "_spread", "mean", "step", "value")

    def __init__(  # noqa: PLR0917 - the parts of a forecast
        self,
        value: float,
        mean: tuple[float, ...],
        step: float,
        spread: float,
        growth: Growth,
        intervals: Intervals,
        breaches: Breaches,
    ) -> None:
        self.value = value
        """The latest value; `nan` before there is one."""
        self.mean = mean
        """Expected values, one each `step`."""
        self.step = step
        """Seconds of a step; `nan` before two values were seen."""
        self._spread = spread
        self._growth = growth
        self._intervals = intervals
        self._breaches = breaches

    @property
    def slope(self) -> float:
        """Growth per second along the recent values; 0 while the step is unknown."""
        return self._growth.slope / self.step if self.step > 0.0 else 0.0

    def interval(self, coverage: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Lower and upper values that hold with probability `coverage` (0-1) at each step.

        Learned from past errors at each step ahead. Of no width while nothing ever changed.
        """
        if not 0.0 < coverage < 1.0:
            raise ConfigurationError(
                f"coverage={coverage!r} is out of range: give a share between 0 and 1, such as 0.9"
            )
        lower, upper = self._intervals.bounds(0.5 * (1.0 - coverage))
        spread = self._spread
        return (
            tuple([mean + spread * low for mean, low in zip(self.mean, lower, strict=True)]),
            tuple([mean + spread * high for mean, high in zip(self.mean, upper, strict=True)]),
        )

    def breach_probability(self, limit: float, persistence: int = 2) -> float:
        """Probability (0-1) of `persistence` (1 or 2) values in a row above `limit`.

        Within the horizon. Learned from how far past peaks went beyond the expected ones, and
        corrected by how earlier answers came out: the forecaster remembers the last four
        limits it was asked for. Never quite 0 or 1.
        """
        if persistence not in (1, 2):
            raise ConfigurationError(f"persistence={persistence!r} is unknown: give 1 or 2")
        return self._breaches.probability(limit, persistence, peaks_of(self.mean), self._spread)

    def time_to(self, limit: float) -> TimeToLimit:
        """When the value meets `limit` if it goes on growing as it does.

        By the line through the recent values where their growth is certain, otherwise
        by the expected path within the horizon.
        """
        if self.value > limit:
            return TimeToLimit(0.0, 0.0, 0.0)
        growth = self._growth
        if growth.slope > _SURE * growth.slope_deviation and self.step > 0.0:
            spread = _SPREAD * growth.deviation
            room = limit - growth.level
            fast = growth.slope + _SPREAD * growth.slope_deviation
            slow = growth.slope - _SPREAD * growth.slope_deviation
            return TimeToLimit(
                max(0.0, room / growth.slope * self.step),
                max(0.0, (room - spread) / fast * self.step),
                max(0.0, (room + spread) / slow * self.step),
            )
        before = self.value
        for steps, mean in enumerate(self.mean):
            if mean > limit:
                seconds = (steps + (limit - before) / (mean - before)) * self.step
                return TimeToLimit(seconds, 0.0, math.inf)
            before = mean
        return _NOT_IN_SIGHT
