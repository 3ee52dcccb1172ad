"""Nine in ten, whatever the errors are like, and again soon after they change."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.forecast import Forecaster
from amptalk.forecast.intervals import TRACKED, Intervals

H = 12
finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.lists(finite, min_size=3, max_size=3), max_size=60), st.floats(0.0, 0.5))
@settings(deadline=None)
def test_bounds_are_finite_and_on_either_side_of_what_is_expected(
    errors: list[list[float]], tail: float
) -> None:
    intervals = Intervals(3)
    for each in errors:
        intervals.learn(each)
    lower, upper = intervals.bounds(tail)
    assert all(
        -math.inf < low <= 0.0 <= high < math.inf for low, high in zip(lower, upper, strict=True)
    )


def test_before_errors_are_known_they_are_taken_as_normal_and_growing() -> None:
    lower, upper = Intervals(4).bounds(0.5 * (1.0 - (2.0 * TRACKED - 1.0)))
    assert upper == pytest.approx([1.0, math.sqrt(2.0), math.sqrt(3.0), 2.0])
    assert lower == pytest.approx([-high for high in upper])


def test_each_side_has_its_own_bound() -> None:
    random, intervals = Random(1), Intervals(2)
    for _ in range(3000):
        error = random.expovariate(1.0)
        intervals.learn([error, error])
    lower, upper = intervals.bounds(0.05)
    assert -lower[0] < 0.1
    assert upper[0] == pytest.approx(-math.log(0.05), rel=0.35)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_bounds_of_other_coverages_hold_as_often_as_they_say(coverage: float) -> None:
    random, intervals, held = Random(2), Intervals(2), 0
    for turn in range(6000):
        error = random.gauss(0.0, 1.0)
        if turn >= 1000:
            lower, upper = intervals.bounds(0.5 * (1.0 - coverage))
            held += lower[0] <= error <= upper[0]
        intervals.learn([error, error])
    assert held / 5000 == pytest.approx(coverage, abs=0.04)


def white(random: Random, before: float, turn: int) -> float:
    return random.gauss(0.0, 1.0)


def swinging(random: Random, before: float, turn: int) -> float:
    return 0.9 * before + random.gauss(0.0, 1.0)


def wandering(random: Random, before: float, turn: int) -> float:
    return before + random.gauss(0.0, 1.0)


def heavy(random: Random, before: float, turn: int) -> float:
    """Student's t with 2 degrees of freedom: no variance."""
    return random.gauss(0.0, 1.0) / math.sqrt(0.5 * random.gammavariate(1.0, 2.0))


def lopsided(random: Random, before: float, turn: int) -> float:
    return random.expovariate(1.0) ** 2


def growing(random: Random, before: float, turn: int) -> float:
    """The noise becomes three times as large in the middle."""
    return random.gauss(0.0, 1.0 if turn < 1500 else 3.0)


def shifted(random: Random, before: float, turn: int) -> float:
    return random.gauss(0.0, 1.0) + (200.0 if turn >= 1500 else 0.0)


@pytest.mark.parametrize("noise", [white, swinging, wandering, heavy, lopsided, growing, shifted])
def test_ninety_percent_hold_at_every_step_on_noise(
    noise: Callable[[Random, float, int], float],
) -> None:
    warm, count = 500, 3000
    random, forecaster = Random(3), Forecaster(H, 1.0)
    said: list[tuple[tuple[float, ...], tuple[float, ...]]] = []
    held, value = [0] * H, 0.0
    for turn in range(count):
        value = noise(random, value, turn)
        for ahead, (lower, upper) in enumerate(reversed(said[-H:])):
            held[ahead] += turn >= warm and lower[ahead] <= value <= upper[ahead]
        forecaster.update(value, float(turn))
        forecast = forecaster.forecast()
        lower, upper = forecast.interval(0.9)
        said.append((lower, upper))
        for low, mean, high in zip(lower, forecast.mean, upper, strict=True):
            assert low <= mean <= high
    shares = [count_held / (count - warm) for count_held in held]
    assert 0.88 <= shares[0] <= 0.92
    assert all(0.86 <= share <= 0.94 for share in shares)


def test_after_hours_of_rest_they_are_as_wide_as_before_it() -> None:
    random, forecaster, now = Random(4), Forecaster(H, 1.0), 0
    widths = []
    for length, sd in ((600, 1.0), (4000, 0.0), (1000, 1.0)):
        for _ in range(length):
            forecaster.update(random.gauss(50.0, sd), float(now))
            now += 1
        lower, upper = forecaster.forecast().interval(0.9)
        widths.append(upper[0] - lower[0])
    assert widths[1] < 0.1 * widths[0]
    assert 0.5 * widths[0] < widths[2] < 2.0 * widths[0]
