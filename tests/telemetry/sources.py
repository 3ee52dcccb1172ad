"""Managers as telemetry sees them, without a manager."""

from __future__ import annotations

import math
from collections.abc import Mapping

from amptalk.model.action import ActionReport, Verdict
from amptalk.model.decision import Allocation, Decision
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import MEMORY, TEMPERATURE, Resource
from amptalk.model.sample import FIELDS, INDEX, Sample
from amptalk.model.tick import Tick


def sample(values: Mapping[str, float], time: float = 0.0) -> Sample:
    row = [math.nan] * len(FIELDS)
    for name, value in values.items():
        row[INDEX[name]] = value
    return Sample(1_700_000_000.0 + time, 1000.0 + time, tuple(row))


def state(resource: Resource, value: float, limit: float, **changes: object) -> LimitState:
    return LimitState(
        resource, limit, value, Level.ELEVATED, fresh=True, blind=False, slope=0.0,
        time_to_limit=math.inf,
    )._replace(**changes)  # type: ignore[arg-type]  # fmt: skip


class FakeManager:
    """A source whose last values are set by the test."""

    def __init__(self, name: str, values: Mapping[str, float]) -> None:
        self.name = name
        self.sample: Sample | None = sample(values)
        self.limits: tuple[LimitState, ...] = (
            state(MEMORY, 750.0, 1000.0, time_to_limit=12.5),
            state(TEMPERATURE, 70.0, 80.0, level=Level.NORMAL),
        )
        self.decision = Decision("dynamic", (Allocation("memory", 0.4, "too near the limit"),))

    def latest(self) -> Tick | None:
        if self.sample is None:
            return None
        return Tick(self.sample, self.limits, self.decision, (), 0.0, 0.0)


def report(action: str = "gc", verdict: Verdict = Verdict.WORKED) -> ActionReport:
    return ActionReport(
        action, "memory", "MB", Level.CRITICAL, 0.0, 0.1, 100.0, 50.0, 40.0, verdict
    )


def tick(seconds: float = 0.002, *reports: ActionReport) -> Tick:
    return Tick(sample({}), (), Decision("dynamic", ()), reports, seconds, seconds / 2)
