"""One tick in pure order, on made-up sensors and virtual time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from amptalk.engine import FASTEST_TICK, Engine, Parts
from amptalk.history.history import History
from amptalk.limits.judge import Judge
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.announcement import Announcement
from amptalk.model.decision import Allocation, Decision, Observation
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import CPU, MEMORY
from amptalk.model.sample import FIELDS, INDEX, Sample
from amptalk.model.tick import Tick
from amptalk.strategies.predictive import Predictive
from amptalk.telemetry.effectiveness import Effectiveness

NAN = float("nan")


class ScriptedSensors:
    """Gives the memory figures of a script, one a read; each read is `step` seconds later."""

    def __init__(self, memory_mb: list[float], step: float = 1.0, refined: float = NAN) -> None:
        self.rates_fresh = True
        self.refinements = 0
        self._script = iter(memory_mb)
        self._step = step
        self._now = 100.0
        self._refined = refined

    def _sample(self, memory_mb: float) -> Sample:
        row = [NAN] * len(FIELDS)
        row[INDEX["memory_used_mb"]] = memory_mb
        return Sample(1e9 + self._now, self._now, tuple(row))

    def read(self) -> Sample:
        self._now += self._step
        self._last = next(self._script)
        return self._sample(self._last)

    def refine_memory(self) -> Sample:
        self.refinements += 1
        return self._sample(self._last if math.isnan(self._refined) else self._refined)


class Recorded:
    """A strategy, actuators and sharing in one, that write down what they were given."""

    name = "recorded"
    acting = True

    def __init__(self, order: list[str]) -> None:
        self.order = order
        self.observations: list[Observation] = []
        self.share = 1.0
        self.interval: float | None = None
        self.divided: Mapping[str, float] | None = None
        self.applied: list[Mapping[str, float]] = []
        self.granted: Mapping[str, Mapping[str, float]] = {"memory": {"asr": 2.0}}
        self.limits: Mapping[str, float] = {}
        self.reports: tuple[ActionReport, ...] = ()
        self.error: Exception | None = None

    def decide(self, observation: Observation) -> Decision:
        self.order.append("decide")
        self.observations.append(observation)
        if self.error:
            raise self.error
        allocations = tuple(
            Allocation(state.resource.name, self.share, "scripted") for state in observation.limits
        )
        return Decision(self.name, allocations, self.interval, self.divided)

    def announced(self, sample: Sample) -> tuple[Announcement, ...]:
        return (Announcement("memory", 5.0, 1.0, 2.0),)

    def carry_out(
        self, sample: Sample, limits: tuple[LimitState, ...], decision: Decision
    ) -> tuple[ActionReport, ...]:
        self.order.append("act")
        return self.reports

    def divide(self, capacities: Mapping[str, float], sample: Sample) -> None:
        self.applied.append(capacities)


def engine_on(
    script: list[float], limit: float = 100.0, **sensors: Any
) -> tuple[Engine, Recorded, list[Tick]]:
    order: list[str] = []
    recorded = Recorded(order)
    told: list[Tick] = []

    def listener(tick: Tick) -> None:
        order.append("tell")
        told.append(tick)

    judge = Judge(((MEMORY, limit),), 1.0)
    parts = Parts(
        sensors=ScriptedSensors(script, **sensors),
        history=History(1.0),
        judge=judge,
        strategy=recorded,
        actuators=recorded,
        sharing=recorded,
        effectiveness=Effectiveness("recorded", judge),
    )
    return Engine(parts, 1.0, (listener,)), recorded, told


def run(engine: Engine, ticks: int) -> list[float]:
    return [engine.tick() for _ in range(ticks)]


def events(engine: Engine, kind: str) -> list[dict[str, Any]]:
    return [event for event in engine.parts.history.events if event["kind"] == kind]


def test_a_tick_decides_then_acts_then_tells() -> None:
    engine, recorded, told = engine_on([10.0])
    run(engine, 1)
    assert recorded.order == ["decide", "act", "tell"]
    assert told[0].sample.memory_used_mb == 10.0
    assert engine.last is told[0]


def test_the_strategy_sees_limits_announcements_and_components() -> None:
    engine, recorded, _ = engine_on([10.0, 20.0])
    run(engine, 2)
    observation = recorded.observations[1]
    assert observation.limits[0].value == 20.0
    assert observation.interval == 1.0
    assert observation.announcements[0].amount == 5.0
    assert observation.granted == {"memory": {"asr": 2.0}}


def test_memory_is_refined_before_a_level_above_elevated_is_given() -> None:
    engine, _, told = engine_on([50.0, 95.0], refined=40.0)
    run(engine, 2)
    sensors = engine.parts.sensors
    assert isinstance(sensors, ScriptedSensors)
    assert sensors.refinements == 1
    assert told[1].sample.memory_used_mb == 40.0
    assert told[1].limits[0].level == Level.NORMAL


def test_a_level_that_changes_is_one_event_with_its_figures() -> None:
    engine, _, _ = engine_on([50.0, 97.0, 98.0, 98.0])
    run(engine, 4)
    (event,) = events(engine, "level")
    assert (event["was"], event["level"]) == ("normal", "emergency")
    assert event["limit"] == 100.0


def test_a_violation_is_noted_once_and_carries_what_was_done() -> None:
    engine, recorded, _ = engine_on([120.0, 121.0, 122.0, 123.0])
    run(engine, 3)
    recorded.reports = (
        ActionReport(
            "trim", "memory", "MB", Level.EMERGENCY, 1e9 + 103, 0.01, 120.0, 60.0, None,
            Verdict.WORKED,
        ),
    )  # fmt: skip
    run(engine, 1)
    assert len(events(engine, "violation")) == 1
    (violation,) = engine.parts.judge.violations
    assert violation.actions == ["trim: worked"]
    assert violation.helped
    (action,) = events(engine, "action")
    assert action["verdict"] == "worked"
    assert engine.parts.effectiveness.summary({})["actions"]["trim"]["worked"] == 1


def test_ticks_come_sooner_when_the_limit_is_near_at_the_present_growth() -> None:
    engine, _, _ = engine_on([10.0, 30.0, 50.0, 70.0])
    intervals = run(engine, 4)
    assert intervals[0] == 1.0
    assert intervals[-1] < 0.5
    assert intervals[-1] >= FASTEST_TICK


def test_a_strategy_may_ask_for_sooner_ticks_but_not_for_later_ones() -> None:
    engine, recorded, _ = engine_on([10.0] * 3)
    recorded.interval = 0.25
    assert run(engine, 1) == [0.25]
    recorded.interval = 9.0
    assert run(engine, 1) == [1.0]


def test_a_strategy_that_raises_leaves_the_last_decision_in_force() -> None:
    engine, recorded, told = engine_on([10.0] * 3)
    recorded.share = 0.5
    run(engine, 1)
    recorded.error = RuntimeError("bug in a strategy")
    run(engine, 2)
    assert told[2].decision.share("memory") == 0.5
    assert engine.strategy_errors == 2
    (event,) = events(engine, "strategy_error")
    assert "bug in a strategy" in event["error"]


def test_components_divide_only_when_a_strategy_says_so() -> None:
    engine, recorded, _ = engine_on([10.0] * 2)
    run(engine, 1)
    recorded.divided = {"memory": 2.0}
    run(engine, 1)
    assert recorded.applied == [{"memory": 2.0}]


def test_nothing_is_divided_when_nothing_is_to_be_done() -> None:
    engine, recorded, _ = engine_on([10.0])
    recorded.acting = False
    recorded.divided = {"memory": 2.0}
    run(engine, 1)
    assert recorded.applied == []


def test_grants_of_a_shared_ledger_are_the_limits_before_anything_is_judged() -> None:
    engine, recorded, told = engine_on([10.0] * 3)
    run(engine, 1)
    recorded.limits = {"memory": 40.0, "cpu": 5.0}
    run(engine, 1)
    recorded.limits = {"memory": 0.0}  # nothing was granted yet: no limit to judge by
    run(engine, 1)
    assert [tick.limits[0].limit for tick in told] == [100.0, 40.0, 40.0]


def test_an_allocation_is_noted_when_it_moved_and_when_it_is_whole_again() -> None:
    engine, recorded, _ = engine_on([10.0] * 4)
    for share in (1.0, 0.97, 0.5, 1.0):
        recorded.share = share
        run(engine, 1)
    assert [event["share"] for event in events(engine, "allocation")] == [0.5, 1.0]


def test_a_missing_value_is_judged_blind_and_changes_nothing() -> None:
    engine, _, told = engine_on([50.0, NAN, NAN, NAN, NAN, NAN])
    run(engine, 6)
    assert told[-1].limits[0].blind
    assert told[-1].limits[0].level == Level.NORMAL
    assert not engine.parts.judge.violations


def test_limits_of_other_resources_do_not_disturb_each_other() -> None:
    judge = Judge(((MEMORY, 100.0), (CPU, 80.0)), 1.0)
    row = [NAN] * len(FIELDS)
    row[INDEX["memory_used_mb"]] = 99.0
    row[INDEX["cpu_percent"]] = 5.0
    memory, cpu = judge.judge(Sample(1e9, 1.0, tuple(row)), lambda field: 0.0)
    assert memory.level == Level.EMERGENCY
    assert cpu.level == Level.NORMAL


def test_what_a_strategy_expects_is_scored_against_what_the_limits_then_suffer() -> None:
    leak = [20.0 + 0.5 * second for second in range(190)]
    engine, _, _ = engine_on(leak)
    engine.parts = engine.parts._replace(strategy=Predictive())
    run(engine, len(leak))
    outcome = engine.parts.effectiveness.outcome("memory")
    assert (outcome.breaches, outcome.breaches_warned, outcome.breaches_missed) == (1, 1, 0)
    assert outcome.lead_seconds is not None
    assert outcome.lead_seconds > 20.0
    assert outcome.forecast is not None
    assert outcome.forecast.forecasts > 10
