"""How likely a limit is crossed: ordered, calibrated, and remembering little."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.forecast import Forecaster
from amptalk.forecast.breaches import Breaches, peaks_of

H = 12


def swinging(count: int, seed: int, memory: float = 0.9) -> list[float]:
    random, value, values = Random(seed), 0.0, []
    for _ in range(count):
        value = memory * value + random.gauss(0.0, 1.0)
        values.append(value)
    return values


def fed(values: Sequence[float], limits: Sequence[float] = ()) -> Forecaster:
    """After `values`; the breach of every one of `limits` was asked for at each."""
    forecaster = Forecaster(H, 1.0)
    for position, value in enumerate(values):
        forecaster.update(value, float(position))
        for limit in limits:
            forecaster.forecast().breach_probability(limit)
    return forecaster


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_peaks_are_the_highest_of_one_and_of_two_in_a_row(path: list[float]) -> None:
    one, two = peaks_of(path)
    assert one == max(path)
    assert two == max(min(pair) for pair in pairwise(path)) <= one


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80),
    st.lists(st.floats(-1e7, 1e7), min_size=2, max_size=8),
    st.lists(st.floats(-1e7, 1e7), max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_a_higher_limit_is_never_more_likely_and_two_in_a_row_are_no_likelier_than_not(
    values: list[float], limits: list[float], watched: list[float]
) -> None:
    forecast = fed(values, watched).forecast()
    for persistence in (1, 2):
        told = [forecast.breach_probability(limit, persistence) for limit in sorted(limits)]
        assert told == sorted(told, reverse=True)
        assert all(0.0 < probability < 1.0 for probability in told)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40))
@settings(deadline=None)
def test_only_the_last_four_limits_are_remembered(limits: list[float]) -> None:
    forecaster = fed(swinging(40, 1))
    for limit in limits:
        forecaster.forecast().breach_probability(limit)
    kept = [known.limit for known in forecaster._breaches._claims]
    newest = list(dict.fromkeys(reversed(limits)))
    assert kept == newest[:4]


def test_what_is_remembered_does_not_grow_with_limits_that_are_asked_once() -> None:
    forecaster = Forecaster(H, 1.0)
    for position, value in enumerate(swinging(2000, 2)):
        forecaster.update(value, float(position))
        forecaster.forecast().breach_probability(position / 100.0)
        forecaster.forecast().breach_probability(math.inf)
    breaches = forecaster._breaches
    assert len(breaches._claims) == 4
    assert all(len(known.guesses) <= H for known in breaches._claims)
    assert len(breaches._expected) == 2 * H


def test_asking_changes_no_path_and_no_interval() -> None:
    values = swinging(400, 3)
    asked, plain = fed(values, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)).forecast(), fed(values).forecast()
    assert asked.mean == plain.mean
    assert asked.interval(0.9) == plain.interval(0.9)


def test_asking_twice_at_a_moment_is_asking_once() -> None:
    values = swinging(400, 4)
    once, twice = fed(values, (2.0,)).forecast(), fed(values, (2.0, 2.0)).forecast()
    assert once.breach_probability(2.0) == twice.breach_probability(2.0)


def scores(values: Sequence[float], limit: float) -> tuple[float, float, float]:
    """Brier skill, what was said in the mean, and how often a breach came."""
    forecaster, said = Forecaster(H, 1.0), []
    for position, value in enumerate(values[:-H]):
        forecaster.update(value, float(position))
        probability = forecaster.forecast().breach_probability(limit)
        if position > 800 and value <= limit:
            follows = values[position + 1 : position + 1 + H]
            said.append((probability, peaks_of(follows)[1] > limit))
    often = sum(crossed for _, crossed in said) / len(said)
    ours = sum((probability - crossed) ** 2 for probability, crossed in said)
    constant = sum((often - crossed) ** 2 for _, crossed in said)
    return 1.0 - ours / constant, sum(probability for probability, _ in said) / len(said), often


@pytest.mark.parametrize(
    ("memory", "least_skill"),
    [
        (0.98, 0.0),
        (0.9, 0.0),
        # Nothing announces these. It learns how often they come, and errs a little in that: the
        # constant that it is held against knows it from the end.
        (0.5, -0.06),
    ],
)
@pytest.mark.parametrize("rarity", [0.9, 0.95])
def test_it_tells_more_than_how_often_a_breach_comes(
    memory: float, least_skill: float, rarity: float
) -> None:
    values = swinging(4000, 5, memory)
    skill, said, happened = scores(values, sorted(values)[int(rarity * len(values))])
    assert skill > least_skill
    assert said == pytest.approx(happened, rel=0.35)


def test_after_a_gap_guesses_from_before_it_are_not_judged() -> None:
    breaches = Breaches(H)
    breaches.probability(1.0, 1, (0.0, 0.0), 1.0)
    for _ in range(H):
        breaches.expect((0.0, 0.0), 1.0)
    breaches.clear()
    assert not breaches._expected
    assert not breaches._claims[0].guesses


def test_a_far_limit_stays_unlikely_after_a_rest() -> None:
    random, forecaster = Random(6), Forecaster(H, 1.0)
    for now in range(4600):
        forecaster.update(random.gauss(50.0, 1.0 if not 600 <= now < 4000 else 0.0), float(now))
        forecaster.forecast().breach_probability(90.0)
    assert forecaster.forecast().breach_probability(90.0) < 0.02
