"""Known demand: how much of it shows in a value already, and what more there will be."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.model.announcement import Announcement
from amptalk.model.resource import Kind
from amptalk.strategies.demand import EARLY, PATIENCE, KnownDemand, Stretch

ONE = Announcement("cpu", 30.0, 10.0, 20.0)


def after(seconds: float, *announced: Announcement) -> list[Announcement]:
    """The announcements as they look so much later."""
    return [
        one._replace(starts_in=one.starts_in - seconds)
        for one in announced
        if one.starts_in + one.duration > seconds
    ]


def follow(
    demand: KnownDemand, values: list[float], *announced: Announcement, usual: float = 50.0
) -> list[float]:
    """A value each second; returns what each is without known demand."""
    return [
        demand.update(float(second), value, usual, after(float(second), *announced))
        for second, value in enumerate(values)
    ]


def test_an_announcement_is_a_step_up_and_a_step_down() -> None:
    assert KnownDemand("rate").ahead([ONE]) == [
        Stretch(0.0, 10.0, 0.0, 0.0),
        Stretch(10.0, 30.0, 30.0, 0.0),
        Stretch(30.0, math.inf, 0.0, 0.0),
    ]


def test_those_that_overlap_add_up() -> None:
    amounts = [one.amount for one in KnownDemand("rate").ahead([ONE, ONE._replace(starts_in=20.0)])]
    assert amounts == [0.0, 30.0, 60.0, 30.0, 0.0]


def test_one_that_stays_has_no_step_down() -> None:
    (_, last) = KnownDemand("rate").ahead([ONE._replace(duration=math.inf)])
    assert last == Stretch(10.0, math.inf, 30.0, 0.0)


def test_what_running_work_has_not_taken_is_on_top_of_what_is_measured() -> None:
    demand = KnownDemand("hold")
    admitted = Announcement("memory", 300.0, 0.0, 60.0)
    assert demand.update(0.0, 500.0, 500.0, [admitted]) == 500.0
    assert demand.ahead([admitted]) == [
        Stretch(0.0, 60.0, 0.0, 300.0),
        Stretch(60.0, math.inf, 0.0, 0.0),
    ]
    # It took a third of it, which is measured: that is not expected again, nor taken out.
    left = Announcement("memory", 200.0, 0.0, 50.0)
    assert demand.update(10.0, 600.0, 500.0, [left]) == 600.0
    assert demand.ahead([left])[0].whole == 200.0


def test_nothing_announced_is_nothing() -> None:
    assert KnownDemand("hold").ahead([]) == []


def test_what_shows_is_taken_out_of_the_value_and_is_not_expected_again() -> None:
    demand = KnownDemand("rate")
    values = [50.0] * 10 + [80.0] * 20 + [50.0] * 5
    rest = follow(demand, values, ONE)
    assert rest == pytest.approx([50.0] * 35)
    demand = KnownDemand("rate")
    follow(demand, values[:15], ONE)
    assert demand.shown == pytest.approx(30.0)
    assert [one.amount for one in demand.ahead(after(14.0, ONE))] == [30.0, 0.0]


@pytest.mark.parametrize("shift", [-1, 0, 1, 2])
def test_it_may_begin_and_end_a_little_early_or_late(shift: int) -> None:
    values = [80.0 if 10 + shift <= second < 30 + shift else 50.0 for second in range(40)]
    rest = follow(KnownDemand("rate"), values, ONE)
    assert sum(abs(value - 50.0) > 1.0 for value in rest) <= 1


def test_noise_is_not_taken_for_it() -> None:
    random = Random(1)
    values = [50.0 + random.gauss(0, 2) + (30.0 if 10 <= s < 30 else 0.0) for s in range(40)]
    rest = follow(KnownDemand("rate"), values, ONE)
    assert max(abs(value - 50.0) for value in rest) < 8.0


def test_memory_may_fill_over_a_while() -> None:
    values = [500.0 + 300.0 * min(1.0, max(0.0, (second - 9) / 10)) for second in range(30)]
    one = Announcement("memory", 300.0, 10.0, math.inf)
    demand = KnownDemand("hold")
    assert follow(demand, values, one, usual=500.0) == pytest.approx([500.0] * 30)
    assert demand.settled


def test_what_did_not_show_in_time_is_not_expected_any_more() -> None:
    demand = KnownDemand("rate")
    waiting = 10 + math.ceil(PATIENCE["rate"]) - 1
    follow(demand, [50.0] * waiting, ONE)
    assert not demand.settled
    assert demand.ahead(after(waiting - 1.0, ONE))[0].amount == 30.0
    follow(demand, [50.0] * 20, ONE)
    assert demand.settled
    assert demand.ahead(after(19.0, ONE))[0].amount == 0.0


def test_what_never_showed_casts_no_doubt_on_what_is_announced_later() -> None:
    demand = KnownDemand("rate")
    follow(demand, [50.0] * 40, ONE)
    assert demand.idle
    demand.update(100.0, 50.0, 50.0, [ONE._replace(starts_in=1.0)])
    assert max(one.amount for one in demand.ahead([ONE._replace(starts_in=1.0)])) == 30.0


def test_work_that_took_half_of_what_was_announced_leaves_with_that_half() -> None:
    demand = KnownDemand("rate")
    values = [50.0] * 10 + [65.0] * 20 + [50.0] * 10
    rest = follow(demand, values, ONE)
    assert rest[16:] == pytest.approx([50.0] * 24)


def test_work_that_is_taken_back_is_expected_to_go() -> None:
    demand = KnownDemand("rate")
    follow(demand, [50.0] * 10 + [80.0] * 5, ONE)
    assert demand.update(15.0, 80.0, 50.0, []) == pytest.approx(50.0)
    assert not demand.settled
    assert demand.update(16.0, 50.0, 50.0, []) == pytest.approx(50.0)
    assert demand.settled
    assert demand.shown == 0.0


def test_work_that_stays_longer_than_announced_becomes_part_of_the_rest() -> None:
    demand = KnownDemand("rate")
    rest = follow(demand, [50.0] * 10 + [80.0] * 40, ONE)
    assert rest[-1] == pytest.approx(80.0)
    assert demand.shown == 0.0


def test_a_cut_of_other_work_meanwhile_does_not_hide_it() -> None:
    demand = KnownDemand("rate")
    values = [50.0] * 8 + [30.0] * 2 + [60.0] * 10
    follow(demand, values, ONE)
    assert demand.shown == pytest.approx(30.0, abs=3.0)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["rate", "hold", "temperature"]),
    st.lists(
        st.tuples(
            st.floats(0.0, 100.0),
            st.floats(-1e9, 1e9),
            st.floats(-1e9, 1e9) | st.just(math.nan),
            st.lists(
                st.builds(
                    Announcement,
                    st.just("cpu"),
                    st.floats(0.0, 1e9),
                    st.floats(-100.0, 100.0),
                    st.floats(0.01, 1e3) | st.just(math.inf),
                ),
                max_size=6,
            ),
        ),
        max_size=40,
    ),
)
def test_whatever_happens_no_more_shows_than_was_announced_and_stretches_are_in_order(
    kind: Kind, ticks: list[tuple[float, float, float, list[Announcement]]]
) -> None:
    demand, now, most = KnownDemand(kind), 0.0, 0.0
    for elapsed, value, usual, coming in ticks:
        now += elapsed
        begun = [one for one in coming if one.starts_in <= EARLY]
        most = max(most, sum(one.amount for one in begun))
        rest = demand.update(now, value, usual, coming)
        assert 0.0 <= demand.shown <= most
        assert rest == pytest.approx(value - demand.shown)
        stretches = demand.ahead(coming)
        assert all(min(one.amount, one.taking) >= 0.0 for one in stretches)
        if stretches:
            assert stretches[0].begins == 0.0
            assert stretches[-1].ends == math.inf
            assert all(a.ends == b.begins for a, b in pairwise(stretches))


def ran(demand: KnownDemand, took: float, share: float, *, since: float = 0.0) -> None:
    """Let 40 be announced, begin, take `took` under a share of work, and end."""
    one = Announcement("cpu", 40.0, 5.0, 20.0)
    for second in range(40):
        value = 30.0 + (took if 5 <= second < 25 else 0.0)
        demand.update(since + second, value, 30.0, after(float(second), one), share)


def test_work_that_takes_less_while_work_is_held_back_is_held_back_as_well() -> None:
    demand = KnownDemand("rate")
    for again in range(3):
        ran(demand, 20.0, 0.5, since=100.0 * again)
    assert demand.scales
    demand.update(400.0, 50.0, 30.0, [Announcement("cpu", 40.0, -1.0, 20.0)], 0.5)
    assert demand.taken == pytest.approx(20.0, abs=1.0)  # 40 at half of the work


@pytest.mark.parametrize(
    ("kind", "took", "share"),
    [
        ("rate", 40.0, 0.5),  # all of it, whatever may run
        ("rate", 20.0, 1.0),  # announced too high
        ("rate", 0.0, 0.5),  # it never came
        ("hold", 20.0, 0.5),  # what is held does not shrink with the share
    ],
)
def test_otherwise_it_is_not(kind: Kind, took: float, share: float) -> None:
    demand = KnownDemand(kind)
    for again in range(3):
        ran(demand, took, share, since=100.0 * again)
    assert not demand.scales
