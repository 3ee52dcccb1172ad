"""Samples, limit states and decisions made by hand for one or two resources."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from amptalk.actuators.actuation import Actuation
from amptalk.actuators.contract import Actuator
from amptalk.clock import VirtualClock
from amptalk.model.action import ActionReport
from amptalk.model.decision import Allocation, Decision
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import CPU, MEMORY, Resource
from amptalk.model.sample import FIELDS, INDEX, Sample
from tests.helpers import eventually

LIMITS = ((MEMORY, 1000.0), (CPU, 100.0))


def state(
    value: float,
    level: Level = Level.NORMAL,
    *,
    resource: Resource = MEMORY,
    limit: float = 1000.0,
    fresh: bool = True,
    slope: float = 0.0,
) -> LimitState:
    left = 0.0 if value >= limit else (limit - value) / slope if slope > 0 else math.inf
    return LimitState(resource, limit, value, level, fresh, math.isnan(value), slope, left)


def sample(now: float, **values: float) -> Sample:
    row = [math.nan] * len(FIELDS)
    for name, value in values.items():
        row[INDEX[name]] = value
    return Sample(1_700_000_000.0 + now, now, tuple(row))


def decision(**shares: float) -> Decision:
    return Decision(
        "test", tuple(Allocation(name, share, "because") for name, share in shares.items())
    )


class Step(Actuator):
    """An actuator that does what it is told."""

    def __init__(
        self,
        name: str = "step",
        do: Callable[[float], object] | None = None,
        *,
        resource: str = "memory",
        level: Level = Level.CRITICAL,
        cost: float = 0.0,
        latency: float = 0.0,
        expected: float | None = None,
        deadline: float = 2.0,
    ) -> None:
        self.name = name
        self.resource = resource
        self.level = level
        self.cost = cost
        self.latency = latency
        self.expected = expected
        self.deadline = deadline
        self.calls: list[float] = []
        self.undone = 0
        self._do = do

    def apply(self, need: float) -> None:
        self.calls.append(need)
        if self._do is not None:
            self._do(need)

    def undo(self) -> None:
        self.undone += 1


class World:
    """A virtual application: its memory is a number, time is virtual, threads are real."""

    def __init__(
        self, handling: str = "degrade", limits: Sequence[tuple[Resource, float]] = LIMITS
    ) -> None:
        self.clock = VirtualClock()
        self.actuation = Actuation(self.clock, handling, limits)
        self.memory = 400.0
        self.level = Level.NORMAL

    def tick(self, seconds: float = 1.0, **shares: float) -> tuple[ActionReport, ...]:
        now = self.clock.advance(seconds)
        limits = (state(self.memory, self.level), state(50.0, resource=CPU, limit=100.0))
        return self.actuation.carry_out(
            sample(now, memory_used_mb=self.memory), limits, decision(**shares)
        )

    def pressed(self, value: float = 900.0, level: Level = Level.CRITICAL) -> None:
        self.memory, self.level = value, level

    def calm(self) -> None:
        eventually(lambda: not self.actuation.runner.threads.active, "actions came back")

    def take(self, amount: float) -> Callable[[], None]:
        def release() -> None:
            self.memory -= amount

        return release
