"""Weights go to who did well; nobody is followed far who did not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.forecast.mixture import Mixture
from amptalk.forecast.past import Past

H = 6
Columns = Callable[[int, Past], Sequence[Sequence[float]]]


def run(values: Sequence[float], priors: Sequence[float], columns: Columns) -> list[list[float]]:
    """What all together expected after each value, as values."""
    past, mixture, told = Past(H), Mixture(H, priors), []
    for position, value in enumerate(values):
        past.add(value, float(position))
        if mixture.full:
            mixture.learn(past)
        scale = past.scales[0]
        combined = mixture.combine(columns(position, past) if scale else [])
        told.append([value + scale * offset for offset in combined])
    return told


def walk(count: int, seed: int = 1) -> list[float]:
    random, values = Random(seed), [0.0]
    for _ in range(count - 1):
        values.append(values[-1] + random.gauss(0.0, 1.0))
    return values


def knows(values: Sequence[float]) -> Columns:
    """An expert that sees what comes."""

    def told(position: int, past: Past) -> list[list[float]]:
        padded = [*values[position + 1 : position + 1 + H], *[0.0] * H][:H]
        return [[(value - past.values[0]) / past.scales[0] for value in padded]]

    return told


def test_nothing_is_expected_before_a_horizon_was_seen() -> None:
    values = walk(H + 3)
    told = run(values, (0.5, 0.5), lambda _, past: [[5.0] * H])
    assert all(path == [value] * H for value, path in zip(values[:H], told[:H], strict=True))
    assert told[-1] != [values[-1]] * H


def test_without_experts_the_last_value_is_expected() -> None:
    values = walk(60)
    assert run(values, (1.0,), lambda _, past: []) == [[value] * H for value in values]


def test_who_knows_what_comes_is_followed_whatever_the_prior() -> None:
    values = walk(400)
    told = run(values, (0.99, 0.01), knows(values))
    near = [abs(told[i][0] - values[i + 1]) for i in range(300, 390)]
    far = [abs(told[i][-1] - values[i + H]) for i in range(300, 390)]
    assert max(near) < 0.2
    assert max(far) < 0.5


def test_who_tells_nonsense_is_not_followed() -> None:
    values = walk(600)
    random = Random(2)
    told = run(values, (0.1, 0.9), lambda _, past: [[random.choice((-5.0, 5.0)) for _ in range(H)]])
    strayed = [abs(told[i][0] - values[i]) for i in range(400, 590)]
    assert sum(strayed) / len(strayed) < 0.2


def test_who_was_right_is_left_when_it_was_wrong_for_as_long() -> None:
    values, right = walk(1200), 300
    seer = knows(values)

    def columns(position: int, past: Past) -> Sequence[Sequence[float]]:
        (known,) = seer(position, past)
        return [known if position < right else [-offset for offset in known]]

    told = run(values, (0.5, 0.5), columns)
    ours = sum(abs(told[i][0] - values[i + 1]) for i in range(3 * right, 1180))
    last = sum(abs(values[i] - values[i + 1]) for i in range(3 * right, 1180))
    assert ours < 1.2 * last


@given(
    st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=60),
    st.lists(st.floats(-1000.0, 1000.0, width=32), min_size=2, max_size=2),
)
@settings(max_examples=50, deadline=None)
def test_what_is_expected_lies_among_what_the_members_expect(
    values: list[float], offsets: list[float]
) -> None:
    past, mixture = Past(H), Mixture(H, (0.2, 0.3, 0.5))
    for position, value in enumerate(values):
        past.add(value, float(position))
        if mixture.full:
            mixture.learn(past)
        columns = [[offset] * H for offset in offsets]
        for offset in mixture.combine(columns if past.scales[0] else []):
            assert min(0.0, *offsets) - 1e-9 <= offset <= max(0.0, *offsets) + 1e-9
        for weights in mixture._weights:
            assert sum(weights.now) == pytest.approx(1.0)
            assert min(weights.now) > 0.0


@pytest.mark.parametrize("horizon", [2, 3, 4, 7, 8, 12, 120])
def test_every_step_has_its_weights(horizon: int) -> None:
    steps = [
        step
        for weights in Mixture(horizon, (1.0,))._weights
        for step in range(weights.first, weights.last + 1)
    ]
    assert steps == list(range(1, horizon + 1))


def test_after_a_gap_it_is_not_scored_by_what_was_said_before() -> None:
    mixture, past = Mixture(H, (0.5, 0.5)), Past(H)
    for position, value in enumerate(walk(60)):
        past.add(value, float(position))
        mixture.combine([[1.0] * H])
    assert mixture.full
    mixture.clear()
    assert not mixture.full
    assert mixture.combine([[1.0] * H]) == [0.0] * H
