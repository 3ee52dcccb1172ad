"""A day is learned in a day, and nothing is said before."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.forecast.profile import DAY, DailyProfile

MINUTE = 60.0


def wave(seconds: float) -> float:
    return 50.0 + 20.0 * math.sin(2.0 * math.pi * seconds / DAY)


def learned(days: float, begin: float = 0.0, size: float = 1.0) -> DailyProfile:
    profile = DailyProfile()
    for minute in range(round(days * 1440)):
        seconds = begin + minute * MINUTE
        profile.add(size * wave(seconds), seconds)
    return profile


def test_before_most_of_a_day_it_says_nothing() -> None:
    assert DailyProfile().rises(0.0, MINUTE, 12) is None
    assert learned(0.85).rises(0.85 * DAY, MINUTE, 12) is None


def test_it_says_nothing_of_hours_that_were_never_seen() -> None:
    profile = learned(0.95)
    assert profile.rises(0.5 * DAY, MINUTE, 12) is not None
    assert profile.rises(0.97 * DAY, MINUTE, 12) is None


@pytest.mark.parametrize("begin", [0.0, 12_345.0, -3.5 * DAY, 1.7e9])
@pytest.mark.parametrize("at", [0.0, 0.2, 0.55, 0.9])
def test_after_a_day_it_knows_how_the_next_one_rises(begin: float, at: float) -> None:
    profile = learned(1.2, begin)
    now = begin + (1.2 + at) * DAY
    rises = profile.rises(now, 300.0, 12)
    assert rises == pytest.approx(
        [wave(now + i * 300.0) - wave(now) for i in range(1, 13)], abs=0.5
    )


def test_a_day_has_no_seam_where_the_clock_is_nought() -> None:
    profile = DailyProfile()
    for minute in range(-1440, 1440):
        profile.add(0.0 if minute < 0 else wave(minute * MINUTE), minute * MINUTE)
    # The bin before time 0 is of the day before, as the one after is of this day.
    assert profile._values[0] == pytest.approx(0.35 * wave(300.0), rel=0.05)


def test_a_new_habit_is_followed_within_days() -> None:
    profile = learned(2.0)
    for minute in range(2 * 1440, 8 * 1440):
        profile.add(2.0 * wave(minute * MINUTE), minute * MINUTE)
    rises = profile.rises(8.0 * DAY, 1800.0, 6)
    assert rises is not None
    assert rises[-1] == pytest.approx(2.0 * (wave(3.0 * 3600.0) - wave(0.0)), rel=0.15)


def test_a_step_longer_than_a_bin_is_answered_too() -> None:
    rises = learned(1.2).rises(2.0 * DAY, DAY / 4.0, 4)
    assert rises == pytest.approx([20.0, 0.0, -20.0, 0.0], abs=0.5)


@given(
    st.lists(st.tuples(st.floats(-1e100, 1e100), st.floats(-1e15, 1e15)), min_size=1, max_size=300),
    st.floats(10.0, 1e6),
)
@settings(max_examples=50, deadline=None)
def test_whatever_came_it_says_nothing_or_finite_rises(
    readings: list[tuple[float, float]], step: float
) -> None:
    profile = learned(1.0)
    for value, seconds in sorted(readings, key=lambda reading: reading[1]):
        profile.add(value, seconds)
        rises = profile.rises(seconds, step, 12)
        assert rises is None or all(map(math.isfinite, rises))
