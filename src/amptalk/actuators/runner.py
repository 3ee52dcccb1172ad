"""Carry actuators out off the tick and verify them by measurement.

A step is *in flight* from its start until its verdict. The runner does not choose
(`planner`) and does not judge (`verdicts`); it keeps the time, the measurements
before and after, and what is known of each actuator.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from amptalk.actuators.contract import Actuator
from amptalk.actuators.threads import ActionThreads, Call
from amptalk.actuators.verdicts import (
    NEVER_MEASURED,
    Measure,
    Measurement,
    Record,
    judge,
    judge_growth,
    noise_floor,
    smallest_change,
)
from amptalk.clock import Clock
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.level import Level, LimitState

PATIENCE = 10.0
"""Seconds after settling in which a newer measurement must come, else "unverifiable"."""
_LATELY = 2.0
"""Seconds for which what is used beside running work is known at the start of a step."""
_BESIDE = "measured of what is used beside admitted work"
_NO_REPORTS: list[ActionReport] = []


class _Step:
    """One actuator's run between start and verdict."""

    __slots__ = (
        "action", "actuator", "before", "beside", "call", "denied", "level", "need", "slope",
        "smallest", "started", "together", "undoing", "unit", "wall",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917 - what is known at the start
        self,
        actuator: Actuator,
        call: Call,
        state: LimitState,
        need: float,
        now: float,
        wall: float,
    ) -> None:
        self.actuator = actuator
        self.call = call
        self.action = actuator.name
        self.before = state.value
        self.slope = state.slope
        self.smallest = smallest_change(state.resource, state.limit)
        self.unit = state.resource.unit
        self.level: Level = state.level
        self.need = need
        self.started = now
        self.wall = wall
        self.beside = False
        """Whether what is used beside running work is measured, not all of it."""
        self.together: set[str] = set()
        self.undoing = False
        self.denied = False

    def report(self, after: float, verdict: Verdict, detail: str) -> ActionReport:
        call = self.call
        seconds = (call.finished if call.done else self.started + call.deadline) - self.started
        how = _BESIDE if self.beside and self.actuator.measured is None else ""
        return ActionReport(
            self.action, self.actuator.resource, self.unit, self.level, self.wall,
            max(0.0, seconds), self.before, after, self.actuator.expected, verdict,
            "; ".join(part for part in (detail, how, self.actuator.detail) if part),
        )  # fmt: skip


class ActionRunner:
    """Starts actuators on action threads and reports what measurement says of them.

    `start`, `undo` and `poll` belong to the tick's thread; `call` may be used by any.

    `beside` measures what is used of a resource beside work that was admitted by known amounts,
    `nan` without such work. Where it is known a step is judged by that: batches that come and go
    would hide, or make up, its effect.
    """

    def __init__(self, clock: Clock, beside: Measure = lambda _resource: NEVER_MEASURED) -> None:
        self.threads = ActionThreads(clock)
        self._beside = beside
        self._steps: list[_Step] = []
        self._records: dict[str, Record] = {}

    # -- starting ---------------------------------------------------------------

    def call(self, key: str, function: Callable[[], object], deadline: float) -> Call | None:
        """Call a function off the tick; see `ActionThreads.call`. Nothing is measured."""
        return self.threads.call(key, function, deadline)

    def start(
        self, actuator: Actuator, need: float, state: LimitState, now: float, wall: float
    ) -> bool:
        """Carry out an actuator for a limit; false when its last run has not come back."""
        call = self.threads.call(actuator.name, lambda: actuator.apply(need), actuator.deadline)
        if call is None:
            return False
        step = _Step(actuator, call, state, need, now, wall)
        beside = self._beside(actuator.resource)
        if beside.measured_at > now - _LATELY:
            step.beside, step.before, step.slope = True, beside.value, 0.0
        for other in self._steps:
            if other.actuator.resource == actuator.resource and not other.undoing:
                other.together.add(actuator.name)
                step.together.add(other.actuator.name)
        self._steps.append(step)
        return True

    def undo(self, actuator: Actuator, state: LimitState, now: float, wall: float) -> Call | None:
        """Take an actuator back; reported only when that fails.

        `None` while it is still running, and for a while after taking it back has failed twice.
        """
        action = f"{actuator.name} (restore)"
        if self._quarantine(action, now):
            return None
        call = self.threads.call(actuator.name, actuator.undo, actuator.deadline)
        if call is None:
            return None
        step = _Step(actuator, call, state, 0.0, now, wall)
        step.action = action
        step.undoing = True
        self._steps.append(step)
        return call

    # -- what is known ----------------------------------------------------------

    @property
    def busy(self) -> bool:
        """True while `poll` may have something to do."""
        return bool(self._steps) or self.threads.active

    @property
    def in_flight(self) -> set[str]:
        """Resources with a step that is not verified yet, one past its deadline left out."""
        return {
            step.actuator.resource
            for step in self._steps
            if not step.denied and not step.undoing
        }  # fmt: skip

    @property
    def learned(self) -> dict[str, float]:
        """Measured effect of each actuator that ran alone, in its resource's unit."""
        return {
            name: record.effect
            for name, record in self._records.items()
            if record.effect is not None
        }

    def unavailable(self, actuator: Actuator, now: float) -> str | None:
        """Return why an actuator cannot be started now, `None` when it can."""
        if self.threads.busy(actuator.name):
            return "its last run has not come back"
        why = self._quarantine(actuator.name, now)
        if why:
            return why
        if any(step.actuator is actuator and not step.undoing for step in self._steps):
            return "its last run is not verified yet"
        try:
            return actuator.available()
        except Exception as error:  # noqa: BLE001 - an actuator may be the application's own
            return f"available() raised {type(error).__name__}: {error}"

    def _quarantine(self, action: str, now: float) -> str:
        """How long an action is in quarantine still, empty when it is not."""
        record = self._records.get(action)
        if record is None or record.until <= now:
            return ""
        left = record.until - now
        return f"in quarantine for {left:.0f} s after {record.failures} failures in a row"

    # -- verifying --------------------------------------------------------------

    def poll(self, now: float, measure: Measure) -> list[ActionReport]:
        """Return reports on steps that were verified, ended or missed their deadline.

        Once a tick: `now` is the monotonic time of the newest sample, `measure` gives its
        values.
        """
        if not self.busy:
            return _NO_REPORTS
        self.threads.check(now)
        reports = []
        for step in tuple(self._steps):
            report, ended = self._verify(step, now, measure)
            if report is not None:
                reports.append(report)
            if ended:
                self._steps.remove(step)
        return reports

    def forget_steps(self) -> None:
        """Drop steps that are not verified: nothing measures any more."""
        self._steps.clear()

    def freeze(self) -> None:
        """Become inert in a forked child."""
        self.threads.freeze()
        self._steps.clear()

    def _verify(
        self, step: _Step, now: float, measure: Measure
    ) -> tuple[ActionReport | None, bool]:
        """Report on a step if there is one now, and whether the step is over."""
        call = step.call
        if not call.done:
            if step.denied or not call.overdue:
                return None, False
            step.denied = True
            detail = f"missed its deadline of {call.deadline:g} s, still running"
            return self._deny(step, now, detail), False
        if step.denied or step.undoing or call.error is not None:
            return self._ended(step, now, measure), True
        seen = self._seen(step, measure)
        settled = call.finished + step.actuator.latency
        if math.isnan(seen.value) or not call.finished < seen.measured_at >= settled:
            if now < settled + PATIENCE:
                return None, False
            detail = f"no measurement of {step.actuator.resource} within {PATIENCE:g} s afterwards"
            return step.report(math.nan, Verdict.UNVERIFIABLE, detail), True
        return self._conclude(step, seen, now), True

    def _seen(self, step: _Step, measure: Measure) -> Measurement:
        """The newest measurement of what a step is judged by; of all while no work runs."""
        seen = self._beside(step.actuator.resource) if step.beside else NEVER_MEASURED
        return measure(step.actuator.resource) if math.isnan(seen.value) else seen

    def _ended(self, step: _Step, now: float, measure: Measure) -> ActionReport | None:
        """Report on a step whose effect is not judged: late, raised or taken back."""
        call = step.call
        if step.denied:
            how = f"raised {call.error}" if call.error else "finished"
            detail = (
                f"{how} late, after {call.finished - call.started:.1f} s with a deadline of "
                f"{call.deadline:g} s: what it changed cannot be told from everything else since"
            )
            after = measure(step.actuator.resource).value
            return step.report(after, Verdict.UNVERIFIABLE, detail)
        return None if call.error is None else self._deny(step, now, f"raised {call.error}")

    def _conclude(self, step: _Step, seen: Measurement, now: float) -> ActionReport:
        actuator, after = step.actuator, seen.value
        if actuator.measured is not None:
            step.before, after = actuator.measured
        record = self._record(actuator.name)
        noise = noise_floor(step.before, step.smallest)
        growth = max(0.0, step.slope) * (seen.measured_at - step.started)
        if actuator.ends_growth:
            verdict = judge_growth(step.before, after, growth, step.smallest)
        else:
            verdict = judge(step.before, after, step.need, actuator.expected, step.smallest)
        if actuator.measured is not None:
            growth = 0.0
        record.add(verdict, now, step.before + growth - after, noise)
        remarks = []
        if step.together and actuator.measured is None:
            remarks.append(f"measured together with {', '.join(sorted(step.together))}")
        elif verdict is not Verdict.UNVERIFIABLE and not actuator.ends_growth:
            record.learn(step.before - after)
        if growth > noise:
            remarks.append(f"use was growing by {step.slope:.1f} {step.unit}/s at its start")
        return step.report(after, verdict, "; ".join(remarks))

    def _deny(self, step: _Step, now: float, detail: str) -> ActionReport:
        self._record(step.action).add(Verdict.DENIED, now)
        return step.report(math.nan, Verdict.DENIED, detail)

    def _record(self, name: str) -> Record:
        return self._records.setdefault(name, Record())
