"""What overlapping jobs took together is shared out by what is known of each."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.jobs.attribution import (
    NOTHING_KNOWN,
    FlowShares,
    Known,
    PeakShares,
    share_out,
)

SURE = Known(100.0, 25.0)


def amounts(total: float, expected: dict[str, Known]) -> dict[str, float]:
    return {job: share.amount for job, share in share_out(total, expected).items()}


def test_who_is_alone_gets_all_of_it_and_is_sure() -> None:
    assert share_out(700.0, {"a": SURE}) == {"a": Known(700.0, 0.0)}


def test_the_unknown_one_gets_what_is_left_and_unknown_ones_get_the_same() -> None:
    assert amounts(400.0, {"a": SURE, "b": NOTHING_KNOWN}) == pytest.approx({"a": 100, "b": 300})
    unknown = {"a": NOTHING_KNOWN, "b": NOTHING_KNOWN}
    assert amounts(400.0, unknown) == pytest.approx({"a": 200, "b": 200})


def test_the_difference_goes_to_those_of_whom_least_is_known() -> None:
    shares = amounts(330.0, {"a": Known(100.0, 100.0), "b": Known(200.0, 200.0)})
    assert shares == pytest.approx({"a": 110.0, "b": 220.0})


def test_before_anything_was_taken_nobody_took_anything() -> None:
    assert amounts(0.0, {"a": Known(100.0, 16.0), "b": Known(400.0, 256.0)}) == {"a": 0, "b": 0}


def test_an_unknown_one_beside_a_known_one_is_as_sure_as_that_one_is() -> None:
    shares = share_out(400.0, {"a": SURE, "b": NOTHING_KNOWN})
    assert math.sqrt(shares["b"].variance) == pytest.approx(5.0)
    both = share_out(400.0, {"a": NOTHING_KNOWN, "b": NOTHING_KNOWN})
    assert math.sqrt(both["b"].variance) > 1e6


EXPECTED = st.builds(Known, st.floats(0.0, 1e6), st.floats(0.0, 1e12))


@given(st.floats(0.0, 1e6), st.lists(EXPECTED, min_size=1, max_size=8))
def test_shares_are_never_negative_add_up_and_are_surer_than_before(
    total: float, expected: list[Known]
) -> None:
    shares = share_out(total, dict(enumerate(expected)))
    assert all(share.amount >= 0.0 for share in shares.values())
    assert math.fsum(share.amount for share in shares.values()) == pytest.approx(total, abs=1e-3)
    for number, before in enumerate(expected):
        assert 0.0 <= shares[number].variance <= before.variance


def test_a_lone_job_has_its_highest_rise_over_what_was_used_before() -> None:
    peaks = PeakShares()
    peaks.begin("a", NOTHING_KNOWN, 400.0)
    for value in (500.0, math.nan, 700.0, 450.0):
        peaks.measure(value)
    assert peaks.end("a", 420.0).amount == 300.0


def test_memory_that_an_earlier_job_left_behind_is_not_counted_again() -> None:
    peaks = PeakShares()
    peaks.begin("a", NOTHING_KNOWN, 100.0)
    assert peaks.end("a", 400.0).amount == 300.0
    peaks.begin("a", NOTHING_KNOWN, 400.0)
    assert peaks.end("a", 450.0).amount == 50.0


def test_what_a_job_held_alone_is_known_when_an_unknown_one_joins_it() -> None:
    peaks = PeakShares()
    peaks.begin("a", NOTHING_KNOWN, 0.0)
    peaks.measure(100.0)
    peaks.begin("b", NOTHING_KNOWN, 100.0)
    peaks.measure(400.0)
    assert peaks.end("b", 400.0).amount == pytest.approx(300.0)
    assert peaks.end("a", 100.0).amount == pytest.approx(100.0)


def test_of_two_that_are_always_together_a_share_is_as_unsure_as_large() -> None:
    peaks = PeakShares()
    peaks.begin("a", NOTHING_KNOWN, 0.0)
    peaks.begin("b", NOTHING_KNOWN, 0.0)
    peaks.measure(300.0)
    share = peaks.end("a", 0.0)
    assert share.amount == pytest.approx(150.0)
    assert share.unsure >= share.amount


def test_what_a_job_has_taken_so_far_is_known_while_it_runs() -> None:
    peaks = PeakShares()
    peaks.begin("a", SURE, 50.0)
    assert peaks.taken() == {"a": 0.0}
    peaks.measure(130.0)
    peaks.measure(90.0)
    assert peaks.taken() == {"a": 80.0}
    assert peaks.left == 40.0
    blind = PeakShares()
    blind.begin("a", SURE, math.nan)
    assert math.isnan(blind.taken()["a"])


def test_without_a_measurement_before_the_first_job_nothing_is_told() -> None:
    peaks = PeakShares()
    peaks.begin("a", NOTHING_KNOWN, math.nan)
    peaks.measure(400.0)
    assert math.isnan(peaks.end("a", 500.0).amount)


def test_flows_are_shared_by_the_second_and_add_up() -> None:
    flow = FlowShares()
    flow.begin("a", Known(1.0, 0.01))
    flow.add(2.0, 2.0)
    flow.begin("b", NOTHING_KNOWN)
    flow.add(6.0, 2.0)
    assert flow.end("b").amount == pytest.approx(4.0)
    assert flow.end("a").amount == pytest.approx(4.0)


def test_a_flow_that_was_not_known_for_a_while_is_not_known() -> None:
    flow = FlowShares()
    flow.begin("a", NOTHING_KNOWN)
    flow.add(math.nan, 1.0)
    flow.add(5.0, 1.0)
    assert math.isnan(flow.end("a").amount)


def test_what_an_ended_job_leaves_behind_is_no_rise_of_those_that_still_run() -> None:
    peaks = PeakShares()
    peaks.begin("load", Known(300.0, 75.0**2), 160.0)
    peaks.measure(300.0)
    peaks.begin("batch", Known(40.0, 16.0), 300.0)
    peaks.measure(500.0)
    loaded = peaks.end("load", 500.0)
    assert loaded.amount == pytest.approx(300.0, rel=0.05)
    peaks.measure(505.0)
    batch = peaks.end("batch", 460.0)
    assert batch.amount == pytest.approx(40.0, rel=0.3)
    assert batch.unsure > 40.0


def test_what_a_small_job_holds_is_not_taken_for_left_behind() -> None:
    peaks = PeakShares()
    peaks.begin("large", Known(100.0, 20.0**2), 200.0)
    peaks.begin("small", NOTHING_KNOWN, 280.0)
    peaks.measure(290.0)
    peaks.end("large", 210.0)
    peaks.measure(210.0)
    assert peaks.end("small", 200.0) == (10.0, 0.0)


def test_a_job_that_has_just_begun_does_not_hold_what_another_leaves_behind() -> None:
    """A load of 150 MB ends when a batch that takes 185 MB has taken 54 of it; then one of 7."""
    shares = PeakShares()
    shares.begin("load", Known(150.0, 37.5**2), 81.0)
    shares.measure(231.0)
    shares.begin("large", Known(185.0, 4.0), 231.0)
    shares.end("load", 285.0)
    shares.begin("small", NOTHING_KNOWN, 285.0)
    shares.measure(425.0)
    small = shares.end("small", 418.0)
    assert small.amount == pytest.approx(425.0 - 231.0 - 185.0, abs=2.0)
    assert shares.end("large", 231.0).amount == pytest.approx(185.0, abs=2.0)
