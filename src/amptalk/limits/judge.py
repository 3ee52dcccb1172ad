"""Judge a sample by the limits: levels, time to the limit, violations.

Pure: time is the sample's. It neither reads the machine nor acts; thresholds are
in `thresholds`, the movement of levels in `levels`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from amptalk.limits.levels import LevelMachine
from amptalk.limits.thresholds import (
    SLOPE_CLEAR,
    SLOPE_FLOOR,
    STALE_PERIODS,
    lines_for,
    thresholds_for,
)
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level, LimitState, Violation
from amptalk.model.resource import Resource
from amptalk.model.sample import INDEX, Sample

KEPT_VIOLATIONS = 1000
_SLOW_PERIOD = 5.0
"""Slowest regular cadence of a sensor; assumed of one until its own has been seen."""
_LONGEST_PERIOD = 60.0
_NEVER = (0.0, 0.0, 0.0)
_LEVELS = tuple(Level)


class _Watch:
    """One limit with everything that is remembered about it."""

    __slots__ = (
        "at", "blind", "field", "floor", "interval", "is_hold", "is_rate", "limit", "lines",
        "machine", "measured_at", "missing", "over", "over_since", "period", "resource",
        "samples", "seconds_over", "slope", "time", "times", "violation", "within_since",
    )  # fmt: skip

    def __init__(self, resource: Resource, limit: float, interval: float) -> None:
        at = INDEX.get(resource.field)
        if at is None:
            raise ConfigurationError(
                f"resource {resource.name!r} is measured by {resource.field!r}, which is no field "
                "of a sample; allowed are the names in amptalk.model.sample.FIELDS"
            )
        self.resource = resource
        self.field = resource.field
        self.at = at
        self.is_rate = resource.kind == "rate"
        self.is_hold = resource.kind == "hold"
        self.times = thresholds_for(resource).time_to_limit or _NEVER
        self.set_limit(limit)
        self.interval = interval
        self.period = max(interval, _SLOW_PERIOD)
        self.seconds_over = 0.0
        self.samples = 0
        self.violation: Violation | None = None
        self.time = 0.0
        self.forget()

    def set_limit(self, limit: float) -> None:
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
        self.machine = LevelMachine(thresholds_for(self.resource))
        self.missing = None
        self.measured_at = -math.inf
        self.blind = False
        self.slope = 0.0
        self.over = False
        self.over_since: tuple[float, float] | None = None
        self.within_since: float | None = None

    def miss(self) -> LimitState:
        """Say that there is no value; the level is the last known."""
        self.blind = True
        self.slope = 0.0
        self.missing = self.state(math.nan, fresh=False)
        return self.missing

    def state(self, value: float, *, fresh: bool) -> LimitState:
        return LimitState(
            self.resource, self.limit, value, self.machine.level, fresh, self.blind, self.slope,
            self.time_to_limit(value), self.violation is not None,
        )  # fmt: skip

    def time_to_limit(self, value: float) -> float:
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


class Judge:
    """Judges each sample by every limit; remembers levels and violations.

    `limits` pairs resources with limits in their unit, `interval` is the nominal
    seconds between samples. A value is *fresh* when it was measured since the last
    judgement; one that is missing or older than three of its periods is *blind* and
    changes no level. While one is missing its state is the same object, tick by tick.
    """

    def __init__(self, limits: Sequence[tuple[Resource, float]], interval: float) -> None:
        self._watches = tuple(_Watch(resource, limit, interval) for resource, limit in limits)
        self._holds = tuple(watch for watch in self._watches if watch.is_hold)
        self._by_name = {watch.resource.name: watch for watch in self._watches}
        self.violations: list[Violation] = []
        """Newest violations, the ongoing ones included, oldest first."""
        self.violations_begun = 0
        """How many violations there were, those no longer kept included."""
        self.changes = 0
        """Grows with every level that moves and every violation that begins."""
        self.resources = tuple(watch.resource for watch in self._watches)
        """The resources judged, in the order of the limits."""

    @property
    def violations_dropped(self) -> int:
        """Older violations that are no longer kept in `violations`."""
        return self.violations_begun - len(self.violations)

    @property
    def seconds_over(self) -> dict[str, float]:
        """Measured seconds beyond each limit so far, by resource name."""
        return {watch.resource.name: watch.seconds_over for watch in self._watches}

    @property
    def samples(self) -> dict[str, int]:
        """Fresh values judged so far, by resource name."""
        return {watch.resource.name: watch.samples for watch in self._watches}

    def ongoing(self, resource: str) -> Violation | None:
        """The violation of a resource that lasts now, if any."""
        watch = self._by_name.get(resource)
        return watch.violation if watch is not None else None

    def judge(
        self, sample: Sample, slopes: Callable[[str], float], *, rates_fresh: bool = True
    ) -> tuple[LimitState, ...]:
        """State of every limit for this sample, in the order of the limits.

        `slopes(field)` gives growth per second over the last readings; it is asked for
        holds from half of their limit upwards. With `rates_fresh` false the rates in
        the sample are those of an earlier one. Raises nothing for missing values.
        """
        row, provenance, now = sample.row, sample.provenance, sample.monotonic
        states = []
        for watch in self._watches:
            value = row[watch.at]
            if value != value:  # noqa: PLR0124 - nan
                states.append(watch.missing or watch.miss())
                continue
            measured_at = now
            if provenance:
                origin = provenance.get(watch.field)
                if origin is not None and not origin.renewed:
                    measured_at = origin.measured_at
            fresh = False
            if now - measured_at > STALE_PERIODS * watch.period:
                watch.blind = True
                watch.slope = 0.0
            elif measured_at > watch.measured_at and (rates_fresh or not watch.is_rate):
                fresh = True
                if watch.is_hold:
                    slope = slopes(watch.field) if value >= watch.floor else 0.0
                    watch.slope = slope if math.isfinite(slope) else 0.0
                self._take(watch, value, measured_at, sample.time)
            states.append(watch.state(value, fresh=fresh))
        return tuple(states)

    def replace_limit(self, resource: str, limit: float) -> None:
        """Judge a resource by another limit from now on, such as a grant; the level stays.

        Raises `ConfigurationError` for a resource without a limit or a value out of range.
        """
        watch = self._by_name.get(resource)
        if watch is None:
            known = ", ".join(self._by_name) or "none"
            raise ConfigurationError(
                f"{resource!r} has no limit to replace; limits exist for: {known}"
            )
        watch.set_limit(limit)

    def preview(self, sample: Sample) -> Level:
        """Highest level a memory value calls for by itself, without waiting or remembering.

        Asked before `judge` so that a rough figure can be measured exactly before it
        raises a level.
        """
        highest, row = 0, sample.row
        for watch in self._holds:
            value = row[watch.at]
            if value >= watch.floor:
                highest = max(highest, watch.level_called(value, 1.0, watch.lines.enter))
        return _LEVELS[highest]

    def forget(self) -> None:
        """Begin anew after a stop: levels are normal; violations end where measuring ended.

        The list of violations and the totals stay.
        """
        for watch in self._watches:
            if watch.violation is not None:
                watch.violation.ended = watch.time
                watch.violation = None
            watch.forget()
        self.changes += 1

    def _take(self, watch: _Watch, value: float, now: float, time: float) -> None:
        elapsed = now - watch.measured_at
        watch.measured_at = now
        watch.time = time
        watch.samples += 1
        watch.missing = None
        if elapsed > STALE_PERIODS * watch.period or watch.blind:
            # Nothing is known of the time between, so it counts for nothing.
            watch.machine.resume(now)
            watch.blind = False
            elapsed = min(elapsed, watch.period)
        if elapsed < _LONGEST_PERIOD:
            watch.period = max(watch.interval, elapsed)
        if watch.over:
            watch.seconds_over += elapsed
        lines, machine = watch.lines, watch.machine
        before = machine.level
        if value >= lines.stay[0] or watch.slope > 0.0 or before:
            called = watch.level_called(value, 1.0, lines.enter)
            stay = watch.level_called(value, SLOPE_CLEAR, lines.stay)
            if machine.update(now, called, stay) is not before:
                self.changes += 1
        else:
            machine.update(now, 0, 0)
        over = value > watch.limit
        if over or watch.over or watch.violation is not None:
            self._follow(watch, value, elapsed, time, over=over)
        watch.over = over

    def _follow(
        self, watch: _Watch, value: float, elapsed: float, time: float, *, over: bool
    ) -> None:
        """Start, extend or end the violation of a limit; `elapsed` since the last value."""
        violation = watch.violation
        if violation is None:
            if over and watch.over_since is not None:
                started, first = watch.over_since
                resource = watch.resource
                violation = Violation(
                    resource.name, resource.unit, watch.limit, started, peak=max(first, value)
                )
                violation.seconds_over = elapsed
                watch.violation = violation
                watch.within_since = None
                self._keep(violation)
            watch.over_since = (time, value) if over else None
            return
        if watch.over:
            violation.seconds_over += elapsed
        if over:
            violation.peak = max(violation.peak, value)
            watch.within_since = None
        elif watch.within_since is None:
            watch.within_since = time
        else:
            violation.ended = watch.within_since
            watch.violation = watch.over_since = None

    def _keep(self, violation: Violation) -> None:
        if len(self.violations) >= KEPT_VIOLATIONS:
            del self.violations[0]
        self.violations_begun += 1
        self.changes += 1
        self.violations.append(violation)
