"""What overlapping jobs took together is shared out by what is known of each."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.jobs.attribution import (
    NOTHING_KNOWN,
    Known,
    FlowShares,
    PeakShares,
    share_out,
)

SURE = Known(100.0, 25.0)


def test_who_is_alone_gets_all_of_it() -> None:
    assert share_out(700.0, {"a": SURE}) == {"a": 700.0}


def test_the_unknown_one_gets_what_is_left_and_unknown_ones_get_the_same() -> None:
    assert share_out(400.0, {"a": SURE, "b": NOTHING_KNOWN}) == pytest.approx({"a": 100, "b": 300})
    unknown = {"a": NOTHING_KNOWN, "b": NOTHING_KNOWN}
    assert share_out(400.0, unknown) == pytest.approx({"a": 200, "b": 200})


def test_the_difference_goes_to_those_of_whom_least_is_known() -> None:
    shares = share_out(330.0, {"a": Known(100.0, 100.0), "b": Known(200.0, 200.0)})
    assert shares == pytest.approx({"a": 110.0, "b": 220.0})


EXPECTED = st.builds(Known, st.floats(0.0, 1e6), st.floats(0.0, 1e12))


@given(st.floats(0.0, 1e6), st.lists(EXPECTED, min_size=1, max_size=8))
def test_shares_are_never_negative_and_never_less_than_the_total(
    total: float, expected: list[Known]
) -> None:
    shares = share_out(total, dict(enumerate(expected)))
    assert all(share >= 0.0 for share in shares.values())
    assert math.fsum(shares.values()) >= total * (1.0 - 1e-6) - 1e-3


def test_a_lone_job_has_its_highest_rise_over_what_was_used_before() -> None:
    peaks = PeakShares()
    peaks.begin("a", NOTHING_KNOWN, 400.0)
    for value in (500.0, math.nan, 700.0, 450.0):
        peaks.measure(value)
    assert peaks.end("a", 420.0).highest == 300.0


def test_memory_that_an_earlier_job_left_behind_is_not_counted_again() -> None:
    peaks = PeakShares()
    peaks.begin("a", NOTHING_KNOWN, 100.0)
    assert peaks.end("a", 400.0).highest == 300.0
    peaks.begin("a", NOTHING_KNOWN, 400.0)
    assert peaks.end("a", 450.0).highest == 50.0


def test_what_a_job_held_alone_is_known_when_an_unknown_one_joins_it() -> None:
    peaks = PeakShares()
    peaks.begin("a", NOTHING_KNOWN, 0.0)
    peaks.measure(100.0)
    peaks.begin("b", NOTHING_KNOWN, 100.0)
    peaks.measure(400.0)
    assert peaks.end("b", 400.0).highest == pytest.approx(300.0)
    assert peaks.end("a", 100.0).highest == pytest.approx(100.0)


def test_without_a_measurement_before_the_first_job_nothing_is_told() -> None:
    peaks = PeakShares()
    peaks.begin("a", NOTHING_KNOWN, math.nan)
    peaks.measure(400.0)
    assert math.isnan(peaks.end("a", 500.0).highest)


def test_flows_are_shared_by_the_second_and_add_up() -> None:
    flow = FlowShares()
    flow.begin("a", Known(1.0, 0.01))
    flow.add(2.0, 2.0)
    flow.begin("b", NOTHING_KNOWN)
    flow.add(6.0, 2.0)
    assert flow.end("b") == pytest.approx(4.0)
    assert flow.end("a") == pytest.approx(4.0)


def test_a_flow_that_was_not_known_for_a_while_is_not_known() -> None:
    flow = FlowShares()
    flow.begin("a", NOTHING_KNOWN)
    flow.add(math.nan, 1.0)
    flow.add(5.0, 1.0)
    assert math.isnan(flow.end("a"))
