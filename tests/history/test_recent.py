"""The slope of the newest readings: exact on a line, zero when unknown, never infinite."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.history.recent import RecentSlope


@given(
    slope=st.floats(-1e3, 1e3), start=st.floats(-1e6, 1e6), step=st.floats(0.05, 5.0),
    count=st.integers(3, 40),
)  # fmt: skip
def test_on_a_straight_line_it_is_the_line_s_slope(
    slope: float, start: float, step: float, count: int
) -> None:
    recent = RecentSlope()
    for number in range(count):
        recent.add(1000.0 + number * step, start + slope * number * step)
    assert recent.slope() == pytest.approx(slope, rel=1e-3, abs=1e-3)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(allow_nan=True, allow_infinity=False))))
def test_it_is_always_a_finite_number(readings: list[tuple[float, float]]) -> None:
    recent = RecentSlope()
    for seconds, value in readings:
        recent.add(seconds, value)
    assert math.isfinite(recent.slope())


def test_with_fewer_than_three_readings_it_is_zero() -> None:
    recent = RecentSlope()
    recent.add(1.0, 10.0)
    recent.add(2.0, 90.0)
    assert recent.slope() == 0.0


def test_a_missing_reading_and_one_that_is_not_later_are_left_out() -> None:
    recent = RecentSlope()
    for seconds, value in ((1, 1), (2, 2), (2, 99), (2.5, math.nan), (3, 3), (1, -50)):
        recent.add(float(seconds), float(value))
    assert recent.slope() == pytest.approx(1.0)


def test_growth_that_is_over_is_forgotten_within_seconds() -> None:
    recent = RecentSlope()
    for second in range(10):
        recent.add(float(second), 100.0 * second)
    for second in range(10, 15):
        recent.add(float(second), 900.0)
    assert recent.slope() == pytest.approx(0.0)


def test_work_that_comes_and_goes_is_no_growth() -> None:
    recent = RecentSlope()
    for tick in range(60):
        recent.add(0.1 * tick, 300.0 if tick % 5 < 3 else 100.0)
        if tick > 30:
            assert recent.slope() == 0.0
