"""One quantity of a job is learned from few runs, by size, and says how sure it is."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.jobs.cost_model import KEPT_RUNS, CostModel
from amptalk.actuators.jobs.size_curve import curve_of

COSTS = st.floats(0.0, 1e9)
SIZES = st.floats(1e-3, 1e6)


def learned(runs: int, cost: float = 100.0, noise: float = 0.05, seed: int = 1) -> CostModel:
    chance = random.Random(seed)
    model = CostModel()
    for _ in range(runs):
        model.add(cost * chance.gauss(1.0, noise))
    return model


def test_before_the_first_run_nothing_is_said() -> None:
    assert CostModel().estimate() is None
    assert CostModel().estimate(3.0) is None


def test_one_run_is_believed_with_room_to_spare() -> None:
    model = CostModel()
    model.add(200.0)
    estimate = model.estimate()
    assert estimate is not None
    assert estimate.p95 == pytest.approx(200.0)
    assert 220.0 < estimate.reserve < 300.0
    assert estimate.certainty == "± 41 %, learned from 1 run"


def test_after_five_runs_the_95th_percentile_is_known_to_ten_percent() -> None:
    errors = []
    for seed in range(100):
        estimate = learned(5, seed=seed).estimate()
        assert estimate is not None
        errors.append(abs(estimate.p95 / (100.0 * (1.0 + 1.645 * 0.05)) - 1.0))
    assert statistics.median(errors) < 0.05
    assert sorted(errors)[89] < 0.1


def test_of_the_next_runs_few_exceed_the_reserve_and_little_is_set_aside_in_vain() -> None:
    beyond, spare = 0, []
    for seed in range(20):
        chance = random.Random(seed)
        model = learned(5, seed=seed)
        for _ in range(200):
            estimate, cost = model.estimate(), 100.0 * chance.gauss(1.0, 0.05)
            assert estimate is not None
            beyond += cost > estimate.reserve
            spare.append(estimate.reserve / cost - 1.0)
            model.add(cost)
    assert beyond / (20 * 200) <= 0.05
    assert statistics.median(spare) <= 0.25


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("constant", lambda _size: 200.0),
        ("proportional", lambda size: 8.0 * size),
        ("line", lambda size: 50.0 + 8.0 * size),
        ("square", lambda size: 20.0 + 0.25 * size**2),
        ("power", lambda size: 3.0 * size**1.5),
    ],
)
def test_the_cost_follows_the_size_also_beyond_those_seen(name: str, cost: object) -> None:
    assert callable(cost)
    points = [(float(size), float(cost(size))) for size in (5, 12, 20, 33, 60)]
    assert curve_of(points).shape.name == name
    model = CostModel()
    for size, value in points:
        model.add(value, size)
    for size in (8.0, 45.0, 90.0):
        estimate = model.estimate(size)
        assert estimate is not None
        assert estimate.p95 == pytest.approx(cost(size), rel=0.02)
    within, far = model.estimate(45.0), model.estimate(600.0)
    assert within is not None
    assert far is not None
    assert far.high / far.p95 > within.high / within.p95


def test_a_single_size_is_taken_in_proportion() -> None:
    model = CostModel()
    model.add(300.0, 30.0)
    estimate = model.estimate(60.0)
    assert estimate is not None
    assert estimate.p95 == pytest.approx(600.0)


def test_runs_that_overlapped_count_only_until_five_alone_are_known() -> None:
    model = CostModel()
    for _ in range(6):
        model.add(500.0, alone=False)
    for runs in range(1, 6):
        model.add(100.0)
        estimate = model.estimate()
        assert estimate is not None
        assert (estimate.p95 > 400.0) == (runs < 5)


def test_a_job_that_changed_is_learned_anew_after_three_surprises() -> None:
    model = learned(30)
    for _ in range(3):
        model.add(300.0)
    estimate = model.estimate()
    assert estimate is not None
    assert estimate.runs == 3
    assert estimate.low <= 300.0 <= estimate.reserve


@given(st.lists(st.tuples(COSTS, st.one_of(st.just(math.nan), SIZES)), min_size=1, max_size=60))
def test_estimates_are_finite_ordered_and_of_a_bounded_number_of_runs(
    runs: list[tuple[float, float]],
) -> None:
    model = CostModel()
    for cost, size in runs:
        model.add(cost, size)
    assert len(model.runs) <= KEPT_RUNS
    for size in (math.nan, 1e-3, 1.0, 1e6):
        estimate = model.estimate(size)
        assert estimate is not None
        assert all(math.isfinite(value) for value in estimate)
        assert 0.0 <= estimate.low <= estimate.p95 <= estimate.high
        assert estimate.reserve >= estimate.p95
