"""The discrete side of acting: steps that the levels of the limits call for, and their undoing.

Which of them, the planner chooses; how they are carried out and verified is the runner's. A step
that was applied is undone when the level of its resource is normal again. Admitted work comes and
goes, fills a limit up to the line and has its own amounts: while it runs, a step is undone once
there is room for what it gave back beside what that work needs at the least.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from amptalk.actuators.amounts import resource_name
from amptalk.actuators.contract import Actuator
from amptalk.actuators.planner import FILLED, need_of, plan
from amptalk.actuators.quality import QualityLadder
from amptalk.actuators.restart import Restart
from amptalk.actuators.runner import ActionRunner
from amptalk.actuators.threads import Call
from amptalk.clock import Clock
from amptalk.limits.thresholds import lines_for
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level, LimitState

_UNDONE_AFTER = 15.0
"""Seconds after a step until it is undone beside admitted work."""


class HeldBack(NamedTuple):
    """What proportional levers hold back for one limit now."""

    lost: float
    """Share of the work, 0-1."""
    missing: float = 0.0
    """How much of the resource the work that had to be smaller would have taken more."""
    committed: float = math.nan
    """What running work needs at the least and what is used besides; `nan` when not known."""
    declared_at: float = -math.inf
    """When work began last that said itself what it takes."""


class Ladder:
    """The actuators of one manager, and which of them are applied. One tick at a time.

    `resources` are the names that an actuator may act on; it may grow and shrink.
    """

    def __init__(self, runner: ActionRunner, resources: set[str], clock: Clock) -> None:
        self._runner = runner
        self._resources = resources
        self._clock = clock
        self._actuators: tuple[Actuator, ...] = ()
        self._applied: dict[Actuator, float] = {}
        """What is applied, and since when."""
        self._undoing: dict[Actuator, Call] = {}
        self._restarts: tuple[Restart, ...] = ()

    def add(self, actuator: Actuator) -> None:
        """Make an actuator available.

        Raises `ConfigurationError` for a name taken already and an unknown resource.
        """
        resource_name(actuator.resource, self._resources, f"actuator {actuator.name!r}")
        if any(known.name == actuator.name for known in self._actuators):
            raise ConfigurationError(
                f"an actuator named {actuator.name!r} exists already: use another name"
            )
        self._actuators = (*self._actuators, actuator)

    def hook(
        self,
        name: str,
        release: Callable[..., object],
        *,
        resource: str = "memory",
        level: Level = Level.ELEVATED,
        restore: Callable[[], object] | None = None,
        expected: float | None = None,
        cost: float = 0.1,
        seconds: float = 0.0,
        restart_seconds: float | None = None,
    ) -> None:
        """Have `release` called when `resource` reaches `level`, and `restore` when it is over.

        `expected` is how much it gives back in the resource's unit, `cost` the loss of
        work, 0-1, `seconds` how long it takes; it may take twice that, and 2 s in any case. What
        it returns does not count: the effect is measured. `release(need)` is told how much is
        wanted, when it takes an argument.

        With `restart_seconds` it restarts the application or its worker, which loses so many
        seconds of work: it is called once, when working on with less has lost enough; see
        `Restart`. Raises `ConfigurationError` for a name taken already or a value out of range.
        """
        from amptalk.actuators.hooks import Hook

        if restart_seconds is None:
            self.add(
                Hook(name, release, resource=resource, level=level, restore=restore,
                     expected=expected, cost=cost, duration=seconds)
            )  # fmt: skip
            return
        restart = Restart(name, release, resource=resource, seconds=restart_seconds)
        self.add(restart)
        self._restarts = (*self._restarts, restart)

    def quality(
        self,
        name: str,
        modes: Sequence[Any],
        apply: Callable[[Any], object],
        *,
        resource: str = "memory",
        level: Level = Level.CRITICAL,
        costs: Sequence[float] | None = None,
        expected: Sequence[float] | None = None,
        seconds: float = 0.0,
    ) -> QualityLadder:
        """Go down `modes`, the best first, from `level` of `resource` on, and back up afterwards.

        `apply(mode)` is called to go to a mode; one that raises counts as not done. Each step is
        planned, measured and learned by itself. `costs` is the loss of work of each step down,
        0-1 (default 0.1, 0.2, ...), `expected` how much each gives back in the resource's unit,
        `seconds` how long one takes. A step up is made once the level is normal, 15 s after the
        last and, of memory, only when what it takes again fits. What applies now is in `mode`.
        Raises `ConfigurationError` for a name taken already and what is out of range.
        """
        made = QualityLadder(
            name, modes, apply, self._clock, resource=resource, level=level, costs=costs,
            expected=expected, seconds=seconds,
        )  # fmt: skip
        for rung in made.rungs:
            self.add(rung)
        return made

    def can_hold(self, resource: str) -> bool:
        """Whether a step acts on a resource that can bring it below its limit."""
        return any(one.resource == resource and one.can_hold for one in self._actuators)

    def tick(
        self,
        limits: Iterable[LimitState],
        held_back: Callable[[LimitState], HeldBack],
        now: float,
        wall: float,
    ) -> None:
        """Start what the levels call for, and undo what they call for no more."""
        if self._undoing:
            self._undone()
        room: dict[str, float] = {}
        for state in limits:
            if not (state.level or self._restarts or self._applied):
                continue
            held = held_back(state)
            room[state.resource.name] = FILLED * state.limit - held.committed
            for restart in self._restarts:
                if restart.resource == state.resource.name:
                    restart.follow(state, held.lost, held.declared_at, now)
            if state.level:
                self._step(state, held, now, wall)
        if self._applied:
            self._restore(limits, room, now, wall)

    def release(self) -> None:
        """Have everything undone that is applied; the runner's threads do it."""
        for actuator in self._applied:
            self._runner.call(actuator.name, actuator.undo, actuator.deadline)
        self._applied.clear()
        self._undoing.clear()

    def _step(self, state: LimitState, held: HeldBack, now: float, wall: float) -> None:
        """Start what the planner chooses for one limit above normal.

        What work had to shrink by is a need, too, for steps that lose less than that does.
        """
        if state.blind or math.isnan(state.value):
            return
        name, runner = state.resource.name, self._runner
        candidates = [
            actuator
            for actuator in self._actuators
            if actuator.resource == name
            and actuator.level <= state.level
            and runner.unavailable(actuator, now) is None
        ]
        if not candidates:
            return
        seconds = state.time_to_limit if state.time_to_limit > 0 else math.inf
        need = need_of(state, held.committed)
        if need <= 0.0:
            need = held.missing
            candidates = [
                one for one in candidates if one.cost < held.lost or one in self._restarts
            ]
        chosen = plan(need, state.level, candidates, runner.learned, runner.in_flight, seconds)
        for actuator in chosen:
            if runner.start(actuator, need, state, now, wall):
                self._applied[actuator] = now

    def _restore(
        self, limits: Iterable[LimitState], room: Mapping[str, float], now: float, wall: float
    ) -> None:
        """Undo what was applied where the level is normal or, beside work, there is `room`."""
        known = {state.resource.name: state for state in limits if not state.blind}
        for actuator, since in tuple(self._applied.items()):
            state = known.get(actuator.resource)
            if state is None or actuator in self._undoing or actuator.stays(now):
                continue
            left = room.get(actuator.resource, math.nan)
            if math.isnan(left):
                due = state.level is Level.NORMAL and self._fits(actuator, state)
            else:
                due = now - since >= _UNDONE_AFTER and self._gave_back(actuator) <= left
            if not due or state.over:
                continue
            call = self._runner.undo(actuator, state, now, wall)
            if call is not None:
                self._undoing[actuator] = call

    def _undone(self) -> None:
        """Forget what was taken back by now; what raised is tried again."""
        for actuator, call in tuple(self._undoing.items()):
            if call.done:
                del self._undoing[actuator]
                if call.error is None:
                    self._applied.pop(actuator, None)

    def _fits(self, actuator: Actuator, state: LimitState) -> bool:
        """Whether the level stays normal when what a step gave back is taken again."""
        if not actuator.takes_again:
            return True
        line = lines_for(state.resource, state.limit).enter[0]
        return state.value + self._runner.learned.get(actuator.name, 0.0) < line

    def _gave_back(self, actuator: Actuator) -> float:
        """What a step gave back as measured, else as it promised."""
        return self._runner.learned.get(actuator.name, actuator.expected or 0.0)
