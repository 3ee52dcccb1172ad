"""What a forecaster says at one moment: a path, how wide it may be, when a limit is met."""

from __future__ import annotations

import math
from typing import NamedTuple

from amptalk.forecast.errors import Errors
from amptalk.model.errors import ConfigurationError

_SURE = 3.0
"""A slope counts as growth from this many of its standard deviations."""
_SPREAD = 2.0
"""Earliest and latest are this many standard deviations away."""


class TimeToLimit(NamedTuple):
    """When a limit is met, in seconds from now; `inf` when that is not in sight."""

    seconds: float
    earliest: float
    latest: float


_NOT_IN_SIGHT = TimeToLimit(math.inf, math.inf, math.inf)


class Growth(NamedTuple):
    """Straight line through the recent values, per step of the grid."""

    level: float
    slope: float
    slope_deviation: float
    deviation: float


class Forecast:
    """The next values of a series. Read it before the forecaster's next update."""

    __slots__ = ("_errors", "_growth", "_peaks", "_scale", "mean", "step", "value")

    def __init__(  # noqa: PLR0917 - the parts of a forecast
        self,
        value: float,
        mean: tuple[float, ...],
        step: float,
        scale: float,
        growth: Growth,
        errors: tuple[Errors, Errors],
        peaks: tuple[Errors, Errors],
    ) -> None:
        self.value = value
        """The latest value; `nan` before there is one."""
        self.mean = mean
        """Expected values, one each `step`."""
        self.step = step
        """Seconds of a step; `nan` before two values were seen."""
        self._scale = scale
        self._growth = growth
        self._errors = errors
        self._peaks = peaks

    @property
    def slope(self) -> float:
        """Growth per second along the recent values; 0 while the step is unknown."""
        return self._growth.slope / self.step if self.step > 0.0 else 0.0

    def interval(self, coverage: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Lower and upper values that hold with probability `coverage` (0-1) at each step.

        Learned from past errors one step and the whole horizon ahead, between them in
        proportion to the square root of the steps. Of no width before there are any.
        """
        if not 0.0 < coverage < 1.0:
            raise ConfigurationError(
                f"coverage={coverage!r} is out of range: give a share between 0 and 1, such as 0.9"
            )
        tail = 0.5 * (1.0 - coverage)
        return self._bound(tail), self._bound(1.0 - tail)

    def _bound(self, level: float) -> tuple[float, ...]:
        near, far = (errors.quantile(level) * self._scale for errors in self._errors)
        span = math.sqrt(len(self.mean)) - 1.0
        return tuple(
            [
                mean + near + (far - near) * (math.sqrt(steps) - 1.0) / span
                for steps, mean in enumerate(self.mean, 1)
            ]
        )

    def breach_probability(self, limit: float, persistence: int = 2) -> float:
        """Probability (0-1) of `persistence` (1 or 2) values in a row above `limit`.

        Learned from how far past peaks went beyond the expected ones; never quite 0 or 1.
        """
        if persistence not in (1, 2):
            raise ConfigurationError(f"persistence={persistence!r} is unknown: give 1 or 2")
        room = limit - peak(self.mean, persistence)
        if not self._scale > 0.0:
            return self._peaks[persistence - 1].exceed(math.copysign(math.inf, room))
        return self._peaks[persistence - 1].exceed(room / self._scale)

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


def peak(path: tuple[float, ...] | list[float], persistence: int) -> float:
    """Highest level that `persistence` (1 or 2) values in a row reach."""
    if persistence == 1:
        return max(path)
    return max(map(min, path, path[1:]))
