"""A forecaster that runs for days on whatever comes: small, sound, hardly worse than naive."""

from __future__ import annotations

import gc
import math
import tracemalloc
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.forecast import Forecast, Forecaster
from amptalk.forecast.experts.team import TEAM

H = 12
LARGEST = 20_000
"""Bytes alive of a forecaster of twelve steps."""
anything = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, 1e100, -1e308, 5e-324]))
moments = st.floats(-1e18, 1e18)


def sound(forecast: Forecast, limit: float) -> None:
    lower, upper = forecast.interval(0.9)
    for low, mean, high in zip(lower, forecast.mean, upper, strict=True):
        assert -math.inf < low <= mean <= high < math.inf
    for persistence in (1, 2):
        assert 0.0 < forecast.breach_probability(limit, persistence) < 1.0
    told = forecast.time_to(limit)
    assert 0.0 <= told.earliest <= told <= told.latest
    assert math.isfinite(forecast.slope)


@given(st.lists(st.tuples(anything, moments), max_size=120), st.floats(-1e300, 1e300))
@settings(max_examples=150, deadline=None)
@pytest.mark.parametrize("period", [None, 1.0, 600.0])
def test_whatever_comes_and_whenever_every_answer_is_sound(
    period: float | None, readings: list[tuple[float, float]], limit: float
) -> None:
    forecaster = Forecaster(H, period)
    for value, seconds in readings:
        forecaster.update(value, seconds)
        if not math.isnan(forecaster.forecast().value):
            sound(forecaster.forecast(), limit)


@given(st.lists(st.tuples(anything, st.floats(0.0, 20.0)), max_size=120), st.floats(-1e300, 1e300))
@settings(max_examples=150, deadline=None)
def test_irregular_readings_with_gaps_are_answered_too(
    readings: list[tuple[float, float]], limit: float
) -> None:
    forecaster, now = Forecaster(H, 1.0), -50.0
    for value, spacing in readings:
        now += spacing
        forecaster.update(value, now)
        if not math.isnan(forecaster.forecast().value):
            sound(forecaster.forecast(), limit)


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, 1e16, -1e300])
def test_a_reading_at_no_time_is_left_out(seconds: float) -> None:
    forecaster = Forecaster(H, 1.0)
    forecaster.update(1.0, 0.0)
    forecaster.update(9.0, seconds)
    assert forecaster.forecast().value == 1.0
    forecaster.update(2.0, 1.0)
    assert forecaster.forecast().value == 2.0


def test_days_before_the_clock_began_are_days() -> None:
    def error(begin: float) -> float:
        forecaster = Forecaster(H, 600.0)
        missed = 0.0
        for i in range(4 * 144):
            value = 50.0 + 30.0 * math.sin(2 * math.pi * i / 144)
            forecaster.update(value, begin + 600.0 * i)
            if i >= 3 * 144:
                expected = 50.0 + 30.0 * math.sin(2 * math.pi * (i + H) / 144)
                missed += abs(forecaster.forecast().mean[-1] - expected)
        return missed

    assert error(-9.0 * 86_400.0) < 1.2 * error(0.0)


@pytest.mark.parametrize("seconds", [1.0, 60.0])
def test_it_is_small_and_does_not_grow(seconds: float) -> None:
    random = Random(1)
    values = [random.gauss(50.0 + i % 7, 1.0) for i in range(2200)]

    def live(first: int, last: int) -> int:
        for i in range(first, last):
            forecaster.update(values[i], i * seconds)
            forecast = forecaster.forecast()
            forecast.interval(0.9)
            forecast.breach_probability(55.0 + i % 9)
        del forecast
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        forecaster = Forecaster(H, seconds)
        early, late = live(0, 1500), live(1500, 2200)
    finally:
        tracemalloc.stop()
    assert late <= LARGEST
    assert late <= 1.02 * early + 200


def error_ratios(values: Sequence[float], warm: int) -> list[float]:
    """Of each step, to those of the last value."""
    forecaster = Forecaster(H, 1.0)
    ours, last = [0.0] * H, [1e-12] * H
    for position, value in enumerate(values[:-H]):
        forecaster.update(value, float(position))
        if position >= warm:
            for ahead, mean in enumerate(forecaster.forecast().mean):
                ours[ahead] += abs(mean - values[position + ahead + 1])
                last[ahead] += abs(value - values[position + ahead + 1])
    return [a / b for a, b in zip(ours, last, strict=True)]


@pytest.mark.parametrize("seed", range(4))
def test_on_a_random_walk_it_is_within_two_percent_of_the_last_value(seed: int) -> None:
    random, values = Random(seed), [0.0]
    for _ in range(4000):
        values.append(values[-1] + random.gauss(0.0, 1.0))
    ratios = error_ratios(values, 1600)
    assert sum(ratios) / H <= 1.02


def test_on_plateaus_it_is_within_two_percent_of_the_last_value() -> None:
    random, values = Random(5), list[float]()
    while len(values) < 4000:
        level = random.uniform(300.0, 2500.0)
        values += [level + random.gauss(0.0, 2.0) for _ in range(random.randint(20, 240))]
    assert sum(error_ratios(values, 1600)) / H <= 1.02


@pytest.mark.parametrize(("slope", "sd", "count"), [(2.0, 10.0, 200), (0.05, 5.0, 2000)])
def test_a_ramp_however_slow_meets_its_limit_when_it_does(
    slope: float, sd: float, count: int
) -> None:
    close = 0
    for seed in range(8):
        random, forecaster = Random(seed), Forecaster(H, 1.0)
        for i in range(count):
            forecaster.update(100.0 + slope * i + random.gauss(0.0, sd), float(i))
        told = forecaster.forecast().time_to(100.0 + 3.0 * slope * count)
        close += abs(told - 2.0 * count) <= 0.2 * 2.0 * count
    assert close >= 7


def test_every_part_of_the_team_can_be_left_out() -> None:
    for left in range(len(TEAM) + 1):
        forecaster = Forecaster(H, 1.0, TEAM[:left])
        for i in range(100):
            forecaster.update(float(i % 5), float(i))
        sound(forecaster.forecast(), 3.0)
