"""What is remembered of one limit from sample to sample; `judge` moves it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from amptalk.limits.levels import LevelMachine
from amptalk.limits.thresholds import SLOPE_FLOOR, STALE_PERIODS, lines_for, thresholds_for
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import LimitState, Violation
from amptalk.model.resource import Resource
from amptalk.model.sample import INDEX

_SLOW_PERIOD = 5.0
"""Slowest regular cadence of a sensor; assumed of one until its own has been seen."""
_NEVER = (0.0, 0.0, 0.0)


class LimitWatch:
    """One limit with everything that is remembered about it."""

    __slots__ = (
        "at", "blind", "field", "floor", "is_hold", "is_minimum", "is_rate", "least_period",
        "limit", "lines", "machine", "measured_at", "missing", "over", "over_since", "peak",
        "period", "resource", "samples", "seconds_over", "slope", "sporadic", "time", "times",
        "value", "violation", "within_since",
    )  # fmt: skip

    def __init__(
        self, resource: Resource, limit: float, interval: float, index: Mapping[str, int]
    ) -> None:
        at = index.get(resource.field)
        if at is None:
            raise ConfigurationError(
                f"resource {resource.name!r} is measured by {resource.field!r}, which is no field "
                "of a sample; allowed are the names in amptalk.model.sample.FIELDS"
            )
        self.sporadic = resource.field not in INDEX
        """A signal of the application: it has a value in some ticks only."""
        self.resource = resource
        self.field = resource.field
        self.at = at
        self.is_rate = resource.kind == "rate" or self.sporadic
        self.is_minimum = resource.minimum
        self.is_hold = resource.kind == "hold"
        self.times = thresholds_for(resource).time_to_limit or _NEVER
        self.set_limit(limit)
        self.period = max(interval, _SLOW_PERIOD)
        self.least_period = self.period if self.sporadic else interval
        self.seconds_over = 0.0
        self.samples = 0
        self.violation: Violation | None = None
        self.time = 0.0
        self.value = math.nan
        """The last one, turned where the limit is a minimum."""
        self.peak = math.nan
        """The value farthest beyond the limit in the ongoing violation."""
        self.forget()

    def set_limit(self, limit: float) -> None:
        """Judge by this limit from now on; raises `ConfigurationError` for one out of range."""
        if not 0.0 < limit < math.inf:
            raise ConfigurationError(
                f"limit of {self.resource.name}={limit!r} {self.resource.unit} is out of range; "
                "allowed is a finite number above 0"
            )
        self.limit = float(limit)
        self.floor = SLOPE_FLOOR * self.limit
        self.missing: LimitState | None = None
        """What is said while there is no value: the same object until there is one again."""
        self.lines = lines_for(self.resource, self.limit)

    def forget(self) -> None:
        """Begin anew: the level is normal, nothing was measured yet."""
        self.machine = LevelMachine(thresholds_for(self.resource))
        self.missing = None
        self.measured_at = -math.inf
        self.blind = False
        self.slope = 0.0
        self.over = False
        self.over_since: tuple[float, float] | None = None
        self.within_since: float | None = None

    def end_violation(self) -> None:
        """End what is ongoing where measuring ended."""
        if self.violation is not None:
            self.violation.ended = self.time
            self.violation = None

    def miss(self, now: float) -> LimitState:
        """Say that there is no value; the level is the last known."""
        if self.sporadic and now - self.measured_at <= STALE_PERIODS * self.period:
            return self.state(self.value, fresh=False)
        self.blind = True
        self.slope = 0.0
        self.missing = self.state(math.nan, fresh=False)
        return self.missing

    def state(self, value: float, *, fresh: bool) -> LimitState:
        """What is said of a value as the limit is judged now."""
        return LimitState(
            self.resource, self.limit, value, self.machine.level, fresh, self.blind, self.slope,
            self.time_to_limit(value), self.violation is not None,
        )  # fmt: skip

    def time_to_limit(self, value: float) -> float:
        """Seconds until the limit at the present slope."""
        if value >= self.limit:
            return 0.0
        return (self.limit - value) / self.slope if self.slope > 0.0 else math.inf

    def level_called(self, value: float, factor: float, lines: tuple[float, ...]) -> int:
        """Highest level by the given lines, or by time to the limit stretched by `factor`."""
        first, second, third = lines
        level = (value >= first) + (value >= second) + (value >= third)
        if self.slope > 0.0 and level < 3 and value >= self.floor:
            left = self.time_to_limit(value)
            first, second, third = self.times
            level = max(
                level, (left < first * factor) + (left < second * factor) + (left < third * factor)
            )
        return level
