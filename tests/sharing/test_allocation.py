"""How one resource is divided: the promises of fairness as properties."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from amptalk.model.decision import Ask
from amptalk.model.errors import ConfigurationError, NeverFitsError
from amptalk.sharing.allocation import allocate, shortfall, wanted

NEAR = 1e-6
amounts = st.floats(0.0, 1000.0).map(lambda x: round(x, 3))


@st.composite
def ask(draw: st.DrawFn) -> Ask:
    minimum = draw(st.one_of(st.just(0.0), amounts))
    maximum = draw(st.one_of(st.just(math.inf), amounts.map(lambda extra: minimum + extra)))
    weight = draw(st.sampled_from([0.5, 1.0, 2.0, 3.0]))
    step = draw(st.sampled_from([0.0, 0.0, 1.0, 7.5, 100.0]))
    return Ask(minimum, maximum, weight, draw(st.integers(0, 2)), step)


asks = st.dictionaries(st.sampled_from("abcdef"), ask(), min_size=1)
wants = st.dictionaries(st.sampled_from("abcdef"), amounts)
extra = st.floats(0.0, 3000.0)


def least(given_asks: dict[str, Ask]) -> float:
    return math.fsum(a.minimum for a in given_asks.values())


def wants_of(name: str, given_ask: Ask, demands: dict[str, float]) -> float:
    return wanted(given_ask, demands.get(name, math.inf))


def largest_step(asked: dict[str, Ask]) -> float:
    return max(one.step for one in asked.values())


def test_equal_weights_share_equally_and_what_one_does_not_want_goes_to_the_others() -> None:
    assert allocate(90.0, {"a": Ask(0, 100), "b": Ask(0, 100), "c": Ask(0, 10)}) == {
        "a": 40.0, "b": 40.0, "c": 10.0,
    }  # fmt: skip


def test_weights_divide_in_proportion() -> None:
    assert allocate(90.0, {"a": Ask(0, 100, 2), "b": Ask(0, 100)}) == {"a": 60.0, "b": 30.0}


def test_a_higher_priority_is_served_first_but_not_with_the_minimum_of_others() -> None:
    asked = {"a": Ask(20, 100), "b": Ask(0, 100, 1, priority=1)}
    assert allocate(90.0, asked) == {"a": 20.0, "b": 70.0}
    assert allocate(150.0, asked) == {"a": 50.0, "b": 100.0}


def test_a_demand_frees_what_it_does_not_need_but_not_below_the_minimum() -> None:
    asked = {"a": Ask(30, 100), "b": Ask(0, 100)}
    assert allocate(100.0, asked, {"a": 10.0}) == {"a": 30.0, "b": 70.0}


def test_whole_steps_are_given_to_the_least_served_with_ties_by_name() -> None:
    asked = {"b": Ask(0, 100, step=30), "a": Ask(0, 100, step=30)}
    assert allocate(100.0, asked) == {"b": 30.0, "a": 60.0}


def test_a_demand_between_two_steps_is_met_by_the_next_one_that_the_maximum_leaves() -> None:
    asked = {"a": Ask(200, 850, step=100)}
    assert allocate(1000.0, asked, {"a": 250.0}) == {"a": 300.0}
    assert allocate(1000.0, asked, {"a": 840.0}) == {"a": 800.0}


def test_one_without_a_step_has_the_smallest_of_the_others() -> None:
    asked = {"model": Ask(0, 400, step=200), "cache": Ask(0, 400)}
    assert allocate(500.0, asked) == {"model": 200.0, "cache": 200.0}
    assert allocate(600.0, asked) == {"model": 200.0, "cache": 400.0}


def test_many_steps_are_counted_at_once() -> None:
    grants = allocate(1e9, {"a": Ask(0, math.inf, 3, step=1), "b": Ask(0, math.inf, step=1)})
    assert grants == {"a": 75e7, "b": 25e7}


def test_minimums_that_do_not_fit_are_refused_with_sum_and_capacity() -> None:
    with pytest.raises(NeverFitsError, match=r"a, b add up to 120, which is 20 more than.* 100"):
        allocate(100.0, {"a": Ask(60, 80), "b": Ask(60, 80)})


def test_a_capacity_that_shrank_below_the_minimums_leaves_them_when_clamped() -> None:
    asked = {"a": Ask(60, 80), "b": Ask(60, 80)}
    assert allocate(100.0, asked, clamp=True) == {"a": 60.0, "b": 60.0}
    assert shortfall(100.0, asked) == 20.0
    assert shortfall(120.0, asked) == 0.0


@pytest.mark.parametrize(
    "bad",
    [Ask(-1, 2), Ask(3, 2), Ask(math.nan, 2), Ask(0, math.nan), Ask(math.inf, math.inf),
     Ask(0, 1, 0), Ask(0, 1, -1), Ask(0, 1, math.nan), Ask(0, 1, step=-1.0),
     Ask(0, 1, step=math.inf)],
)  # fmt: skip
def test_an_ask_that_contradicts_itself_is_refused_by_name(bad: Ask) -> None:
    with pytest.raises(ConfigurationError, match="'a'"):
        allocate(100.0, {"a": bad})


@pytest.mark.parametrize("capacity", [math.nan, math.inf])
def test_a_capacity_out_of_range_is_refused(capacity: float) -> None:
    with pytest.raises(ConfigurationError, match="capacity"):
        allocate(capacity, {"a": Ask(0, 1)})


@settings(max_examples=150, deadline=None)
@given(asks, wants, extra)
def test_grants_keep_capacity_minimum_and_maximum_and_leave_nothing_idle(
    asked: dict[str, Ask], demands: dict[str, float], more: float
) -> None:
    capacity = least(asked) + more
    grants = allocate(capacity, asked, demands)
    used = math.fsum(grants.values())
    assert used <= capacity + NEAR
    for name, one in asked.items():
        assert one.minimum <= grants[name] <= one.maximum
        assert grants[name] <= wants_of(name, one, demands)
        if wants_of(name, one, demands) - grants[name] > NEAR:
            # Someone waits, so less than a step is left.
            assert capacity - used <= largest_step(asked) + NEAR


@settings(max_examples=100, deadline=None)
@given(asks, wants, extra, st.randoms(use_true_random=False))
def test_the_order_of_components_does_not_matter(
    asked: dict[str, Ask],
    demands: dict[str, float],
    more: float,
    shuffle: random.Random,
) -> None:
    names = list(asked)
    shuffle.shuffle(names)
    capacity = least(asked) + more
    shuffled = allocate(capacity, {name: asked[name] for name in names}, demands)
    assert shuffled == allocate(capacity, asked, demands)


@settings(max_examples=100, deadline=None)
@given(asks, wants, extra, extra)
def test_more_capacity_takes_from_nobody(
    asked: dict[str, Ask], demands: dict[str, float], more: float, still_more: float
) -> None:
    capacity = least(asked) + more
    before = allocate(capacity, asked, demands)
    after = allocate(capacity + still_more, asked, demands)
    assert all(after[name] >= before[name] - NEAR for name in asked)


@settings(max_examples=100, deadline=None)
@given(asks, wants, extra, st.floats(1.0, 5.0))
def test_more_weight_never_means_less(
    asked: dict[str, Ask], demands: dict[str, float], more: float, factor: float
) -> None:
    capacity = least(asked) + more
    name = min(asked)
    heavier = {**asked, name: asked[name]._replace(weight=asked[name].weight * factor)}
    before = allocate(capacity, asked, demands)[name]
    assert allocate(capacity, heavier, demands)[name] >= before - NEAR


@settings(max_examples=150, deadline=None)
@given(asks, wants, extra)
def test_nobody_envies_another_of_its_priority_by_more_than_a_step(
    asked: dict[str, Ask], demands: dict[str, float], more: float
) -> None:
    grants = allocate(least(asked) + more, asked, demands)
    for name, one in asked.items():
        step = largest_step(asked)
        if wants_of(name, one, demands) - grants[name] < step + NEAR:
            continue  # has what it wants
        for other, two in asked.items():
            if one.priority != two.priority or grants[other] <= two.minimum + NEAR:
                continue  # a minimum is not envied
            assert (grants[other] - step) / two.weight <= grants[name] / one.weight + NEAR


@settings(max_examples=50, deadline=None)
@given(asks, extra)
def test_a_lower_priority_has_only_its_minimum_while_a_higher_one_waits(
    asked: dict[str, Ask], more: float
) -> None:
    assume(len({one.priority for one in asked.values()}) > 1)
    grants = allocate(least(asked) + more, asked)
    waiting = [a.priority for n, a in asked.items() if grants[n] < wanted(a, math.inf) - NEAR]
    for name, one in asked.items():
        if waiting and one.priority < max(waiting):
            assert grants[name] <= one.minimum + NEAR
