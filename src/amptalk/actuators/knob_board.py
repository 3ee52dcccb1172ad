"""The board moves all knobs of a manager to each decision's allocations.

For moves downwards it reports what measurement said afterwards. One knob's arithmetic
is in `knobs`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection

from amptalk.actuators.amounts import resource_name
from amptalk.actuators.knobs import Knob, make_knob, same_knob
from amptalk.actuators.planner import need_of
from amptalk.actuators.runner import PATIENCE, ActionRunner
from amptalk.actuators.threads import Call
from amptalk.actuators.verdicts import Measure, judge, smallest_change
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.decision import Decision
from amptalk.model.level import Level, LimitState

SETTLE = {"rate": 2.0, "hold": 5.0, "temperature": 30.0}
"""Seconds after a move until its effect shows, by the kind of resource."""
SHORTEST_REPORT_PAUSE = 5.0
"""Seconds between two reports on one knob; moves in between are told as one."""
CHANGE_DEADLINE = 2.0
"""Seconds that `on_change` may take."""


class _Move:
    """A way downwards that is not reported yet."""

    __slots__ = ("first", "highest", "last", "need", "reason", "start", "state", "wall")

    def __init__(  # noqa: PLR0917 - what is known at its start
        self, start: float, state: LimitState, need: float, reason: str, now: float, wall: float
    ) -> None:
        self.start = start
        self.state = state
        self.highest = state.value
        """Use may go on growing while the knob moves: this is what it came down from."""
        self.need = need
        self.reason = reason
        self.first = self.last = now
        self.wall = wall

    def report(self, knob: Knob, after: float) -> ActionReport:
        state = self.state
        resource = state.resource
        return ActionReport(
            f"knob {knob.name}: {self.start:g}→{knob.value:g}", resource.name, resource.unit,
            state.level, self.wall, 0.0, self.highest, after, None,
            judge(self.highest, after, self.need, None, smallest_change(resource, state.limit)),
            self.reason,
        )  # fmt: skip


class KnobBoard:
    """All knobs of a manager. `create` is thread-safe, the rest belongs to the tick."""

    def __init__(self, runner: ActionRunner, resources: Collection[str]) -> None:
        self._runner = runner
        self._resources = resources
        self._lock = threading.Lock()
        self._knobs: dict[str, Knob] = {}
        self._listening: tuple[Knob, ...] = ()
        self._shares: dict[str, float] | None = None
        self._moves: dict[str, _Move] = {}
        self._reported: dict[str, float] = {}
        self._calls: dict[str, Call] = {}

    def create(
        self,
        name: str,
        *,
        minimum: float,
        maximum: float,
        resource: str | None = None,
        step: float = 1,
        start: float | None = None,
        on_change: Callable[[float], object] | None = None,
    ) -> Knob:
        """Return a knob, the existing one for the same name and description.

        It starts at `start` (default the maximum) and follows the allocation of
        `resource`, or the smallest of all for `None`, from the next decision on.
        `on_change(value)` is called off the tick, with the latest value only. Raises
        `ConfigurationError` for values out of range or the same name with another
        description.
        """
        if resource is not None:
            resource_name(resource, self._resources, f"knob {name!r}")
        knob = make_knob(name, minimum, maximum, resource, step, on_change, start)
        with self._lock:
            known = self._knobs.get(name)
            if known is not None:
                return same_knob(known, knob)
            self._knobs = {**self._knobs, name: knob}
            if on_change is not None:
                self._listening = (*self._listening, knob)
            self._shares = None
        return knob

    def holding(self, resource: str) -> bool:
        """Whether any knob follows the allocation of a resource."""
        return any(knob.resource in (resource, None) for knob in self._knobs.values())

    @property
    def pending(self) -> bool:
        """True while `settle` may have something to do."""
        return bool(self._moves or self._listening)

    def apply(
        self, decision: Decision, limits: tuple[LimitState, ...], now: float, wall: float
    ) -> None:
        """Move every knob to the decision's allocations; returns at once when none changed."""
        shares: dict[str, float] = {}
        for allocation in decision.allocations:
            name, share = allocation.resource, allocation.share
            if share < shares.get(name, 2.0):
                shares[name] = share
        if shares == self._shares:
            return
        self._shares = shares
        for knob in self._knobs.values():
            if knob.frozen:
                continue
            resource = knob.resource or min(shares, key=shares.__getitem__, default="")
            value = knob.value_at(shares.get(resource, 1.0))
            if value < knob.value:
                self._note(knob, resource, decision, limits, now, wall)
            knob.value = value

    def settle(self, now: float, wall: float, measure: Measure) -> list[ActionReport]:
        """Call `on_change` where due; reports on moves downwards that can be judged now."""
        reports = self._tell(wall) if self._listening else []
        for name, move in tuple(self._moves.items()):
            knob = self._knobs[name]
            if knob.value >= move.start:
                del self._moves[name]
                continue
            resource = move.state.resource
            seen = measure(resource.name)
            move.highest = max(move.highest, seen.value)
            pause = SETTLE[resource.kind]
            ready = min(move.last + pause, move.first + pause + SHORTEST_REPORT_PAUSE)
            if now < max(ready, self._reported.get(name, -math.inf) + SHORTEST_REPORT_PAUSE):
                continue
            after = seen.value
            if math.isnan(after) or seen.measured_at < ready:
                if now < ready + PATIENCE:
                    continue
                after = math.nan
            del self._moves[name]
            self._reported[name] = now
            reports.append(move.report(knob, after))
        return reports

    def release(self) -> None:
        """Move every knob to its maximum and tell the listeners; nothing is measured."""
        self._shares = None
        self._moves.clear()
        for knob in self._knobs.values():
            if not knob.frozen:
                knob.value = knob.maximum
        self._tell(math.nan)

    def freeze(self) -> None:
        """Leave every knob where it is for good: this is a forked child."""
        self._lock = threading.Lock()  # the parent may have held it
        self._listening = ()
        self._moves.clear()
        for knob in self._knobs.values():
            knob.frozen = True

    def _note(  # noqa: PLR0917 - one tick's view of a move
        self, knob: Knob, resource: str, decision: Decision, limits: tuple[LimitState, ...],
        now: float, wall: float,
    ) -> None:  # fmt: skip
        """Remember a move downwards, or that one goes on."""
        move = self._moves.get(knob.name)
        if move is not None:
            move.last = now
            return
        state = next((state for state in limits if state.resource.name == resource), None)
        if state is None:
            return
        reason = next((a.reason for a in decision.allocations if a.resource == resource), "")
        self._moves[knob.name] = _Move(knob.value, state, need_of(state), reason, now, wall)

    def _tell(self, wall: float) -> list[ActionReport]:
        """Have `on_change` called for each knob that moved; reports on those that raised."""
        reports = []
        for knob in self._listening:
            call = self._calls.get(knob.name)
            if call is not None and call.done:
                del self._calls[knob.name]
                if call.error is not None:
                    reports.append(_raised(knob, call, wall))
            if knob.untold:
                started = self._runner.call(f"knob {knob.name}", knob.tell, CHANGE_DEADLINE)
                if started is not None:
                    self._calls[knob.name] = started
        return reports


def _raised(knob: Knob, call: Call, wall: float) -> ActionReport:
    """Report on an `on_change` that raised."""
    return ActionReport(
        f"knob {knob.name}: on_change", knob.resource or "", "", Level.NORMAL, wall,
        call.finished - call.started, math.nan, math.nan, None, Verdict.DENIED,
        f"raised {call.error}",
    )  # fmt: skip
