"""A minimum is judged as a maximum of the turned value, and told as it was measured."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.model.level import Level, LimitState, as_measured, turned
from amptalk.model.resource import MEMORY, Resource

RATE = Resource("frames_per_second", "1/s", "rate", "frames_per_second", False, minimum=True)
PLAIN = Resource("queue", "1", "rate", "queue", device_wide=False)
AMOUNTS = st.floats(1e-3, 1e6)


def state(resource: Resource, value: float, limit: float) -> LimitState:
    return LimitState(resource, limit, value, Level.NORMAL, True, False, 0.0, math.inf)


@given(AMOUNTS, st.floats(0.01, 100.0))
def test_a_minimum_is_undercut_exactly_when_its_turned_value_is_over(
    limit: float, share: float
) -> None:
    value = share * limit
    judged = turned(value, limit)
    assert (judged > limit) == (value < limit)
    assert judged / limit == pytest.approx(limit / value)
    assert as_measured(RATE, judged, limit) == pytest.approx(value)
    assert as_measured(MEMORY, value, limit) == value


@pytest.mark.parametrize("value", [0.0, -5.0])
def test_nothing_at_all_is_as_far_under_a_minimum_as_can_be_told(value: float) -> None:
    judged = turned(value, 25.0)
    assert judged == 25_000.0
    assert as_measured(RATE, judged, 25.0) == 0.0


def test_people_are_told_what_was_measured() -> None:
    assert state(MEMORY, 750.0, 1000.0).told == "memory 750 of 1000 MB"
    assert state(RATE, turned(20.0, 25.0), 25.0).told == "frames_per_second 20 of at least 25 1/s"
    assert state(RATE, turned(20.0, 25.0), 25.0).over
    assert state(PLAIN, 7.0, 5.0).told == "queue 7 of 5"
