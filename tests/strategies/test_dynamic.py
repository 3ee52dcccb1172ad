"""Strategy `dynamic`: what it promises whatever is measured, and how well it holds plants."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from random import Random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.model.decision import MINIMUM_SHARE, Strategy
from amptalk.model.level import Level
from amptalk.model.resource import BUILT_IN
from amptalk.strategies.dynamic import Dynamic
from tests.strategies.observations import observed, state
from tests.strategies.plants import (
    PLANTS,
    Aimd,
    Bursty,
    Leak,
    NoControl,
    Noisy,
    Plant,
    Power,
    Queue,
    Score,
    Steady,
    Thermal,
    run,
)

SEEDS = range(4)


@cache
def scores(make: Callable[[], Strategy], plant: Callable[[Random], Plant]) -> tuple[Score, ...]:
    return tuple(run(plant, make(), seed) for seed in SEEDS)


def mean(make: Callable[[], Strategy], plant: Callable[[Random], Plant], what: str) -> float:
    return fmean(getattr(score, what) for score in scores(make, plant))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 100.0),
            st.sampled_from(sorted(BUILT_IN)),
            st.floats(allow_nan=True, allow_infinity=True),
            st.floats(1e-3, 1e6),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_whatever_is_measured_a_share_lies_between_the_minimum_and_one(
    ticks: list[tuple[float, str, float, float, bool]],
) -> None:
    strategy, now = Dynamic(), 0.0
    for elapsed, name, value, limit, fresh in ticks:
        now += elapsed
        (allocation,) = strategy.decide(
            observed(now, state(name, value, limit, fresh=fresh))
        ).allocations
        assert MINIMUM_SHARE <= allocation.share <= 1.0
        assert allocation.resource == name
        assert allocation.reason


def test_nothing_new_gives_the_same_decision_and_a_first_value_counts_at_once() -> None:
    strategy = Dynamic()
    missing = state("power", math.nan, 10.0)
    decisions = [
        strategy.decide(observed(float(second), state("memory", 50.0, 100.0), missing))
        for second in range(8)
    ]
    assert decisions[-1] is decisions[1]
    assert "power is not measured" in decisions[-1].allocations[1].reason
    for second in range(8, 12):
        decision = strategy.decide(
            observed(float(second), state("memory", 50.0, 100.0), state("power", 15.0, 10.0))
        )
    assert decision.share("power") < 1.0
    assert decision.share("memory") == 1.0


def test_limits_in_another_order_keep_their_own_answers() -> None:
    strategy = Dynamic()
    memory = state("memory", math.nan, 10.0)
    power = state("power", math.nan, 10.0)
    for now, states in enumerate([(memory, power), (power, memory), (memory,), (power,)]):
        decision = strategy.decide(observed(float(now), *states))
        names = [allocation.resource for allocation in decision.allocations]
        assert names == [one.resource.name for one in states]


def test_each_limited_resource_has_its_allocation() -> None:
    decision = Dynamic().decide(observed(0.0, *[state(name, 1.0, 80.0) for name in BUILT_IN]))
    assert [a.resource for a in decision.allocations] == list(BUILT_IN)
    assert decision.share(None) == 1.0


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_far_below_the_limit_everything_may_run(name: str) -> None:
    strategy = Dynamic()
    for second in range(50):
        decision = strategy.decide(observed(float(second), state(name, 20.0, 80.0)))
    assert decision.share(name) == 1.0


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_beyond_the_limit_it_cuts_within_two_samples(name: str) -> None:
    strategy = Dynamic()
    for second in range(30):
        strategy.decide(observed(float(second), state(name, 60.0, 80.0)))
    strategy.decide(observed(30.0, state(name, 90.0, 80.0)))
    assert strategy.decide(observed(31.0, state(name, 90.0, 80.0))).share(name) < 0.95


@pytest.mark.parametrize("name", ["cpu", "temperature"])
def test_a_value_that_is_not_fresh_changes_nothing(name: str) -> None:
    strategy = Dynamic()
    for second in range(30):
        strategy.decide(observed(float(second), state(name, 85.0, 80.0)))
    before = strategy.decide(observed(30.0, state(name, 85.0, 80.0)))
    for second in range(31, 100):
        stale = state(name, 10.0, 80.0, fresh=False)
        assert strategy.decide(observed(float(second), stale)) is before


@pytest.mark.parametrize("name", ["cpu", "temperature"])
def test_without_a_value_it_holds_then_lowers_a_little_and_comes_back(name: str) -> None:
    strategy = Dynamic()
    for second in range(10):
        held = strategy.decide(observed(float(second), state(name, 79.0, 80.0))).share(name)
    shares = [
        strategy.decide(observed(float(second), state(name, math.nan, 80.0))).share(name)
        for second in range(10, 200)
    ]
    assert shares[3] == pytest.approx(held)
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == pytest.approx(max(MINIMUM_SHARE, 0.8 * held))
    after = strategy.decide(observed(200.0, state(name, 60.0, 80.0)))
    assert after.share(name) >= held


def test_a_sensor_that_never_gave_a_value_holds_nothing_back() -> None:
    strategy = Dynamic()
    for second in range(100):
        decision = strategy.decide(observed(float(second), state("power", math.nan, 50.0)))
    (allocation,) = decision.allocations
    assert allocation.share == 1.0
    assert "not measured" in allocation.reason


def test_the_reason_says_value_limit_and_share() -> None:
    strategy = Dynamic()
    strategy.decide(observed(0.0, state("cpu", 96.0, 80.0)))
    strategy.decide(observed(3.0, state("cpu", 96.0, 80.0)))
    (allocation,) = strategy.decide(observed(6.0, state("cpu", 96.0, 80.0))).allocations
    assert "96 of 80 %" in allocation.reason
    assert f"{allocation.share:.0%}" in allocation.reason


def test_nothing_new_is_made_while_nothing_changes_but_a_new_level_is_told() -> None:
    strategy = Dynamic()
    first = strategy.decide(observed(0.0, state(value=100.0)))
    assert strategy.decide(observed(1.0, state(value=110.0))) is first
    told = strategy.decide(observed(2.0, state(value=120.0, level=Level.ELEVATED)))
    assert "120" in told.allocations[0].reason


def first_order(tick: float, seconds: float = 1.5, steps: float = 600.0) -> tuple[float, float]:
    """Percent over and mean share on a machine that follows its load within `seconds`."""
    strategy, level, share, now = Dynamic(), 10.0, 1.0, 0.0
    over, done = [], []
    while now < steps:
        level += (1 - math.exp(-tick / seconds)) * (10.0 + 120.0 * share - level)
        now += tick
        share = strategy.decide(observed(now, state("power", level, 80.0))).share("power")
        if now > 60:
            over.append(level > 80.0 * 1.005)
            done.append(share)
    return 100 * fmean(over), fmean(done)


def test_one_infinite_reading_is_forgotten() -> None:
    for name in ("cpu", "temperature"):
        strategy = Dynamic()
        strategy.decide(observed(0.0, state(name, math.inf, 80.0)))
        for second in range(1, 400):
            decision = strategy.decide(observed(float(second), state(name, 30.0, 80.0)))
        assert decision.share(name) == 1.0


@pytest.mark.parametrize("tick", [0.25, 0.5, 1.0, 2.0, 5.0])
def test_the_sampling_interval_does_not_change_what_it_does(tick: float) -> None:
    over, done = first_order(tick)
    assert over < 1.0
    assert done == pytest.approx(70.0 / 120.0, rel=0.06)


@pytest.mark.parametrize(
    ("plant", "over", "lost"),
    [(Thermal, 0.1, 0.5), (Power, 6.0, 4.5), (Leak, 0.5, 1.0), (Bursty, 2.5, 4.5),
     (Queue, 0.6, 0.2), (Steady, 0.1, 1.5), (Noisy, 1.0, 12.0)],
)  # fmt: skip
def test_each_plant_is_held_with_one_configuration(
    plant: type[Plant], over: float, lost: float
) -> None:
    assert mean(Dynamic, plant, "over") <= over
    assert mean(Dynamic, plant, "lost") <= lost
    assert mean(NoControl, plant, "over") > 10 * max(0.1, mean(Dynamic, plant, "over")) or (
        mean(NoControl, plant, "over") > mean(Dynamic, plant, "over") + 20
    )


def test_over_all_plants_it_is_less_over_loses_less_and_moves_less_than_plain_aimd() -> None:
    for what, factor in (("over", 0.4), ("lost", 0.5), ("travel", 0.6)):
        ours = fmean(mean(Dynamic, plant, what) for plant in PLANTS)
        theirs = fmean(mean(Aimd, plant, what) for plant in PLANTS)
        assert ours < factor * theirs, what
