"""The decaying histogram against the percentile of a plain list with weights."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.limits.usage import GROWTH, HALF_LIFE, DecayingHistogram

DAY = 86_400.0
VALUES = st.one_of(st.just(0.0), st.floats(1e-6, 1e9))
SEEN = st.lists(st.tuples(st.floats(0.0, 20 * DAY), VALUES), min_size=1, max_size=80)


def filled(seen: list[tuple[float, float]]) -> DecayingHistogram:
    histogram = DecayingHistogram()
    for at, value in seen:
        histogram.add(at, value)
    return histogram


def plain_percentile(
    seen: list[tuple[float, float]], percent: float, *, top: bool = False
) -> float:
    """The weighted percentile, from below or from the top, by sorting."""
    ordered = sorted(((value, 2.0 ** (at / HALF_LIFE)) for at, value in seen), reverse=top)
    wanted = sum(weight for _, weight in ordered) * percent / 100.0 * (1.0 - 1e-9)
    total = 0.0
    for value, weight in ordered:
        total += weight
        if total >= wanted:
            return value
    return ordered[-1][0]


@given(SEEN, st.floats(0.1, 100.0))
@settings(max_examples=200)
def test_percentiles_are_those_of_the_weighted_values_within_a_bucket(
    seen: list[tuple[float, float]], percent: float
) -> None:
    histogram = filled(seen)
    above, below = plain_percentile(seen, percent), plain_percentile(seen, percent, top=True)
    rounding = 1.0 + 1e-9
    assert above / rounding <= histogram.not_above(percent) <= above * GROWTH * rounding
    assert below / GROWTH / rounding <= histogram.not_below(percent) <= below * rounding


@given(SEEN)
def test_the_order_in_which_values_come_does_not_matter(seen: list[tuple[float, float]]) -> None:
    forward, backward = filled(seen), filled(seen[::-1])
    assert forward.not_above(90.0) == backward.not_above(90.0)
    assert forward.filled(20 * DAY, 10.0) == pytest.approx(backward.filled(20 * DAY, 10.0))


@given(SEEN, st.sampled_from([1e-3, 1e3]))
def test_the_unit_does_not_matter(seen: list[tuple[float, float]], scale: float) -> None:
    scaled = filled([(at, value * scale) for at, value in seen])
    expected = filled(seen).not_above(75.0) * scale
    assert scaled.not_above(75.0) == pytest.approx(expected, rel=2 * (GROWTH - 1.0))


def test_what_was_seen_a_half_life_ago_counts_half() -> None:
    histogram = filled([(0.0, 100.0), (HALF_LIFE, 10.0)])
    assert histogram.not_above(66.0) == pytest.approx(10.0, rel=0.02)  # weights 1 and 2
    assert histogram.not_above(67.0) == pytest.approx(100.0, rel=0.02)


def test_a_peak_is_forgotten_after_some_days() -> None:
    histogram = filled([(0.0, 1000.0)])
    for number in range(1, 6 * 8640):
        histogram.add(number * 10.0, 100.0)
    assert histogram.not_above(99.99) < 103.0


def test_a_half_life_of_observations_fills_half_and_watching_on_the_rest() -> None:
    histogram = DecayingHistogram()
    for number in range(8640):
        histogram.add(number * 10.0, 5.0)
    assert histogram.filled(DAY, 10.0) == pytest.approx(0.5, abs=0.001)
    assert histogram.filled(2 * DAY, 10.0) == pytest.approx(0.25, abs=0.001)  # nobody watched
    for number in range(8640, 10 * 8640):
        histogram.add(number * 10.0, 5.0)
    assert 0.998 < histogram.filled(10 * DAY, 10.0) <= 1.0


def test_years_neither_overflow_nor_take_memory() -> None:
    histogram = DecayingHistogram()
    for day in range(4000):
        for value in (1e-300, 0.0, -5.0, 1e300, math.inf, float(day + 1), math.nan):
            histogram.add(day * DAY, value)
    assert len(histogram._weights) < 2803
    assert math.isfinite(histogram.not_above(50.0))
    assert histogram.not_above(10.0) == 0.0


def test_without_a_value_there_is_no_percentile() -> None:
    assert math.isnan(DecayingHistogram().not_above(50.0))
    assert math.isnan(DecayingHistogram().not_below(50.0))
    assert DecayingHistogram().filled(10.0, 10.0) == 0.0
