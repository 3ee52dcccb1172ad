"""Readings on a grid: one cell a step, whatever the sampler does."""

from __future__ import annotations

import math
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.forecast.grid import Grid

GAP = 12


def placed(grid: Grid, moments: Iterable[float], value: float = 1.0) -> list[float]:
    """Every cell that readings of `value` per second complete, long gaps left out."""
    cells: list[float] = []
    for seconds in moments:
        cells.extend(grid.place(value * seconds, seconds) or ())
    return cells


def test_without_a_step_it_is_the_median_of_the_first_spacings() -> None:
    grid = Grid(None, GAP)
    assert math.isnan(grid.guess())
    assert placed(grid, [0.0, 2.0, 4.1, 6.0]) == []
    assert grid.guess() == pytest.approx(2.0)
    assert not grid.begun
    assert grid.place(8.0, 8.0) == (0.0, 2.0, 4.1, 6.0, 8.0)
    assert grid.begun
    assert grid.step == pytest.approx(2.0)


def test_a_given_step_begins_at_once() -> None:
    grid = Grid(5.0, GAP)
    assert grid.place(7.0, 100.0) == (7.0,)
    assert (grid.seconds, grid.guess()) == (100.0, 5.0)


@given(st.floats(1e-3, 1e4), st.floats(-1e9, 1e9), st.integers(5, 100))
def test_regular_readings_are_their_own_cells(step: float, begin: float, count: int) -> None:
    grid = Grid(step, GAP)
    values = [grid.place(float(i), begin + i * step) for i in range(count)]
    assert values == [(float(i),) for i in range(count)]


def test_readings_between_cells_complete_none() -> None:
    grid = Grid(1.0, GAP)
    grid.place(0.0, 0.0)
    assert [grid.place(9.0, seconds) for seconds in (0.1, 0.3, 0.49)] == [(), (), ()]
    assert grid.place(1.0, 0.9) == (1.0,)


def test_skipped_cells_lie_on_a_straight_line() -> None:
    grid = Grid(1.0, GAP)
    grid.place(10.0, 0.0)
    assert grid.place(18.0, 4.0) == (12.0, 14.0, 16.0, 18.0)


def test_the_longest_gap_is_filled_and_a_longer_one_begins_anew() -> None:
    grid = Grid(1.0, GAP)
    grid.place(0.0, 0.0)
    assert len(grid.place(1.0, GAP + 1.0) or ()) == GAP + 1
    assert grid.place(5.0, 2.0 * GAP + 3.0) is None
    assert grid.seconds == 2.0 * GAP + 3.0
    assert grid.place(6.0, 2.0 * GAP + 4.0) == (6.0,)


def test_a_long_gap_among_the_first_readings_leaves_out_what_was_before_it() -> None:
    grid = Grid(None, GAP)
    assert placed(grid, [0.0, 1.0, 2.0, 1000.0, 1001.0]) == [1000.0, 1001.0]
    assert grid.seconds == 1001.0


@pytest.mark.parametrize("rate", [0.997, 1.0, 1.003, 1.03])
def test_a_sampler_that_is_off_its_pace_skips_no_cell_for_long(rate: float) -> None:
    grid = Grid(1.0, GAP)
    cells = placed(grid, [i * rate for i in range(5000)])
    assert len(cells) == 5000


@given(st.lists(st.floats(0.05, 3.0), min_size=10, max_size=200))
def test_irregular_readings_give_a_cell_a_step_and_the_newest_is_near(
    spacings: list[float],
) -> None:
    grid, now, cells = Grid(1.0, GAP), 0.0, 0
    for spacing in spacings:
        now += spacing
        cells += len(grid.place(now, now) or ())
        assert abs(now - grid.seconds) <= 0.5 + 1e-9
    # What a reading is away from its cell moves the grid by a tenth of that, half a step at most.
    assert abs(cells - now) <= 1.6 + 0.05 * len(spacings) + GAP


def test_jitter_does_not_change_the_number_of_cells() -> None:
    random = Random(1)
    grid = Grid(1.0, GAP)
    cells = placed(grid, [i + random.uniform(-0.2, 0.2) for i in range(2000)])
    assert abs(len(cells) - 2000) <= 2


@given(
    st.floats(1e-300, 1e300) | st.none(),
    st.lists(st.floats(-1e15, 1e15), min_size=1, max_size=40, unique=True),
)
def test_any_times_in_order_give_finite_cells_and_never_too_many(
    step: float | None, moments: list[float]
) -> None:
    grid = Grid(step, GAP)
    for position, seconds in enumerate(sorted(moments)):
        values = grid.place(float(position), seconds)
        assert values is None or len(values) <= 5 * (GAP + 1)
        assert all(map(math.isfinite, values or ()))
        assert math.isfinite(grid.seconds)
