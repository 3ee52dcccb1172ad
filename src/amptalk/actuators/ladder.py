"""The discrete side of acting: steps that the levels of the limits call for, and their undoing.

Which of them, the planner chooses; how they are carried out and verified is the runner's. A step
that was applied is undone when the level of its resource is normal again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from amptalk.actuators.amounts import resource_name
from amptalk.actuators.contract import Actuator
from amptalk.actuators.planner import need_of, plan
from amptalk.actuators.runner import ActionRunner
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level, LimitState


class Ladder:
    """The actuators of one manager, and which of them are applied. One tick at a time.

    `resources` are the names that an actuator may act on; it may grow and shrink.
    """

    def __init__(self, runner: ActionRunner, resources: set[str]) -> None:
        self._runner = runner
        self._resources = resources
        self._actuators: tuple[Actuator, ...] = ()
        self._applied: set[Actuator] = set()

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
    ) -> None:
        """Have `release` called when `resource` reaches `level`, and `restore` when it is over.

        `expected` is how much it gives back in the resource's unit, `cost` the loss of
        work, 0-1. What it returns does not count: the effect is measured. `release(need)`
        is told how much is wanted, when it takes an argument. Raises `ConfigurationError`
        for a name taken already or a value out of range.
        """
        from amptalk.actuators.hooks import Hook

        self.add(
            Hook(name, release, resource=resource, level=level, restore=restore,
                 expected=expected, cost=cost)
        )  # fmt: skip

    def can_hold(self, resource: str) -> bool:
        """Whether a step acts on a resource that can bring it below its limit."""
        return any(one.resource == resource and one.can_hold for one in self._actuators)

    def tick(self, limits: Iterable[LimitState], now: float, wall: float) -> None:
        """Start what the levels call for, and undo what they call for no more."""
        for state in limits:
            if state.level:
                self._step(state, now, wall)
        if self._applied:
            self._restore(limits, now, wall)

    def release(self) -> None:
        """Have everything undone that is applied; the runner's threads do it."""
        for actuator in self._applied:
            self._runner.call(actuator.name, actuator.undo, actuator.deadline)
        self._applied.clear()

    def _step(self, state: LimitState, now: float, wall: float) -> None:
        """Start what the planner chooses for one limit above normal."""
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
        need = need_of(state)
        chosen = plan(need, state.level, candidates, runner.learned, runner.in_flight, seconds)
        for actuator in chosen:
            if runner.start(actuator, need, state, now, wall):
                self._applied.add(actuator)

    def _restore(self, limits: Iterable[LimitState], now: float, wall: float) -> None:
        """Undo what was applied for limits whose level is normal again."""
        normal = {s.resource.name: s for s in limits if s.level is Level.NORMAL and not s.blind}
        for actuator in tuple(self._applied):
            state = normal.get(actuator.resource)
            if state is not None and self._runner.undo(actuator, state, now, wall):
                self._applied.discard(actuator)
