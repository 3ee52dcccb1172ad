"""Rests pace work to an allocation."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.admission_rests import LONGEST_REST, Rests


@given(pace=st.floats(0.2, 0.99), seconds=st.floats(0.01, 1.0))
def test_work_and_its_rests_run_the_share_of_the_time_that_is_allowed(
    pace: float, seconds: float
) -> None:
    rests = Rests()
    rests.set_pace(pace)
    now = 0.0
    for _ in range(10):
        now += seconds
        rests.add(seconds, now)
        now = rests.next(now)
        rests.take()
    assert 10 * seconds / now == pytest.approx(pace)


def test_the_one_that_ends_first_is_taken_first() -> None:
    rests = Rests()
    rests.set_pace(0.5)
    rests.add(3.0, 0.0)
    rests.add(1.0, 0.5)
    assert rests.next(0.5) == 1.5
    rests.take()
    assert rests.next(1.5) == 3.0


def test_none_lasts_longer_than_the_longest_and_none_is_kept_for_longer() -> None:
    rests = Rests()
    rests.set_pace(0.05)
    rests.add(100.0, 0.0)
    assert rests.next(0.0) == LONGEST_REST
    assert rests.next(2.0 * LONGEST_REST) == LONGEST_REST
    assert rests.next(2.0 * LONGEST_REST + 0.1) == -math.inf


def test_nothing_is_owed_with_all_of_it_allowed() -> None:
    rests = Rests()
    rests.set_pace(0.5)
    rests.add(1.0, 0.0)
    rests.set_pace(1.0)
    assert rests.next(0.0) == -math.inf
    rests.add(1.0, 0.0)
    rests.take()
    assert rests.next(0.0) == -math.inf
