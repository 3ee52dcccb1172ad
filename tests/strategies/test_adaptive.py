"""Strategy `adaptive`: recognises patterns, changes for them, and is better for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.model.decision import MINIMUM_SHARE
from amptalk.model.level import Level
from amptalk.strategies.adaptive import Adaptive
from amptalk.strategies.dynamic import Dynamic
from amptalk.strategies.patterns import Pattern, PatternWatch, recognise
from tests.strategies.observations import observed, state
from tests.strategies.plants import PLANTS, Bursty, Noisy, Periodic, Plant, Steady, run

SEEDS = range(6)


def bursts(random: Random, count: int) -> list[float]:
    on, values = False, []
    for _ in range(count):
        if random.random() < 0.04:
            on = not on
        values.append((0.8 if on else 0.25) + random.gauss(0, 0.01))
    return values


def shape(make: Callable[[int], float], sd: float) -> Callable[[Random, int], list[float]]:
    return lambda random, count: [make(i) + random.gauss(0, sd) for i in range(count)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("pattern", "series"),
    [
        (Pattern.STEADY, shape(lambda i: 0.5, 0.005)),
        (Pattern.RAMP, shape(lambda i: 0.2 + 0.003 * i, 0.01)),
        (Pattern.PERIODIC, shape(lambda i: 0.5 + 0.2 * math.sin(i / 6), 0.02)),
        (Pattern.NOISY, shape(lambda i: 0.5, 0.06)),
        (Pattern.BURSTY, bursts),
    ],
)
def test_patterns_are_recognised(
    pattern: Pattern, series: Callable[[Random, int], list[float]], seed: int
) -> None:
    watch = PatternWatch(1.0)
    for second, value in enumerate(series(Random(seed), 400)):
        watch.add(float(second), value)
    assert watch.pattern is pattern


def test_too_little_has_no_pattern() -> None:
    assert recognise([0.5] * 20) is Pattern.UNKNOWN


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), max_size=180))
def test_any_series_has_some_pattern(values: list[float]) -> None:
    assert recognise(values) in Pattern


def test_one_odd_look_does_not_change_the_pattern() -> None:
    watch, random = PatternWatch(1.0), Random(1)
    for second in range(300):
        watch.add(float(second), 0.5 + random.gauss(0, 0.004))
    assert watch.pattern is Pattern.STEADY
    watch.add(300.0, 0.9)
    for second in range(301, 316):
        watch.add(float(second), 0.5)
    assert watch.pattern is Pattern.STEADY


def test_faster_ticks_do_not_shorten_what_is_looked_at() -> None:
    slow, fast = PatternWatch(1.0), PatternWatch(1.0)
    for tick in range(4000):
        value = 0.5 + 0.2 * math.sin(tick / 60)
        fast.add(tick * 0.1, value)
        if tick % 10 == 0:
            slow.add(tick * 0.1, value)
    assert fast.pattern is slow.pattern is Pattern.PERIODIC


def costs(plant: type[Plant]) -> tuple[float, float]:
    """Mean cost (percent of time over plus percent of work lost): adaptive, dynamic."""
    ours = fmean(run(plant, Adaptive(), seed).cost for seed in SEEDS)
    theirs = fmean(run(plant, Dynamic(), seed).cost for seed in SEEDS)
    return ours, theirs


@pytest.mark.parametrize("plant", [Noisy, Bursty])
def test_where_noise_is_not_the_usual_it_is_better_than_dynamic(plant: type[Plant]) -> None:
    ours, theirs = costs(plant)
    assert ours < theirs


def test_on_the_other_plants_it_is_hardly_worse() -> None:
    for plant in (*PLANTS, Periodic, Steady):
        ours, theirs = costs(plant)
        assert ours <= 1.05 * theirs + 0.2, plant


def test_the_reason_names_the_pattern() -> None:
    strategy, random = Adaptive(), Random(2)
    for second in range(200):
        value = 500.0 + random.gauss(0, 2)
        decision = strategy.decide(observed(float(second), state(value=value)))
    assert strategy.pattern("memory") is Pattern.STEADY
    assert "steady" in decision.allocations[0].reason
    assert strategy.pattern("cpu") is Pattern.UNKNOWN


def test_samples_are_wanted_faster_near_a_limit_and_never_slower_than_nominal() -> None:
    strategy = Adaptive(2.0)
    for step in range(200):
        decision = strategy.decide(observed(2.0 * step, state(value=500.0)))
        assert decision.interval == 2.0
    near = strategy.decide(observed(401.0, state(value=950.0)))
    assert near.interval == 1.0
    critical = strategy.decide(observed(402.0, state(value=950.0, level=Level.CRITICAL)))
    assert critical.interval == 0.5


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=120),
    st.floats(0.05, 60.0),
)
def test_whatever_is_measured_share_and_interval_stay_in_range(
    values: list[float], interval: float
) -> None:
    strategy = Adaptive(interval)
    for position, value in enumerate(values):
        decision = strategy.decide(observed(position * interval, state(value=value)))
        assert MINIMUM_SHARE <= decision.share("memory") <= 1.0
        assert decision.interval is not None
        assert 0.1 * interval <= decision.interval <= 4.0 * interval
