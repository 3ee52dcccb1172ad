"""One tick, in pure order.

Each tick, **sensors** produce one immutable **sample**; **history** keeps it;
**limits** (own, or granted by **sharing**) judge it; a **strategy** reads history
and limits and returns a **decision**; **actuators** carry it out and measure
whether it helped; **telemetry** tells what was seen and done.

Every part is injected, so the same engine serves live runs, replay and
simulation. It has no thread and no clock of its own: `loop` says when, the
sample says what time it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from amptalk.history.history import History
from amptalk.history.recent import RecentSlope
from amptalk.limits.judge import Judge
from amptalk.model.action import ActionReport
from amptalk.model.announcement import Announcement
from amptalk.model.decision import Decision, Observation, Strategy
from amptalk.model.level import Level, LimitState, Violation, as_measured
from amptalk.model.sample import Sample
from amptalk.model.tick import Tick
from amptalk.telemetry.effectiveness import Effectiveness

FASTEST_TICK = 0.05
"""Seconds between ticks when a limit is about to be reached."""
TICKS_TO_LIMIT = 4
"""At least this many ticks shall fit before a limit is reached at the present growth."""
NOTED_SHARE_CHANGE = 0.1
"""An allocation that moved this far since it was last noted becomes an event."""


class Sensors(Protocol):
    """What the engine needs of `sensors.suite.SensorSuite`."""

    rates_fresh: bool

    def read(self) -> Sample:
        """Read the machine."""

    def refine_memory(self) -> Sample:
        """Read the application's memory by the exact, dearer way where that is due."""


class Actuators(Protocol):
    """What the engine needs of `actuators.actuation.Actuation`."""

    acting: bool
    """False when decisions are only made, not carried out."""

    def announced(self, sample: Sample) -> tuple[Announcement, ...]:
        """Demand that is known to come and that the sample does not show yet."""

    def carry_out(
        self, sample: Sample, limits: tuple[LimitState, ...], decision: Decision
    ) -> tuple[ActionReport, ...]:
        """Act on a decision; returns what was verified in this tick."""


class Sharing(Protocol):
    """What the engine needs of `sharing.book.ComponentBook`."""

    granted: Mapping[str, Mapping[str, float]]
    """By resource, what each component of this process may hold."""
    limits: Mapping[str, float]
    """Where other processes share, what this one may use in all."""

    def divide(self, capacities: Mapping[str, float], sample: Sample) -> None:
        """Have components share so much of each limit; callbacks and files are not waited for."""


class Parts(NamedTuple):
    """What an engine is made of."""

    sensors: Sensors
    history: History
    judge: Judge
    strategy: Strategy
    actuators: Actuators
    sharing: Sharing
    effectiveness: Effectiveness


class Engine:
    """Ties the parts together, one `tick` at a time. Not thread-safe: one caller at a time."""

    def __init__(
        self,
        parts: Parts,
        interval: float,
        listeners: Sequence[Callable[[Tick], None]] = (),
    ) -> None:
        self.parts = parts
        self._interval = interval
        self._listeners = tuple(listeners)
        self._slopes: dict[str, RecentSlope] = {}
        self._columns: tuple[tuple[int, RecentSlope], ...] = ()
        self.resources_changed()
        self._last_monotonic = float("nan")
        self._granted: Mapping[str, float] = {}
        self._levels: dict[str, Level] = {}
        self._changes = self._violations = 0
        self._noted: Decision | None = None
        """The decision whose shares were last compared with the noted ones."""
        self._noted_shares: dict[str, float] = {}
        self.last: Tick | None = None
        self.strategy_errors = 0
        """How often the strategy raised; the decision before it was kept."""

    def resources_changed(self) -> None:
        """Follow what the judge judges from now on."""
        holds = self.parts.judge.holds
        self._slopes = {field: self._slopes.get(field) or RecentSlope() for field, _ in holds}
        self._columns = tuple((at, self._slopes[field]) for field, at in holds)

    def tick(self) -> float:
        """Run one tick and return the seconds until the next one."""
        started = time.perf_counter()
        parts = self.parts
        sample = parts.sensors.read()
        rates_fresh = parts.sensors.rates_fresh
        if parts.judge.preview(sample) > Level.ELEVATED:
            sample = parts.sensors.refine_memory()
        sampling_seconds = time.perf_counter() - started
        parts.history.append(sample)
        now, row = sample.monotonic, sample.row
        for position, recent in self._columns:
            recent.add(now, row[position])
        if parts.sharing.limits is not self._granted:
            self._follow_grants(parts.sharing.limits)
        limits = parts.judge.judge(sample, self._slope_of, rates_fresh=rates_fresh)
        elapsed = now - self._last_monotonic
        if not elapsed > 0:  # also the nan of the first tick
            elapsed = self._interval
        self._last_monotonic = now
        decision = self._decide(sample, elapsed, limits)
        reports = parts.actuators.carry_out(sample, limits, decision)
        if decision.divided is not None and parts.actuators.acting:
            parts.sharing.divide(decision.divided, sample)
        parts.effectiveness.add(now, elapsed, limits, decision)
        self._note(sample, limits, decision, reports)
        seconds = time.perf_counter() - started
        tick = Tick(sample, limits, decision, reports, seconds, sampling_seconds)
        self.last = tick
        for listener in self._listeners:
            listener(tick)
        return self._next_interval(limits, decision)

    def _follow_grants(self, limits: Mapping[str, float]) -> None:
        """Judge by what this process is granted, where it shares limits with others."""
        self._granted = limits
        judged = {resource.name for resource in self.parts.judge.resources}
        for name, limit in limits.items():
            if name in judged and limit > 0.0:
                self.parts.judge.replace_limit(name, limit)

    def _slope_of(self, field: str) -> float:
        recent = self._slopes.get(field)
        return recent.slope() if recent is not None else 0.0

    def _decide(self, sample: Sample, elapsed: float, limits: tuple[LimitState, ...]) -> Decision:
        parts = self.parts
        observation = Observation(
            now=sample.monotonic,
            interval=elapsed,
            limits=limits,
            announcements=parts.actuators.announced(sample),
            granted=parts.sharing.granted,
            history=parts.history,
        )
        try:
            return parts.strategy.decide(observation)
        except Exception as error:  # noqa: BLE001 - a strategy may be the user's own
            self.strategy_errors += 1
            if self.strategy_errors == 1:
                parts.history.note(
                    "strategy_error",
                    time.time(),
                    strategy=parts.strategy.name,
                    error=f"{type(error).__name__}: {error}",
                    consequence="the last decision is kept",
                )
            return self.last.decision if self.last else Decision(parts.strategy.name, ())

    def _next_interval(self, limits: tuple[LimitState, ...], decision: Decision) -> float:
        """The strategy's wish, or sooner when a limit comes near; never above the nominal."""
        interval = self._interval
        if decision.interval is not None and decision.interval < interval:
            interval = decision.interval
        for state in limits:
            if 0 < state.time_to_limit < TICKS_TO_LIMIT * interval:
                interval = state.time_to_limit / TICKS_TO_LIMIT
        return max(FASTEST_TICK, interval)

    def _note(
        self,
        sample: Sample,
        limits: tuple[LimitState, ...],
        decision: Decision,
        reports: tuple[ActionReport, ...],
    ) -> None:
        """Turn changes into events; does nothing in a tick in which nothing changed."""
        changes = self.parts.judge.changes
        if changes != self._changes:
            self._changes = changes
            self._note_limits(limits, sample.time)
        if decision is not self._noted:
            self._noted = decision
            self._note_shares(decision, sample.time)
        for report in reports:
            self._note_report(report, limits)

    def _note_limits(self, limits: tuple[LimitState, ...], time: float) -> None:
        note, judge = self.parts.history.note, self.parts.judge
        for state in limits:
            name = state.resource.name
            old = self._levels.get(name, Level.NORMAL)
            if state.level is not old:
                note(
                    "level", time, resource=name, level=state.level.label, was=old.label,
                    value=state.measured, limit=state.limit, unit=state.resource.unit,
                )  # fmt: skip
        self._levels = {state.resource.name: state.level for state in limits}
        begun = judge.violations_begun - self._violations
        self._violations = judge.violations_begun
        for violation in judge.violations[-begun:] if begun else ():
            note(
                "violation", time, resource=violation.resource, limit=violation.limit,
                unit=violation.unit, peak=violation.peak,
            )  # fmt: skip

    def _note_shares(self, decision: Decision, time: float) -> None:
        for allocation in decision.allocations:
            noted = self._noted_shares.get(allocation.resource, 1.0)
            share = allocation.share
            if abs(share - noted) >= NOTED_SHARE_CHANGE or (share == 1.0 != noted):
                self._noted_shares[allocation.resource] = share
                self.parts.history.note(
                    "allocation", time, resource=allocation.resource,
                    share=round(share, 4), was=round(noted, 4), reason=allocation.reason,
                )  # fmt: skip

    def _note_report(self, report: ActionReport, limits: tuple[LimitState, ...]) -> None:
        self.parts.effectiveness.report(report)
        before, after = report.before, report.after
        for state in limits:
            if state.resource.minimum and state.resource.name == report.resource:
                before = as_measured(state.resource, before, state.limit)
                after = as_measured(state.resource, after, state.limit)
        self.parts.history.note(
            "action", report.started, action=report.action, resource=report.resource,
            unit=report.unit, level=report.level.label, seconds=round(report.seconds, 6),
            before=before, after=after, expected=report.expected,
            verdict=report.verdict.value, detail=report.detail,
        )  # fmt: skip
        for violation in self.parts.judge.violations:
            # The first that it was begun in; a later one may have come before it was measured.
            if _concerns(report, violation):
                violation.actions.append(f"{report.action}: {report.verdict.value}")
                break


def _concerns(report: ActionReport, violation: Violation) -> bool:
    """Whether an action, measured now, was under way during a violation of the same resource.

    It may have begun before it, such as a knob that moved when the limit came near.
    """
    if report.resource != violation.resource:
        return False
    return violation.ended is None or report.started <= violation.ended
