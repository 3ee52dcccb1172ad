"""One quantity of a job is learned from few runs, by size, and says how sure it is."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amptalk.actuators.jobs.cost_model import KEPT_FIRST, KEPT_RUNS, CostModel
from amptalk.actuators.jobs.evidence import Run
from amptalk.actuators.jobs.size_curve import curve_of

COSTS = st.floats(0.0, 1e9)
SIZES = st.floats(1e-3, 1e6)


def run(
    cost: float,
    size: float = math.nan,
    *,
    unsure: float = 0.0,
    first: bool = False,
    kept: float = 0.0,
) -> Run:
    return Run(size, cost, unsure, first, kept)


def learned(runs: int, cost: float = 100.0, noise: float = 0.05, seed: int = 1) -> CostModel:
    chance = random.Random(seed)
    model = CostModel()
    for _ in range(runs):
        model.add(run(cost * chance.gauss(1.0, noise)))
    return model


def test_before_the_first_run_nothing_is_said() -> None:
    assert CostModel().estimate() is None
    assert CostModel().estimate(3.0) is None


def test_one_run_is_believed_with_room_to_spare() -> None:
    model = CostModel()
    model.add(run(200.0))
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
            model.add(run(cost))
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
        model.add(run(value, size))
    for size in (8.0, 45.0, 90.0):
        estimate = model.estimate(size)
        assert estimate is not None
        assert estimate.p95 == pytest.approx(cost(size), rel=0.02)
    within, far = model.estimate(45.0), model.estimate(600.0)
    assert within is not None
    assert far is not None
    assert far.high / far.p95 > within.high / within.p95


def test_what_is_a_little_nearer_to_proportion_than_to_a_constant_is_in_proportion() -> None:
    points = [(1.0, 131.8), (1.2, 117.7), (0.8, 107.9), (1.5, 183.8)]
    assert curve_of(points).shape.name == "proportional"
    assert curve_of([(1.0, 100.0), (2.0, 104.0), (3.0, 98.0)]).shape.name == "constant"


def test_a_single_size_is_taken_in_proportion() -> None:
    model = CostModel()
    model.add(run(300.0, 30.0))
    estimate = model.estimate(60.0)
    assert estimate is not None
    assert estimate.p95 == pytest.approx(600.0)


def test_runs_that_are_not_sure_count_only_until_three_are_known_that_are() -> None:
    model = CostModel()
    for _ in range(6):
        model.add(run(500.0, unsure=200.0))
    for runs in range(1, 5):
        model.add(run(100.0))
        estimate = model.estimate()
        assert estimate is not None
        assert (estimate.p95 > 400.0) == (runs < 3)


def test_what_may_be_of_other_jobs_makes_an_estimate_less_sure() -> None:
    sure, unsure = CostModel(), CostModel()
    for _ in range(5):
        sure.add(run(100.0))
        unsure.add(run(100.0, unsure=50.0))
    one, other = sure.estimate(), unsure.estimate()
    assert one is not None
    assert other is not None
    assert other.reserve - one.reserve == pytest.approx(50.0)
    assert other.high - other.low > one.high - one.low + 100.0


def test_a_job_that_changed_is_learned_anew_after_three_surprises() -> None:
    model = learned(30)
    for _ in range(3):
        model.add(run(300.0))
    estimate = model.estimate()
    assert estimate is not None
    assert estimate.runs == 3
    assert estimate.low <= 300.0 <= estimate.reserve


def test_runs_that_found_memory_to_reuse_do_not_pull_the_curve_down() -> None:
    """Text recognition: the first page of each size finds room in what larger ones left."""
    seen = [(0.8, 0.0), (0.8, 108.0), (0.8, 108.0), (1.2, 0.0), (1.2, 158.0), (1.5, 196.0),
            (1.8, 0.0), (1.5, 0.0), (1.2, 158.0), (1.5, 196.0), (0.8, 108.0)]  # fmt: skip
    model = CostModel()
    for size, cost in seen:
        model.add(run(cost, size))
    for size, cost in ((0.8, 108.0), (1.2, 158.0), (1.5, 196.0), (1.8, 238.0)):
        estimate = model.estimate(size)
        assert estimate is not None
        assert estimate.p95 == pytest.approx(cost, rel=0.1)
        assert cost <= estimate.reserve <= 1.25 * cost


def test_small_runs_that_found_memory_to_reuse_do_not_make_the_curve_steep() -> None:
    """10 MB for each unit; below 2 units malloc had it already, unless nothing was freed yet."""
    model = CostModel(resolution=1.0)
    chance = random.Random(3)
    for _ in range(6):
        size = chance.uniform(0.4, 1.0)
        model.add(run(10.0 * size, size))
    for number in range(60):
        size = chance.uniform(0.5, 2.0) if number % 2 else chance.uniform(2.3, 12.0)
        model.add(run(10.0 * size if size > 2.0 else 0.3, size))
        told = model.estimate(6.0)
        assert told is not None
        assert 60.0 <= told.reserve < 80.0


@pytest.mark.parametrize(
    "seen",
    [
        [(1.0, 0.0), (1.2, 66.0), (1.8, 238.0), (1.2, 158.0)],
        [(1.2, 135.0), (1.0, 67.0), (0.8, 108.0), (1.5, 123.0)],
        [(0.8, 18.0), (1.8, 290.0), (1.2, 158.0), (1.0, 0.0)],
    ],
)
def test_the_first_run_of_a_size_does_not_count_where_it_is_unlike_the_next(
    seen: list[tuple[float, float]],
) -> None:
    """Text recognition as it was measured: it sets itself up for each size of page."""
    model = CostModel(resolution=1.0)
    model.add(run(400.0, 0.8 if seen[0][0] == 1.2 else 1.2, first=True, kept=300.0))
    for size, cost in seen:
        model.add(run(cost, size))
    for size, cost in ((0.8, 108.0), (1.0, 131.0), (1.2, 158.0), (1.5, 196.0), (1.8, 238.0)):
        estimate = model.estimate(size)
        assert estimate is not None
        assert estimate.p95 == pytest.approx(cost, rel=0.1)


def test_the_first_run_of_a_size_counts_where_it_is_like_the_next() -> None:
    model = CostModel(resolution=1.0)
    for size, cost in ((5.0, 40.0), (20.0, 101.0), (40.0, 179.0), (20.0, 99.0)):
        model.add(run(cost, size))
    for size in (5.0, 10.0, 30.0):
        estimate = model.estimate(size)
        assert estimate is not None
        assert estimate.p95 == pytest.approx(20.0 + 4.0 * size, rel=0.1)


def test_runs_that_take_next_to_nothing_do_not_make_others_boundless() -> None:
    """Parsed documents: Python's arenas have room for the small ones, more and more of it."""
    model = CostModel(resolution=1.0)
    for size, cost in ((40.0, 5.0), (60.0, 17.0), (20.0, 0.0), (15.0, 0.0), (30.0, 2.0)) * 4:
        model.add(run(cost, size))
    for size, cost in ((15.0, 0.0), (30.0, 2.0), (40.0, 5.0), (60.0, 17.0)):
        estimate = model.estimate(size)
        assert estimate is not None
        assert cost <= estimate.reserve <= cost + 4.0


def test_nothing_is_known_better_than_it_is_measured() -> None:
    model = CostModel(resolution=2.0)
    for _ in range(40):
        model.add(run(50.0))
    estimate = model.estimate()
    assert estimate is not None
    assert estimate.reserve == pytest.approx(52.0)


def test_where_malloc_always_has_room_for_a_size_nothing_is_set_aside_for_it() -> None:
    model = CostModel()
    for _ in range(7):
        for size in (10.0, 40.0, 50.0, 60.0):
            model.add(run(0.0 if size == 10.0 else 4.0 * size, size))
    small, large = model.estimate(10.0), model.estimate(50.0)
    assert small is not None
    assert large is not None
    assert small.reserve < 3.0
    assert large.p95 == pytest.approx(200.0, rel=0.02)


def test_what_few_runs_kept_is_there_afterwards_and_not_expected_again() -> None:
    model = CostModel()
    for _ in range(2):
        model.add(run(130.0, kept=30.0))
    for _ in range(3):
        model.add(run(100.0))
    estimate = model.estimate()
    assert estimate is not None
    assert estimate.p95 == pytest.approx(100.0)


def test_what_small_runs_kept_says_little_of_large_ones() -> None:
    model = CostModel(resolution=1.0)
    for cost, kept in ((70.0, 30.0), (60.0, 0.0), (20.0, 20.0), (0.5, 0.5)):
        model.add(run(cost, {70.0: 40.0, 60.0: 60.0}.get(cost, 20.0), kept=kept))
    estimate = model.estimate(40.0)
    assert estimate is not None
    assert estimate.p95 == pytest.approx(40.0, rel=0.15)


def test_a_job_that_always_keeps_what_it_took_is_expected_to_take_it_again() -> None:
    model = CostModel()
    for _ in range(10):
        model.add(run(50.0, kept=50.0))
    estimate = model.estimate()
    assert estimate is not None
    assert estimate.p95 == pytest.approx(50.0)


def test_what_the_first_run_loads_is_expected_again_in_the_next_process_only() -> None:
    model = CostModel()
    model.add(run(500.0, 10.0, first=True, kept=400.0))
    for size in (10.0, 20.0, 30.0, 20.0):
        model.add(run(10.0 * size, size))
    later, first = model.estimate(20.0), model.estimate(20.0, first=True)
    assert later is not None
    assert first is not None
    assert later.p95 == pytest.approx(200.0, rel=0.01)
    assert first.p95 == pytest.approx(600.0, rel=0.01)
    again = CostModel(model.known()).estimate(20.0, first=True)
    assert again == first


def test_two_odd_runs_do_not_make_a_curve_that_leads_anywhere() -> None:
    model = CostModel()
    for size, cost in ((1.5, 130.0), (0.8, 0.02)):
        model.add(run(cost, size))
    estimate = model.estimate(3.0)
    assert estimate is not None
    assert estimate.p95 < 1000.0


RUNS = st.builds(Run, st.one_of(st.just(math.nan), SIZES), COSTS, COSTS, st.booleans(), COSTS)


@given(st.lists(RUNS, min_size=1, max_size=60), st.booleans())
def test_estimates_are_finite_ordered_and_of_a_bounded_number_of_runs(
    runs: list[Run], first: bool
) -> None:
    model = CostModel()
    for one in runs:
        model.add(one)
    assert len(model.known()) <= KEPT_RUNS + KEPT_FIRST
    for size in (math.nan, 1e-3, 1.0, 1e6):
        estimate = model.estimate(size, first=first)
        assert estimate is not None
        assert all(math.isfinite(value) for value in estimate)
        assert 0.0 <= estimate.low <= estimate.p95 <= estimate.high
        assert estimate.reserve >= estimate.p95


@given(st.lists(st.tuples(st.floats(1.0, 4.0), st.floats(0.0, 500.0)), min_size=1, max_size=45))
@example([(1.0, 0.0), (1.0, 0.0), (1.00390625, 1.0)])
@example([(1.0, 0.0), (1.0, 0.0), (1.0, 0.0), (1.25, 52.0), (1.0000000000000002, 52.0)])
def test_what_is_set_aside_stays_within_reach_of_what_was_seen(
    seen: list[tuple[float, float]],
) -> None:
    model = CostModel(resolution=1.0)
    for size, cost in seen:
        model.add(run(cost, size))
    largest = max(cost for _, cost in seen)
    for size in (1.0, 2.0, 4.0):
        estimate = model.estimate(size)
        assert estimate is not None
        assert estimate.reserve <= 1000.0 * max(1.0, largest)


def test_many_small_runs_do_not_make_it_forget_what_large_ones_take() -> None:
    model = CostModel()
    for size in (16.0, 12.0, 10.0, 14.0):
        model.add(run(20.0 * size, size))
    for number in range(10 * KEPT_RUNS):
        model.add(run(0.0 if number % 2 else 20.0, 1.0))
    assert len(model.known()) <= KEPT_RUNS
    estimate = model.estimate(16.0)
    assert estimate is not None
    assert 250.0 < estimate.p95 < 400.0


def redrawn_after(model: CostModel, told: Run) -> int:
    """How many such runs it takes until the curve is drawn again."""
    drawn = model.estimate(told.size)
    for count in range(1, 100):
        model.add(told)
        if model.estimate(told.size) is not drawn:
            return count
    raise AssertionError("never")


def test_many_runs_as_expected_have_the_curve_drawn_again_now_and_then_and_any_other_at_once() -> (
    None
):
    model = CostModel()
    for _ in range(40):
        model.add(run(100.0, 10.0))
    redrawn_after(model, run(99.0, 10.0))
    assert redrawn_after(model, run(99.0, 10.0)) == 5
    assert redrawn_after(model, run(130.0, 10.0)) == 1
    assert redrawn_after(model, run(100.0, 20.0)) == 1


def test_few_runs_have_the_curve_drawn_again_each_time() -> None:
    model = CostModel()
    assert [redrawn_after(model, run(100.0)) for _ in range(8)] == [1] * 8


def test_what_nobody_waits_for_is_told_once_the_curve_is_drawn_again() -> None:
    model = CostModel()
    for _ in range(40):
        model.add(run(100.0, 10.0), at_once=False)
    model.redraw()
    before = model.estimate(10.0)
    model.add(run(130.0, 10.0), at_once=False)
    assert model.estimate(10.0) is before
    assert model.due
    model.redraw()
    assert not model.due
    after = model.estimate(10.0)
    assert before is not None
    assert after is not None
    assert after.reserve > before.reserve
