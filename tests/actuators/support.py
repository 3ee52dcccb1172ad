"""Samples, limit states and decisions made by hand for one or two resources."""

from __future__ import annotations

import math
from collections.abc import Callable

from amptalk.actuators.contract import Actuator
from amptalk.model.decision import Allocation, Decision
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import MEMORY, Resource
from amptalk.model.sample import FIELDS, INDEX, Sample


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
