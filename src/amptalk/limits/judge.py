"""Judge a sample by the limits: levels, time to the limit, violations.

Pure: time is the sample's. It neither reads the machine nor acts; thresholds are
in `thresholds`, the movement of levels in `levels`, what is remembered of one limit
in `watch`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from amptalk.limits.thresholds import SLOPE_CLEAR, STALE_PERIODS
from amptalk.limits.watch import LimitWatch
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level, LimitState, Violation, as_measured, turned
from amptalk.model.resource import Resource
from amptalk.model.sample import INDEX, Sample

KEPT_VIOLATIONS = 1000
_LONGEST_PERIOD = 60.0
_LEVELS = tuple(Level)


class Judge:
    """Judges each sample by every limit; remembers levels and violations.

    `limits` pairs resources with limits in their unit, `interval` is the nominal
    seconds between samples, `index` says where a sample's row has each field. A value
    is *fresh* when it was measured since the last judgement; one that is missing or older
    than three of its periods is *blind* and changes no level. While one is missing its
    state is the same object, tick by tick.
    """

    def __init__(
        self,
        limits: Sequence[tuple[Resource, float]],
        interval: float,
        index: Mapping[str, int] = INDEX,
    ) -> None:
        self._interval = interval
        self._watches: tuple[LimitWatch, ...] = ()
        self.violations: list[Violation] = []
        """Newest violations, the ongoing ones included, oldest first."""
        self.violations_begun = 0
        """How many violations there were, those no longer kept included."""
        self.changes = 0
        """Grows with every level that moves and every violation that begins."""
        self._set([LimitWatch(resource, limit, interval, index) for resource, limit in limits])

    def _set(self, watches: Sequence[LimitWatch]) -> None:
        self._watches = tuple(watches)
        self._previewed = tuple(watch for watch in watches if watch.is_hold and not watch.sporadic)
        self._by_name = {watch.resource.name: watch for watch in watches}
        self.resources = tuple(watch.resource for watch in watches)
        """The resources judged, in the order of the limits."""
        self.holds = tuple((watch.field, watch.at) for watch in watches if watch.is_hold)
        """Fields that `judge` wants to know the growth of, and where a row has them."""

    def add(self, resource: Resource, limit: float, index: Mapping[str, int]) -> None:
        """Judge one resource more, such as a signal; `index` says where the row has it now.

        A signal has no value in every tick: silence for some of its own periods, at least
        15 s, leaves its level as it is and is no blindness. Raises `ConfigurationError` for a
        limit out of range.
        """
        self._set([*self._watches, LimitWatch(resource, limit, self._interval, index)])

    def remove(self, resource: str) -> None:
        """Judge a resource no longer; its ongoing violation ends with the last value."""
        watch = self._by_name[resource]
        watch.end_violation()
        self._set([other for other in self._watches if other is not watch])
        self.changes += 1

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
                states.append(watch.missing or watch.miss(now))
                continue
            if watch.is_minimum:
                value = turned(value, watch.limit)
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
        for watch in self._previewed:
            value = row[watch.at]
            if value >= watch.floor:
                highest = max(highest, watch.level_called(value, 1.0, watch.lines.enter))
        return _LEVELS[highest]

    def forget(self) -> None:
        """Begin anew after a stop: levels are normal; violations end where measuring ended.

        The list of violations and the totals stay.
        """
        for watch in self._watches:
            watch.end_violation()
            watch.forget()
        self.changes += 1

    def _take(self, watch: LimitWatch, value: float, now: float, time: float) -> None:
        elapsed = now - watch.measured_at
        watch.measured_at = now
        watch.time = time
        watch.value = value
        watch.samples += 1
        watch.missing = None
        if elapsed > STALE_PERIODS * watch.period or watch.blind:
            # Nothing is known of the time between, so it counts for nothing.
            watch.machine.resume(now)
            watch.blind = False
            elapsed = min(elapsed, watch.period)
        if elapsed < _LONGEST_PERIOD:
            watch.period = max(watch.least_period, elapsed)
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
        self, watch: LimitWatch, value: float, elapsed: float, time: float, *, over: bool
    ) -> None:
        """Start, extend or end the violation of a limit; `elapsed` since the last value."""
        violation = watch.violation
        if violation is None:
            if over and watch.over_since is not None:
                started, first = watch.over_since
                resource = watch.resource
                watch.peak = max(first, value)
                violation = Violation(
                    resource.name, resource.unit, watch.limit, started,
                    peak=as_measured(resource, watch.peak, watch.limit),
                )  # fmt: skip
                violation.seconds_over = elapsed
                watch.violation = violation
                watch.within_since = None
                self._keep(violation)
            watch.over_since = (time, value) if over else None
            return
        if watch.over:
            violation.seconds_over += elapsed
        if over:
            if value > watch.peak:
                watch.peak = value
                violation.peak = as_measured(watch.resource, value, watch.limit)
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
