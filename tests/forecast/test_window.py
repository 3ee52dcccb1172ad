"""The newest numbers in order: what sorting them again would give."""

from __future__ import annotations

import statistics
from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.forecast.window import SortedWindow

single = st.floats(-(2.0**100), 2.0**100, width=32)


@given(st.lists(single, max_size=60), st.integers(1, 12))
def test_it_is_the_last_numbers_sorted(numbers: list[float], size: int) -> None:
    window = SortedWindow(size)
    for number in numbers:
        window.add(number)
    kept = sorted(numbers[-size:])
    assert list(window._sorted) == kept
    assert len(window) == len(kept)
    assert window.median() == (statistics.median(kept) if kept else 0.0)


@given(st.lists(single, max_size=30), st.lists(single, max_size=5))
def test_what_it_begins_with_leaves_first(numbers: list[float], first: list[float]) -> None:
    window = SortedWindow(5, first)
    for number in numbers:
        window.add(number)
    assert list(window._sorted) == sorted([*first, *numbers][-5:])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=40))
def test_numbers_are_found_again_as_they_were_rounded(numbers: list[float]) -> None:
    window = SortedWindow(3)
    for number in numbers:
        window.add(number)
    assert list(window._sorted) == sorted(array("f", numbers[-3:]))


@given(st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=40))
def test_readings_are_kept_to_the_last_digit(numbers: list[float]) -> None:
    window = SortedWindow(3, precision="d")
    for number in numbers:
        window.add(number)
    assert list(window._sorted) == sorted(numbers[-3:])


@given(st.lists(single, min_size=1, max_size=30), single)
def test_how_many_are_above(numbers: list[float], number: float) -> None:
    window = SortedWindow(30, numbers)
    assert window.count_above(number) == sum(other > number for other in numbers)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30))
def test_quantiles_rise_and_end_a_tenth_of_the_range_beyond(numbers: list[float]) -> None:
    window = SortedWindow(30, numbers)
    told = [window.quantile(level / 100) for level in range(101)]
    slack = 1e-9 * (1.0 + max(map(abs, numbers)))
    assert all(a <= b + slack for a, b in pairwise(told))
    margin = 0.1 * (max(numbers) - min(numbers))
    assert told[0] == pytest.approx(min(numbers) - margin)
    assert told[-1] == pytest.approx(max(numbers) + margin)


def test_a_quantile_is_the_number_that_its_share_stays_below() -> None:
    window = SortedWindow(99, [float(i) for i in range(1, 100)])
    assert [window.quantile(level) for level in (0.01, 0.25, 0.5, 0.9)] == [1.0, 25.0, 50.0, 90.0]
    assert window.quantile(0.505) == pytest.approx(50.5)


def test_without_numbers_it_answers_nought() -> None:
    window = SortedWindow(4)
    assert (window.quantile(0.9), window.median(), window.count_above(-1.0)) == (0.0, 0.0, 0)
