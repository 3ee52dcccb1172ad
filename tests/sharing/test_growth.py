"""A grant that grew is known demand until it is taken up or ten seconds are over."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from amptalk.model.announcement import Announcement
from amptalk.model.resource import CPU, MEMORY
from amptalk.model.sample import FIELDS, INDEX, Sample
from amptalk.sharing.growth import TAKE_UP_SECONDS, Growth


def seen(now: float, used: float) -> Sample:
    row = [math.nan] * len(FIELDS)
    row[INDEX["memory_used_mb"]] = used
    return Sample(0.0, now, tuple(row))


def test_without_growth_the_answer_is_the_same_empty_tuple() -> None:
    growth = Growth()
    assert growth.coming(seen(0.0, 100.0)) is growth.coming(seen(1.0, 200.0))


def test_what_the_total_rose_by_is_taken_up() -> None:
    growth = Growth()
    growth.note(MEMORY, 300.0, seen(0.0, 500.0))
    assert growth.coming(seen(1.0, 500.0)) == (Announcement("memory", 300.0, 0.0, math.inf),)
    assert growth.coming(seen(2.0, 620.0))[0].amount == 180.0
    assert growth.coming(seen(3.0, 800.0)) == ()


def test_two_that_grow_are_told_together_and_a_rise_counts_once() -> None:
    growth = Growth()
    growth.note(MEMORY, 300.0, seen(0.0, 500.0))
    growth.note(MEMORY, 100.0, seen(2.0, 600.0))
    assert growth.coming(seen(2.0, 600.0))[0].amount == 300.0
    assert growth.coming(seen(3.0, 750.0))[0].amount == 150.0


def test_what_is_not_taken_up_in_time_is_not_wanted() -> None:
    growth = Growth()
    growth.note(MEMORY, 300.0, seen(0.0, 500.0))
    assert growth.coming(seen(TAKE_UP_SECONDS, 500.0)) == ()


def test_of_what_is_not_measured_nothing_is_told() -> None:
    growth = Growth()
    growth.note(CPU, 30.0, seen(0.0, 500.0))
    assert growth.coming(seen(1.0, 500.0)) == ()


@given(
    st.lists(st.tuples(st.floats(0.1, 5.0), st.floats(0.0, 500.0), st.floats(0.0, 2000.0))),
)
def test_never_more_is_told_than_was_granted(steps: list[tuple[float, float, float]]) -> None:
    growth, now, granted = Growth(), 0.0, 0.0
    for seconds, amount, used in steps:
        now += seconds
        granted += amount
        growth.note(MEMORY, amount, seen(now, used))
        assert sum(one.amount for one in growth.coming(seen(now, used))) <= granted + 1e-6
