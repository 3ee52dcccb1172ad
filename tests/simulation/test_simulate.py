"""`simulate`: what it asks of a plant, what it shows a strategy, and the figures it gives."""

from __future__ import annotations

import math
from typing import Any

import pytest

from amptalk.model.announcement import Announcement
from amptalk.model.decision import Allocation, Decision, Observation
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level
from amptalk.model.resource import POWER, TEMPERATURE, Resource
from amptalk.simulation import PlantState, SimulationError, simulate
from amptalk.simulation.plants import GpuPower, Queue


class Straight:
    """Level 100 times the allocation; remembers what it was given."""

    resource: Any = "power_watts"
    limit: Any = 60.0
    period: Any = 1.0

    def __init__(self) -> None:
        self.given: list[float] = []

    def step(self, allocation: float) -> PlantState:
        self.given.append(allocation)
        return PlantState(100.0 * allocation, 100.0 * allocation, allocation, 1.0)


class Scripted:
    """A strategy that gives one share after the other and keeps what it was shown."""

    name = "scripted"

    def __init__(self, *shares: float) -> None:
        self.shares = list(shares)
        self.shown: list[Observation] = []

    def decide(self, observation: Observation) -> Decision:
        self.shown.append(observation)
        share = self.shares.pop(0) if len(self.shares) > 1 else self.shares[0]
        names = [state.resource.name for state in observation.limits]
        return Decision(self.name, tuple(Allocation(name, share, "as written") for name in names))


def test_everything_may_run_first_and_a_decision_counts_from_the_next_step_on() -> None:
    plant = Straight()
    result = simulate(plant, Scripted(0.5, 0.25, 0.75), steps=4)
    assert plant.given == [1.0, 0.5, 0.25, 0.75]
    assert list(result.series.allocation) == plant.given
    assert list(result.series.level) == [100.0, 50.0, 25.0, 75.0]
    assert list(result.seconds) == [1.0, 2.0, 3.0, 4.0]


def test_a_strategy_sees_what_a_live_run_shows_it() -> None:
    strategy = Scripted(0.9)
    simulate(Straight(), strategy, steps=60)
    first, last = strategy.shown[0].limits[0], strategy.shown[-1].limits[0]
    assert first.resource is POWER
    assert (first.value, first.limit, first.fresh) == (100.0, 60.0, True)
    assert last.level is Level.EMERGENCY, "the real judge judges"
    assert strategy.shown[-1].now - strategy.shown[0].now == pytest.approx(59.0)
    assert strategy.shown[-1].interval == pytest.approx(1.0)
    history = strategy.shown[-1].history
    assert history is not None
    assert len(history.values("power_watts", 30.0)) == pytest.approx(30, abs=1)


def test_the_figures_are_those_of_the_true_level() -> None:
    result = simulate(Straight(), Scripted(0.5, 0.5, 0.9, 0.9, 0.602, 0.5), steps=10)
    # Over in the first step (1.0) and in two more (0.9); 0.602 is within the tolerance.
    assert result.time_over == pytest.approx(0.3)
    assert result.worst_overshoot == pytest.approx(100 / 60 - 1)
    assert result.settling_time(1.0) == 4.0, "the last step over ends 5 s after the start"
    assert result.settling_time(6.0) == 0.0
    assert result.travel_per_minute == pytest.approx((0.5 + 0.4 + 0.298 + 0.102) * 6)
    later = result.after(5.0)
    assert (len(later), later.time_over) == (5, 0.0)
    assert later.worst_overshoot == pytest.approx(1 / 300)
    assert list(later.seconds) == [6.0, 7.0, 8.0, 9.0, 10.0]
    assert result.work_refused == pytest.approx(1 - sum(result.series.allocation) / 10)


def test_a_run_that_ends_over_the_limit_has_not_settled() -> None:
    assert simulate(Straight(), Scripted(1.0), steps=5).settling_time(0.0) == math.inf


def test_lost_work_is_told_against_an_oracle_or_why_it_is_not() -> None:
    without = simulate(Straight(), Scripted(0.3), steps=3)
    assert math.isnan(without.work_lost)
    assert "oracle" in without.missing["work_lost"]

    class Knowing(Straight):
        def oracle(self) -> float:
            return 0.6

    result = simulate(Knowing(), Scripted(0.3), steps=11).after(1.0)
    assert result.work_lost == pytest.approx(0.5)
    assert not result.missing
    assert "50.0% of the work lost" in str(result)


def test_effectiveness_events_and_violations_are_those_of_a_live_run() -> None:
    result = simulate(Straight(), Scripted(0.9, 0.9, 0.9, 0.3), steps=20)
    outcome = result.effectiveness["limits"]["power"]
    assert result.effectiveness["strategy"] == "scripted"
    assert outcome["breaches"] == 1
    assert outcome["seconds_over"] == pytest.approx(4.0)
    (violation,) = result.violations
    assert violation.peak == 100.0
    kinds = [event["kind"] for event in result.events]
    assert "violation" in kinds
    assert any(event.get("reason") == "as written" for event in result.events)


def test_a_reading_that_is_missing_is_blind_and_changes_no_level() -> None:
    class Blind(Straight):
        def step(self, allocation: float) -> PlantState:
            state = super().step(allocation)
            return state._replace(measured=math.nan) if len(self.given) % 2 else state

    strategy = Scripted(0.5)
    result = simulate(Blind(), strategy, steps=6)
    assert [state.limits[0].blind for state in strategy.shown] == [True, False] * 3
    assert math.isnan(result.series.measured[0])
    assert result.series.level[0] == 100.0


@pytest.mark.parametrize(
    ("name", "resource", "unit", "kind"),
    [
        ("memory", "memory", "MB", "hold"),
        ("memory_mb", "memory", "MB", "hold"),
        ("temperature_celsius", "temperature", "°C", "temperature"),
        ("gpu_utilization", "gpu", "%", "rate"),
        ("latency_ms", "latency_ms", "ms", "rate"),
        ("queue", "queue", "1", "rate"),
    ],
)
def test_a_resource_is_a_known_one_or_a_signal(
    name: str, resource: str, unit: str, kind: str
) -> None:
    plant, strategy = Straight(), Scripted(0.5)
    plant.resource = name
    result = simulate(plant, strategy, steps=3)
    seen = strategy.shown[0].limits[0].resource
    assert (seen.name, seen.unit, seen.kind) == (resource, unit, kind)
    assert list(result.by_resource) == [resource]


def test_the_seed_goes_to_a_plant_that_takes_one_and_repeats_the_run() -> None:
    same = [simulate(GpuPower(), "dynamic", steps=300, seed=seed).series for seed in (3, 3, 4)]
    assert same[0].level == same[1].level
    assert same[0].allocation == same[1].allocation
    assert same[0].level != same[2].level
    plant = GpuPower()
    again = [simulate(plant, "dynamic", steps=300, seed=3).series.level for _ in range(2)]
    assert again[0] == again[1] == same[0].level


def test_several_strategies_and_lists_are_taken_as_a_manager_takes_them() -> None:
    named = simulate(Queue(), "predictive+dynamic", steps=100)
    listed = simulate(Queue(), ["predictive", "dynamic"], steps=100)
    assert named.strategy == listed.strategy == "predictive+dynamic"
    assert named.series.allocation == listed.series.allocation


class Announcing(Straight):
    """Tells of the same work at second 10, once or in every step, and takes it back."""

    def __init__(self, told: str) -> None:
        super().__init__()
        self.told = told

    def step(self, allocation: float) -> PlantState:
        state = super().step(allocation)
        now = len(self.given)
        coming = Announcement("power_watts", 20.0, 10.0 - now, 5.0)
        left = Announcement("power_watts", 20.0, max(0.0, 10.0 - now), min(5.0, 15.0 - now))
        told = {
            "once": (coming,) if now == 4 else (),
            "always": (coming,) if now >= 4 else (),
            "what is left": (left,) if 4 <= now < 15 else (),
            "taken back": (coming,) if 4 <= now < 7 else (),
            "twice the work": (coming, coming) if now >= 4 else (),
        }[self.told]
        return state._replace(announced=told)


@pytest.mark.parametrize(
    ("told", "amounts"),
    [
        ("once", [0.0] * 3 + [20.0] * 11 + [0.0] * 6),
        ("always", [0.0] * 3 + [20.0] * 11 + [0.0] * 6),
        ("what is left", [0.0] * 3 + [20.0] * 11 + [0.0] * 6),
        ("taken back", [0.0] * 3 + [20.0] * 3 + [0.0] * 14),
        ("twice the work", [0.0] * 3 + [40.0] * 11 + [0.0] * 6),
    ],
)
def test_announced_work_counts_once_however_often_it_is_told(
    told: str, amounts: list[float]
) -> None:
    strategy = Scripted(0.5)
    result = simulate(Announcing(told), strategy, steps=20)
    assert list(result.series.announced) == amounts
    (seen,) = set(strategy.shown[4].announcements)
    assert seen.resource == "power", "by the name that the limits have"
    assert seen.starts_in == pytest.approx(5.0)
    assert seen.duration == pytest.approx(5.0)


class Pair:
    """Two resources, the second of which follows both allocations."""

    resource = ("power_watts", "temperature_celsius")
    limit = (50.0, 80.0)
    period = 0.5

    def step(self, allocation: tuple[float, ...]) -> tuple[PlantState, ...]:
        first, second = allocation
        return (
            PlantState(90.0 * first, 90.0 * first, first, 1.0),
            PlantState(40 + 25 * (first + second), math.nan, second, 1.0),
        )


class OnlyPower:
    name = "only power"

    def decide(self, observation: Observation) -> Decision:
        return Decision(self.name, (Allocation("power", 0.5, ""),))


def test_a_plant_may_have_several_resources_each_with_its_allocation() -> None:
    result = simulate(Pair(), OnlyPower(), steps=4)
    power, temperature = result.by_resource.values()
    assert list(power.level) == [90.0, 45.0, 45.0, 45.0]
    assert list(temperature.level) == [90.0, 77.5, 77.5, 77.5]
    assert list(temperature.allocation) == [1.0] * 4, "nothing decided holds nothing back"
    assert result.time_over == 0.25
    assert result.worst_overshoot == pytest.approx(0.8)
    assert result.travel_per_minute == pytest.approx(0.5 * 30)
    assert result.series is power


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"limit": 0.0}, "above 0"),
        ({"limit": math.nan}, "above 0"),
        ({"limit": "60"}, "not a number"),
        ({"limit": (60.0,)}, "not a number"),
        ({"resource": ("power_watts",)}, "belong together"),
        ({"resource": ("power", "power_watts"), "limit": (1.0, 2.0)}, "second time"),
        ({"resource": ""}, "no name"),
        ({"resource": 7}, "no name"),
        ({"period": 0.01}, "out of range"),
        ({"period": math.nan}, "out of range"),
        ({"period": True}, "out of range"),
    ],
)
def test_what_a_plant_must_not_be_is_said(attributes: dict[str, Any], said: str) -> None:
    plant = Straight()
    for name, value in attributes.items():
        setattr(plant, name, value)
    with pytest.raises(ConfigurationError, match=said):
        simulate(plant, "dynamic", steps=3)


def test_what_is_no_plant_no_strategy_or_no_number_of_steps_is_said() -> None:
    with pytest.raises(ConfigurationError, match="lacks resource, limit, period, step"):
        simulate(object(), "dynamic")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"give a plant, such as GpuPower\(\)"):
        simulate(GpuPower, "dynamic")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="brave"):
        simulate(GpuPower(), "brave")
    for steps in (0, -1, 1.5, True):
        with pytest.raises(ConfigurationError, match="steps"):
            simulate(GpuPower(), "dynamic", steps=steps)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "returned",
    [
        None,
        0.5,
        PlantState(math.nan, 1.0, 1.0, 1.0),
        PlantState(math.inf, 1.0, 1.0, 1.0),
        PlantState(1.0, math.inf, 1.0, 1.0),
        PlantState(1.0, 1.0, -1.0, 1.0),
        PlantState(1.0, 1.0, 1.0, math.nan),
        PlantState("1", 1.0, 1.0, 1.0),  # type: ignore[arg-type]
    ],
)
def test_a_plant_that_returns_nonsense_stops_the_run_with_the_step_named(returned: Any) -> None:
    class Broken(Straight):
        def step(self, allocation: float) -> PlantState:
            state = super().step(allocation)
            return returned if len(self.given) == 3 else state

    with pytest.raises(SimulationError, match=r"Broken returned .* in step 2 with allocation 0.5"):
        simulate(Broken(), Scripted(0.5), steps=5)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("reset", r"raised in reset\(0\)"),
        ("join", "raised in join"),
        ("oracle", r"raised in oracle\(\) before step 0"),
    ],
)
def test_what_else_a_plant_may_have_is_named_when_it_raises(method: str, said: str) -> None:
    def broken(*_: object) -> float:
        raise ValueError("no")

    plant = Straight()
    setattr(plant, method, broken)
    with pytest.raises(SimulationError, match=said):
        simulate(plant, "dynamic", steps=3)
    for wrong in (math.nan, -1.0, math.inf):
        plant = Straight()
        plant.oracle = lambda wrong=wrong: wrong  # type: ignore[attr-defined]
        with pytest.raises(SimulationError, match="0 or more"):
            simulate(plant, "dynamic", steps=3)


def test_a_plant_or_a_strategy_that_raises_stops_the_run_with_its_error() -> None:
    class Raising(Straight):
        def step(self, allocation: float) -> PlantState:
            raise OSError("unplugged")

    with pytest.raises(SimulationError, match=r"Raising raised in step 0.*unplugged") as raised:
        simulate(Raising(), "dynamic")
    assert isinstance(raised.value.__cause__, OSError)

    class Confused(Scripted):
        def decide(self, observation: Observation) -> Decision:
            raise KeyError("power")

    with pytest.raises(SimulationError, match="'scripted' raised in step 0 of Straight") as raised:
        simulate(Straight(), Confused(1.0))
    assert isinstance(raised.value.__cause__, KeyError)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, math.nan])
def test_an_allocation_that_is_none_stops_the_run(share: float) -> None:
    with pytest.raises(SimulationError, match="allocated"):
        simulate(Straight(), Scripted(share), steps=3)


@pytest.mark.parametrize("wrong", ["later", Announcement("power", math.nan, 1.0, 1.0)])
def test_what_is_no_announcement_is_said(wrong: Any) -> None:
    class Talking(Straight):
        def step(self, allocation: float) -> PlantState:
            return super().step(allocation)._replace(announced=(wrong,))

    with pytest.raises(ConfigurationError, match=r"announcement|finite"):
        simulate(Talking(), "dynamic", steps=3)


def test_a_resource_may_be_given_as_it_is() -> None:
    class Hot(Straight):
        resource = TEMPERATURE

    assert list(simulate(Hot(), Scripted(0.5), steps=2).by_resource) == ["temperature"]


class Frames(Straight):
    """The more is let in the slower it gets: 40 frames a second less 30 times the allocation."""

    resource = Resource("frames_s", "1/s", "rate", "frames_s", device_wide=False, minimum=True)
    limit = 25.0

    def step(self, allocation: float) -> PlantState:
        rate = 40.0 - 30.0 * allocation
        return PlantState(rate, rate, allocation, 1.0)


def test_of_a_minimum_what_is_below_is_over() -> None:
    result = simulate(Frames(), Scripted(0.5, 0.4, 0.51), steps=8)
    assert list(result.series.level[:4]) == pytest.approx([10.0, 25.0, 28.0, 24.7])
    assert result.time_over == pytest.approx(6 / 8)
    assert result.worst_overshoot == pytest.approx(0.6)
    assert simulate(Frames(), "dynamic", steps=600).after(60.0).time_over < 0.05


def test_a_signal_has_a_column_of_its_own_like_that_of_a_live_run() -> None:
    strategy = Scripted(0.5)
    plant = Straight()
    plant.resource = ("latency_ms", "queue_length")
    plant.limit = (60.0, 5.0)
    plant.step = lambda _: (PlantState(50.0, 50.0, 0.5, 1.0), PlantState(3.0, 3.0, 0.5, 1.0))  # type: ignore[method-assign,assignment,return-value]
    simulate(plant, strategy, steps=40)
    history = strategy.shown[-1].history
    assert history is not None
    assert {value for _, value in history.values("latency_ms", 20.0)} == {50.0}
    assert {value for _, value in history.values("queue_length", 20.0)} == {3.0}
