"""Bringing rows up to date: what is taken back, who is given it, and that it comes to rest."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.model.decision import Ask
from amptalk.sharing.ledgers.contract import Row
from amptalk.sharing.ledgers.settling import changed, division, settle

ASK = Ask(100, 900)
CAPACITY = {"memory": 1000.0, "cpu": 100.0}


def row(
    name: str,
    granted: float,
    *,
    demand: float = math.inf,
    charged: float | None = None,
    ask: Ask = ASK,
    resource: str = "memory",
    expires: float = math.inf,
) -> Row:
    held = granted if charged is None else charged
    return Row(name, resource, ask, demand, granted, held, expires=expires)


def held(rows: list[Row]) -> dict[str, tuple[float, float]]:
    return {one.component: (one.granted, one.charged) for one in rows}


def test_what_is_taken_back_stays_charged_and_nobody_grows_into_it() -> None:
    rows = settle([row("a", 900), row("b", 100)], CAPACITY)
    assert held(rows) == {"a": (500, 900), "b": (100, 100)}


def test_what_a_shrink_has_left_goes_to_the_one_it_was_taken_for() -> None:
    rows = [row("a", 500, charged=900), row("b", 100), row("c", 300, demand=300)]
    rows = settle(rows, {"memory": 1300.0})
    assert held(rows) == {"a": (500, 900), "b": (100, 100), "c": (300, 300)}
    rows[0] = changed(rows[0], None, 700.0)
    assert held(settle(rows, {"memory": 1300.0})) == {
        "a": (500, 700), "b": (300, 300), "c": (300, 300),
    }  # fmt: skip


def test_a_charge_only_falls_and_never_below_what_is_granted() -> None:
    one = row("a", 500, charged=900)
    assert changed(one, None, 950.0).charged == 900
    assert changed(one, None, 0.0).charged == 500
    assert changed(one, 200.0, 0.0)[4:6] == (200, 200)


def test_a_component_begins_with_all_of_its_minimums_or_none() -> None:
    parts = [
        row("new", 0, ask=Ask(300, 400)),
        row("new", 0, ask=Ask(20, 60), resource="cpu"),
        row("old", 90, ask=Ask(0, 100), resource="cpu"),
    ]
    rows = settle(parts, CAPACITY)
    assert [one.granted for one in rows] == [0, 0, 50], "CPU must come back first"
    rows[2] = rows[2]._replace(charged=50)
    assert [one.granted for one in settle(rows, CAPACITY)] == [400, 50, 50]


def test_a_rate_hold_lapses_when_its_holder_was_silent_and_begins_anew() -> None:
    ask = Ask(10, 80, hold="rate")
    rows = [
        row("mute", 50, ask=ask, resource="cpu", expires=5.0),
        row("b", 50, ask=ask, resource="cpu", expires=20.0),
    ]
    rows = settle(rows, CAPACITY, now=6.0)
    assert held(rows) == {"mute": (0, 0), "b": (80, 80)}
    rows[0] = rows[0]._replace(expires=16.0)
    rows = settle(rows, CAPACITY, now=7.0)
    assert held(rows) == {"mute": (20, 20), "b": (50, 80)}


def test_a_physical_hold_never_lapses() -> None:
    assert held(settle([row("mute", 700)], CAPACITY, now=1e9)) == {"mute": (900, 900)}


def test_trifles_are_left_out_but_for_the_last_one() -> None:
    grown = settle([row("a", 800.0), row("b", 190.0, demand=195)], {"memory": 996.0})
    assert held(grown)["a"] == (801.0, 801.0), "the target, however near"
    part = settle([row("a", 800.0), row("b", 100, charged=195, demand=100)], {"memory": 997.0})
    assert held(part)["a"] == (800.0, 800.0), "2 MB on the way to 897"


names = st.sampled_from("abcde")
amounts = st.floats(0.0, 1000.0).map(lambda x: round(x, 1))


@st.composite
def any_rows(draw: st.DrawFn) -> list[Row]:
    rows, left, least = [], 1000.0, 0.0
    for name in sorted(draw(st.sets(names, min_size=1))):
        minimum = round(draw(st.floats(0.0, (1000.0 - least) / 2)), 1)
        least += minimum
        ask = Ask(
            minimum, minimum + draw(amounts), draw(st.sampled_from([1.0, 2.0])),
            draw(st.integers(0, 1)), draw(st.sampled_from([0.0, 50.0])),
        )  # fmt: skip
        charged = round(draw(st.floats(0.0, left)), 1)
        left = max(0.0, left - charged)
        granted = min(charged, ask.maximum) if charged >= minimum else 0.0
        demand = draw(st.one_of(st.just(math.inf), amounts))
        rows.append(row(name, granted, demand=demand, charged=charged, ask=ask))
    return rows


@settings(max_examples=200, deadline=None)
@given(any_rows())
def test_settling_keeps_the_capacity_and_every_charge_and_is_a_fixed_point(rows: list[Row]) -> None:
    settled = settle(rows, CAPACITY)
    assert math.fsum(one.charged for one in settled) <= 1000.0 + 1e-6
    targets = division(rows, CAPACITY)
    for before, after in zip(rows, settled, strict=True):
        assert after.granted <= after.charged
        assert after.charged >= before.charged, "only its holder lowers a charge"
        assert after.granted <= max(targets[after.key], 0.0) + 1e-6
        assert after.granted == 0.0 or after.granted >= after.ask.minimum
    assert settle(settled, CAPACITY) == settled


@settings(max_examples=100, deadline=None)
@given(any_rows())
def test_once_all_shrinks_are_confirmed_everybody_has_what_the_division_says(
    rows: list[Row],
) -> None:
    for _ in range(len(rows) + 2):
        rows = [changed(one, None, 0.0) for one in settle(rows, CAPACITY)]
    rows = settle(rows, CAPACITY)
    targets = division(rows, CAPACITY)
    for one in rows:
        assert targets[one.key] - one.granted <= max(0.011 * one.granted, 1e-6), one


@settings(max_examples=60, deadline=None)
@given(any_rows(), st.randoms(use_true_random=False))
def test_the_order_of_components_that_have_begun_changes_nothing(
    rows: list[Row], dice: object
) -> None:
    begun = [one for one in rows if one.granted >= one.ask.minimum]
    turned = list(begun)
    dice.shuffle(turned)  # type: ignore[attr-defined]
    assert held(settle(turned, CAPACITY)) == held(settle(begun, CAPACITY))
