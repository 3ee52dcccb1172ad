"""What experts are shown: without unit or size, bounded, and no further back than needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.forecast.past import BOUND, FURTHEST, SHAPE, Past

H = 6


def seen(values: Sequence[float]) -> Past:
    past = Past(H)
    for position, value in enumerate(values):
        past.add(value, float(position))
    return past


def gauss(count: int, seed: int = 1, sd: float = 1.0) -> list[float]:
    random = Random(seed)
    return [random.gauss(0.0, sd) for _ in range(count)]


@given(st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=80))
@settings(deadline=None)
def test_all_that_is_told_is_finite_and_bounded_whatever_came(values: list[float]) -> None:
    past = seen(values)
    kept = min(len(values), H + 1)
    assert list(past.values) == values[: -kept - 1 : -1]
    assert [len(past.scales), len(past.spreads), len(past.shapes)] == [kept, kept, kept * SHAPE]
    assert all(abs(number) <= BOUND for number in past.shapes)
    assert all(0.0 <= number < math.inf for number in (*past.scales, *past.spreads))
    assert abs(past.median) <= FURTHEST
    assert 0.0 <= past.phase < 1.0


@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
@settings(max_examples=30, deadline=None)
def test_unit_and_size_do_not_matter(factor: float, offset: float) -> None:
    values = gauss(60)
    plain, other = seen(values), seen([factor * (value + offset) for value in values])
    assert list(other.shapes) == pytest.approx(list(plain.shapes), abs=0.01)
    assert other.scales[0] == pytest.approx(factor * plain.scales[0], rel=1e-6)


def test_a_shape_is_the_last_changes_and_distances_from_level_and_median() -> None:
    past = seen([0.0, 1.0, 3.0, 2.0, 4.0, 8.0])
    scale = past.scales[0]
    assert scale == pytest.approx((1 + 2 + 1 + 2 + 4) / 5)
    assert list(past.shapes[:5]) == pytest.approx([4 / scale, 2 / scale, -1 / scale, 1.0, 0.5])
    assert past.median == pytest.approx((2.5 - 8.0) / scale)
    assert past.shapes[6] == pytest.approx(-past.median)
    assert past.shapes[7] == 1.0


def test_what_never_changed_has_no_scale() -> None:
    past = seen([5e9] * 50)
    assert set(past.scales) == set(past.spreads) == {0.0}
    assert set(past.shapes) == {0.0}


def test_rounding_is_no_change() -> None:
    past = seen([1e9 + (i % 2) * 1e-7 for i in range(50)])
    assert set(past.scales) == {0.0}


def test_a_spike_does_not_make_large_changes_usual() -> None:
    values = gauss(300)
    values[250] = 1e6
    assert seen(values).scales[0] < 3.0 * seen(gauss(300)).scales[0]


@pytest.mark.parametrize("rest", [100, 3000, 6000, 50_000])
def test_after_any_rest_changes_are_soon_usual_again(rest: int) -> None:
    past = seen([*gauss(400), *[0.0] * rest, *gauss(150, 2)])
    assert past.scales[0] > 0.3
    assert past.spreads[0] > 0.3


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=80), st.integers(0, 400))
@settings(deadline=None)
def test_errors_at_rest_are_never_measured_by_nothing(values: list[float], rest: int) -> None:
    past = seen([*values, *values[-1:] * rest])
    for scale, spread in zip(past.scales, past.spreads, strict=True):
        assert spread >= 0.1 * scale


def test_a_level_that_a_shift_left_behind_is_forgotten() -> None:
    past = seen([*gauss(200), *[1000.0 + value for value in gauss(20, 3)]])
    assert abs(past.shapes[5]) < BOUND  # it would take a hundred values by smoothing alone


def test_after_a_gap_it_begins_anew_but_knows_how_much_changes() -> None:
    past = seen(gauss(200))
    usual = past.scales[0]
    past.clear()
    assert not past.values
    past.add(500.0, 1e4)
    assert list(past.values) == [500.0]
    assert past.scales[0] == pytest.approx(usual)
    assert list(past.shapes) == [0.0] * 7 + [1.0]


def test_phases_are_spread_evenly_at_any_rhythm() -> None:
    past = Past(H)
    phases = []
    for i in range(6001):
        past.add(float(i), float(i))
        phases.append(past.phase)
    for rhythm in (1, 2, 3, 5, 8, 12, 60):
        every = phases[1::rhythm]
        assert sum(phase < 1 / 3 for phase in every) / len(every) == pytest.approx(1 / 3, abs=0.05)
