"""Strategy `predictive`: ahead of announced work and of growth, otherwise as `dynamic`."""

from __future__ import annotations

from random import Random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.model.announcement import Announcement
from amptalk.model.decision import MINIMUM_SHARE
from amptalk.strategies.dynamic import Dynamic
from amptalk.strategies.predictive import Predictive
from tests.strategies.observations import observed, state
from tests.strategies.plants import PLANTS, Periodic, Visited, run

SEEDS = range(5)


def test_without_history_it_answers_as_dynamic_does() -> None:
    for value in (100.0, 900.0, 1100.0):
        seen = observed(0.0, state(value=value))
        assert Predictive().decide(seen).share("memory") == Dynamic().decide(seen).share("memory")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.01, 50.0),
            st.sampled_from(["cpu", "memory", "temperature"]),
            st.floats(allow_nan=True, allow_infinity=True),
            st.floats(0.0, 1e9),
            st.floats(-100.0, 100.0),
        ),
        max_size=40,
    )
)
def test_whatever_is_measured_or_announced_a_share_lies_between_the_minimum_and_one(
    ticks: list[tuple[float, str, float, float, float]],
) -> None:
    strategy, now = Predictive(), 0.0
    for elapsed, name, value, amount, starts in ticks:
        now += elapsed
        announced = (Announcement(name, amount, starts, 10.0),)
        seen = observed(now, state(name, value, 80.0), announcements=announced)
        (allocation,) = strategy.decide(seen).allocations
        assert MINIMUM_SHARE <= allocation.share <= 1.0
        if allocation.expected is not None:
            assert 0.0 <= allocation.expected.probability <= 1.0


def test_announced_work_is_awaited_within_the_limit_where_feedback_comes_too_late() -> None:
    visits = Visited(Random(0)).coming
    blind = [run(Visited, Predictive(), seed) for seed in SEEDS]
    told = [run(Visited, Predictive(), seed, announced=visits) for seed in SEEDS]
    assert fmean(s.over for s in blind) > 3.0
    assert fmean(s.over for s in told) < 0.5
    assert max(s.peak for s in told) < 10.0
    assert fmean(s.lost for s in told) < fmean(s.lost for s in blind) + 20.0


def test_announced_demand_is_set_aside_just_before_and_not_counted_twice_after() -> None:
    strategy = Predictive()
    shares = {}
    for second in range(100):
        starts = 50.0 - second
        value = 60.0 if starts > 0 else 79.0
        coming = (Announcement("cpu", 30.0, starts, 100.0),)
        seen = observed(float(second), state("cpu", value, 100.0), announcements=coming)
        (allocation,) = strategy.decide(seen).allocations
        shares[second] = allocation.share
        if second == 49:
            assert "set aside" in allocation.reason
            assert "30 %" in allocation.reason
    assert shares[40] == 1.0
    assert shares[55] > 0.8


def test_announcements_for_other_resources_leave_one_alone() -> None:
    strategy = Predictive()
    coming = (Announcement("gpu_memory", 900.0, 1.0, 10.0),)
    for second in range(10):
        seen = observed(float(second), state(value=500.0), announcements=coming)
        assert strategy.decide(seen).share("memory") == 1.0


def test_growth_is_told_with_when_and_how_fast() -> None:
    strategy = Predictive()
    texts = []
    for second in range(70):
        seen = observed(float(second), state(value=100.0 + 12.0 * second))
        (allocation,) = strategy.decide(seen).allocations
        texts.append(allocation.reason)
    last = texts[-1]
    assert "memory reaches 1000 MB in" in last
    assert "+12 MB/s" in last
    assert allocation.expected is not None
    assert allocation.expected.seconds == pytest.approx(900 / 12 - 69, abs=3)


def test_it_holds_the_plants_as_dynamic_does() -> None:
    for plant in PLANTS:
        ours = fmean(run(plant, Predictive(), seed, 900).cost for seed in SEEDS)
        theirs = fmean(run(plant, Dynamic(), seed, 900).cost for seed in SEEDS)
        assert ours <= 1.1 * theirs + 0.3, plant


def test_a_neighbour_that_comes_and_goes_is_over_less_often_than_under_dynamic() -> None:
    ours = fmean(run(Periodic, Predictive(), seed).over for seed in SEEDS)
    assert ours < 0.9 * fmean(run(Periodic, Dynamic(), seed).over for seed in SEEDS)
