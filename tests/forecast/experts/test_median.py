"""Where the value mostly was: what single spikes do not move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.forecast.experts.median import Median
from amptalk.forecast.past import FURTHEST, Past


def offsets(values: list[float]) -> tuple[list[float], Past]:
    past = Past(4)
    for position, value in enumerate(values):
        past.add(value, float(position))
    return list(Median(4).update(past)), past


def test_it_expects_the_median_of_the_last_fifteen_at_every_step() -> None:
    told, past = offsets([100.0] * 5 + [10.0, 12.0, 11.0, 10.0, 12.0] * 3)
    median = past.values[0] + past.scales[0] * told[0]
    assert median == pytest.approx(11.0, abs=1e-5)
    assert told == [told[0]] * 4


def test_a_spike_is_expected_to_be_over() -> None:
    told, past = offsets([10.0, 11.0] * 10 + [400.0])
    assert 10.0 <= past.values[0] + past.scales[0] * told[0] <= 11.0


def test_small_changes_of_a_large_number_are_seen() -> None:
    told, past = offsets([6.4e10 + i % 3 for i in range(30)])
    assert past.values[0] + past.scales[0] * told[0] == 6.4e10 + 1.0


@given(st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=40))
def test_it_is_bounded_whatever_came(values: list[float]) -> None:
    assert all(abs(offset) <= FURTHEST for offset in offsets(values)[0])
