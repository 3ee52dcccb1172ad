"""The plants of the package: equations at rest, seeds, periods, oracles and announced work."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.model.decision import Allocation, Decision, Observation
from amptalk.model.errors import ConfigurationError
from amptalk.simulation import PlantState, SimulationResult, simulate
from amptalk.simulation.plants import (
    BesideRecorded,
    Bursty,
    Components,
    GpuPower,
    Memory,
    PacedJobs,
    Queue,
    SharedCooler,
    Thermal,
    read_trace,
)

WATTS = [20.0 + (n % 60) / 2.0 for n in range(600)]
SINGLE: dict[str, Callable[[float], Any]] = {
    "thermal": Thermal,
    "GPU power": GpuPower,
    "memory": Memory,
    "bursty": Bursty,
    "queue": Queue,
    "jobs": PacedJobs,
    "components": Components,
    "recorded": lambda period: BesideRecorded(WATTS, limit=60.0, amount=40.0, period=period),
}


class Constant:
    """The same share for everything."""

    name = "constant"

    def __init__(self, share: float) -> None:
        self.share = share

    def decide(self, observation: Observation) -> Decision:
        shares = [Allocation(s.resource.name, self.share, "") for s in observation.limits]
        return Decision(self.name, tuple(shares))


class Knowing:
    """What the oracle says, at once."""

    name = "knowing"

    def __init__(self, plant: Any) -> None:
        self.plant = plant

    def decide(self, observation: Observation) -> Decision:
        share = min(1.0, max(0.05, self.plant.oracle()))
        return Decision(self.name, (Allocation(observation.limits[0].resource.name, share, ""),))


def at(plant: Any, share: float, steps: int = 1800, seed: int = 5) -> SimulationResult:
    return simulate(plant, Constant(share), steps=steps, seed=seed)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(SINGLE)),
    st.sampled_from([0.1, 0.5, 1.0, 3.0, 10.0]),
    st.integers(0, 99),
    st.lists(st.floats(0.001, 1.0), min_size=1, max_size=80),
)
def test_whatever_is_allocated_a_plant_stays_within_bounds(
    name: str, period: float, seed: int, shares: list[float]
) -> None:
    plant = SINGLE[name](period)
    plant.reset(seed)
    for share in shares:
        oracle = plant.oracle()
        state = plant.step(share)
        assert 0.0 < oracle <= 1.0
        assert 0.0 <= state.level < 100.0 * plant.limit
        assert math.isfinite(state.measured)
        assert 0.0 <= state.work <= 1.0
        assert 0.0 < state.demand <= 1.0
        assert state.work <= state.demand + 1e-9


@pytest.mark.parametrize("name", SINGLE)
def test_the_seed_decides_everything(name: str) -> None:
    plant = SINGLE[name](1.0)
    runs = [at(plant, 0.5, steps=300, seed=seed).series for seed in (1, 2, 1)]
    assert runs[0].measured == runs[2].measured
    assert runs[0].level == runs[2].level
    assert runs[0].measured != runs[1].measured or name == "recorded"


@pytest.mark.parametrize("name", SINGLE)
def test_a_reading_arrives_one_period_late(name: str) -> None:
    plant = SINGLE[name](1.0)
    plant.reset(3)
    states = [plant.step(0.9) for _ in range(3)] + [plant.step(0.05) for _ in range(40)]
    assert states[0].measured == states[1].measured, "the first one waits for none"


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("thermal", 0.01), ("memory", 0.02), ("GPU power", 0.05), ("bursty", 0.12)],
)
def test_the_period_changes_the_steps_and_not_the_plant(name: str, tolerance: float) -> None:
    def mean(period: float) -> float:
        levels = []
        for seed in range(15):
            plant = SINGLE[name](period)
            plant.reset(seed)
            levels.append([plant.step(0.5).level for _ in range(round(800 / period))])
        return fmean(fmean(run[len(run) // 2 :]) for run in levels)

    assert mean(0.25) == pytest.approx(mean(1.0), rel=tolerance)
    assert mean(5.0) == pytest.approx(mean(1.0), rel=tolerance)


@pytest.mark.parametrize("name", ["thermal", "memory"])
def test_at_rest_a_slow_plant_is_where_its_oracle_says(name: str) -> None:
    plant = SINGLE[name](1.0)
    plant.reset(5)
    fair = plant.oracle()
    last = at(plant, fair, steps=899).series.level[-80:]
    top = max(last)
    assert top == pytest.approx(plant.limit, rel=0.02)


def test_air_leak_and_capacity_get_worse_when_they_are_told_to() -> None:
    for plant in (Thermal(changes_at=600.0), Memory(changes_at=600.0), Queue(changes_at=600.0)):
        result = at(plant, 0.5, steps=1200)
        oracle = result.oracle
        assert oracle is not None
        assert oracle[599] > oracle[601] + 0.05
        assert fmean(result.series.level[-60:]) > fmean(result.series.level[540:600]) * 1.05


def test_gpu_power_is_cubic_in_clock_steps_and_the_sensor_lags() -> None:
    plant = GpuPower(noise=0.0)
    result = at(plant, 0.5, steps=400).after(1.0)
    activities = {round((level - 18.0) / (60.0 * 0.125), 6) for level in result.series.level}
    assert activities == {0.25, 0.6, 0.85, 1.0}
    assert at(GpuPower(), 0.54, steps=5).series.work[1] == pytest.approx(0.5), "steps of 1/12"
    level, measured = result.series.level, result.series.measured
    jumps = [n for n in range(1, len(level)) if level[n] > level[n - 1] + 4.0]
    assert jumps
    for n in jumps:
        assert measured[n] < level[n] - 2.0, "late and averaged"


def test_a_burst_asks_for_more_than_is_allowed_and_idle_work_for_less() -> None:
    result = at(Bursty(), 0.5)
    work, demand = result.series.work, result.series.demand
    assert set(demand) == {0.25, 1.0}
    assert all(w == min(0.5, d) for w, d in zip(work, demand, strict=True))


def test_jobs_use_what_their_rests_leave_them() -> None:
    def used(share: float, workers: int) -> float:
        return fmean(at(PacedJobs(workers=workers), share, steps=400).after(10.0).series.level)

    assert used(1.0, workers=8) == pytest.approx(100.0, abs=1.0), "more than the cores can do"
    alone = used(1.0, workers=1)
    assert alone == pytest.approx(0.5 * 100.0 * 0.2 / 0.3, rel=0.1), "busy 0.2 of 0.3 s on one core"
    assert used(0.5, workers=1) == pytest.approx(0.5 * alone, rel=0.1)
    short = at(PacedJobs(0.1, workers=1), 0.5).series.measured
    assert {0.0, 50.0} <= set(map(round, short)), "all or nothing of a core"


@pytest.mark.parametrize("name", ["GPU power", "queue", "recorded"])
def test_knowing_the_oracle_keeps_the_limit_and_the_work(name: str) -> None:
    plant = SINGLE[name](1.0)
    result = simulate(plant, Knowing(plant), steps=900, seed=2).after(10.0)
    assert result.time_over < 0.08, "jumps come unawares"
    assert abs(result.work_lost) < 0.02


@pytest.mark.parametrize("plant", [GpuPower(announces=True), Bursty(announces=True)])
def test_announced_work_comes_when_and_as_much_as_was_told(plant: Any) -> None:
    quiet: Any = type(plant)()
    assert at(quiet, 1.0, steps=600).series.level == at(plant, 1.0, steps=600).series.level
    plant.reset(5)
    begun: dict[float, float] = {}
    levels: list[float] = []
    for second in range(1, 600):
        state: PlantState = plant.step(1.0)
        levels.append(state.level)
        for one in state.announced:
            assert one.starts_in <= 10.0
            assert one.resource == plant.resource
            if one.starts_in > 0 and one.duration > 5.0:
                begun[round(second + one.starts_in, 6)] = one.amount
    assert len(begun) > 3
    for starts, amount in begun.items():
        second = math.floor(starts) + 2
        if second < len(levels) and isinstance(plant, GpuPower):
            assert levels[second] == pytest.approx(18.0 + 15.0 + amount), "at full clock"
        elif second < len(levels):
            assert levels[second] > levels[second - 4] + 0.7 * amount


def test_what_heats_the_other_takes_its_share_of_the_limit() -> None:
    def temperature(cpu: float) -> float:
        class Split(Constant):
            def decide(self, observation: Observation) -> Decision:
                shares = (Allocation("cpu", cpu, ""), Allocation("temperature", 0.8, ""))
                return Decision(self.name, shares)

        return fmean(
            simulate(SharedCooler(), Split(1.0), steps=900, seed=2)
            .by_resource["temperature"]
            .level[-300:]
        )

    assert temperature(1.0) > temperature(0.05) + 1.0


def test_components_use_what_they_are_granted_and_no_more() -> None:
    plant = Components(cooperating=True)
    result = simulate(plant, "cooperative", steps=600, seed=4)
    assert result.time_over == 0.0
    assert sum(plant.used.values()) == pytest.approx(result.series.level[-1])
    assert min(plant.used.values()) >= 50.0 - 1.0, "nobody starves"
    alone = at(Components(), 1.0, seed=4)
    assert alone.time_over > 0.1, "together they want more than there is"


def test_recorded_load_is_read_from_csv_and_runs_from_another_place_for_each_seed(
    tmp_path: Any,
) -> None:
    path = tmp_path / "watts.csv"
    path.write_text("time,watts\n0,10\n1,20.5\n2,\n3,nan\n4,7\n")
    assert read_trace(path) == [10.0, 20.5, 20.5, 20.5, 7.0]
    assert read_trace(path, "time") == [0.0, 1.0, 2.0, 3.0, 4.0]
    plant = BesideRecorded(range(10), limit=20.0, amount=10.0, recorded_every=2.0)
    levels = [list(at(plant, 0.5, 42, seed).after(2.0).series.level) for seed in range(8)]
    assert len({tuple(one) for one in levels}) > 3
    assert levels[0][0::2] == levels[0][1::2], "each reading lasts two seconds"
    assert set(levels[0]) == {5.0 + n for n in range(10)}


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("a,b\n1,2\n", "c", "no column 'c', only: a, b"),
        ("a\nx\n", None, "no number"),
        ("", None, "no column"),
    ],
)
def test_what_is_no_trace_is_said(text: str, column: str | None, said: str, tmp_path: Any) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_trace(path, column)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_trace(tmp_path / "nowhere.csv")
    with pytest.raises(ConfigurationError, match="finite"):
        BesideRecorded([1.0, math.nan], limit=2.0, amount=1.0)
