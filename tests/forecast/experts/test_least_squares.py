"""Recursive least squares: finds what is there, and stays sane when nothing is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from random import Random

import pytest

from amptalk.forecast.experts.least_squares import INPUTS, LeastSquares

KNOWN = ((0.5, -1.0, 0.0, 2.0, 0.0, 0.25, 1.0, -3.0), (0.0, 1.0, 1.0, 0.0, -0.5, 0.0, 0.0, 7.0))


def shape(random: Random) -> list[float]:
    return [random.gauss(0.0, 1.0) for _ in range(INPUTS - 1)] + [1.0]


def answers(inputs: Sequence[float]) -> list[float]:
    return [sum(a * x for a, x in zip(row, inputs, strict=True)) for row in KNOWN]


def teach(rows: LeastSquares, inputs: Sequence[float], targets: Sequence[float]) -> None:
    errors = [a - b for a, b in zip(targets, rows.outputs(inputs), strict=True)]
    rows.learn(inputs, errors, 0.1)


def healthy(rows: LeastSquares) -> None:
    covariance = rows._covariance
    assert all(map(math.isfinite, (*covariance, *rows._weights)))
    for i, j in product(range(INPUTS), repeat=2):
        assert covariance[INPUTS * i + j] == covariance[INPUTS * j + i]
    assert min(covariance[:: INPUTS + 1]) > 0.0
    assert sum(covariance[:: INPUTS + 1]) <= 1.01 * 100.0 * INPUTS / 0.998


def test_it_expects_nothing_before_a_lesson() -> None:
    assert LeastSquares(3).outputs([1.0] * INPUTS) == [0.0, 0.0, 0.0]


def test_known_coefficients_are_found() -> None:
    random, rows = Random(1), LeastSquares(2)
    for _ in range(200):
        inputs = shape(random)
        teach(rows, inputs, answers(inputs))
    assert list(rows._weights) == pytest.approx([*KNOWN[0], *KNOWN[1]], abs=1e-3)


def test_known_coefficients_are_found_in_noise() -> None:
    random, rows = Random(2), LeastSquares(2)
    for _ in range(3000):
        inputs = shape(random)
        teach(rows, inputs, [answer + random.gauss(0.0, 1.0) for answer in answers(inputs)])
    assert list(rows._weights) == pytest.approx([*KNOWN[0], *KNOWN[1]], abs=0.25)


def test_what_changes_is_learned_anew() -> None:
    random, rows = Random(3), LeastSquares(2)
    for turn in range(4000):
        inputs = shape(random)
        sign = 1.0 if turn < 1000 else -1.0
        teach(rows, inputs, [sign * answer for answer in answers(inputs)])
    assert list(rows._weights) == pytest.approx([-w for w in (*KNOWN[0], *KNOWN[1])], abs=0.05)


def test_a_lesson_of_less_variance_weighs_more() -> None:
    sure, doubtful = LeastSquares(1), LeastSquares(1)
    sure.learn([1.0] * INPUTS, [1.0], 0.1)
    doubtful.learn([1.0] * INPUTS, [1.0], 1000.0)
    assert doubtful.outputs([1.0] * INPUTS)[0] < sure.outputs([1.0] * INPUTS)[0] <= 1.0


def constant(random: Random, turn: int) -> list[float]:
    return [1.0] * INPUTS


def only_the_last(random: Random, turn: int) -> list[float]:
    return [0.0] * (INPUTS - 1) + [1.0]


def at_the_bounds(random: Random, turn: int) -> list[float]:
    return [6.0 * (-1.0) ** turn] * (INPUTS - 1) + [1.0]


def lively(random: Random, turn: int) -> list[float]:
    return shape(random)


def mostly_quiet(random: Random, turn: int) -> list[float]:
    return shape(random) if turn % 5000 == 0 else only_the_last(random, turn)


@pytest.mark.parametrize(
    ("drawn", "lessons"),
    [
        (constant, 100_000),
        (only_the_last, 100_000),
        (at_the_bounds, 40_000),
        (lively, 40_000),
        (mostly_quiet, 40_000),
    ],
)
def test_it_stays_sane_however_long_it_learns(
    drawn: Callable[[Random, int], list[float]], lessons: int
) -> None:
    random, rows = Random(4), LeastSquares(1)
    for turn in range(lessons):
        rows.learn(
            inputs := drawn(random, turn), [random.gauss(0.5, 1.0) - rows.outputs(inputs)[0]], 0.1
        )
    healthy(rows)
    assert abs(rows.outputs(drawn(random, 1))[0]) < 2.0
