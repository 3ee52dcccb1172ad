"""Lines: as steep as the ramp is, also a slow one, and none where nothing grows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.forecast.trend import Line, Trend

SEEDS = range(8)


def surest(values: Iterable[float]) -> Line:
    trend = Trend()
    for value in values:
        trend.update(value)
    return trend.surest()


def ramp(slope: float, sd: float, count: int, seed: int) -> list[float]:
    random = Random(seed)
    return [100.0 + slope * i + random.gauss(0.0, sd) for i in range(count)]


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(3, 60))
def test_a_line_is_found_exactly(level: float, slope: float, count: int) -> None:
    line = Line(0.95)
    for i in range(count):
        line.update(level + slope * i)
    near = 1e-9 * (abs(level) + abs(slope) * count + 1e-9)
    assert line.slope == pytest.approx(slope, rel=1e-6, abs=near)
    assert line.level == pytest.approx(level + slope * (count - 1), rel=1e-6, abs=near)
    assert line.deviation == pytest.approx(0.0, abs=1e3 * near)


def test_while_the_memory_fills_it_is_the_line_of_least_squares() -> None:
    values = ramp(0.5, 2.0, 15, 1)
    line = Line(0.998)
    for value in values:
        line.update(value)
    middle, mean = 7.0, sum(values) / 15
    slope = sum((i - middle) * (value - mean) for i, value in enumerate(values)) / sum(
        (i - middle) ** 2 for i in range(15)
    )
    assert line.slope == pytest.approx(slope)
    assert line.level == pytest.approx(mean + slope * middle)


@pytest.mark.parametrize(
    ("slope", "sd", "count"),
    [(9.0, 5.0, 60), (1.0, 5.0, 150), (0.1, 5.0, 1000), (0.02, 2.0, 3000), (-1.0, 5.0, 150)],
)
def test_a_ramp_in_noise_is_seen_within_a_fifth(slope: float, sd: float, count: int) -> None:
    told = [surest(ramp(slope, sd, count, seed)) for seed in SEEDS]
    close = [line for line in told if abs(line.slope - slope) <= 0.2 * abs(slope)]
    assert len(close) >= len(SEEDS) - 1
    assert all(line.slope > 0.0 if slope > 0.0 else line.slope < 0.0 for line in told)


@pytest.mark.parametrize("before", [50, 500, 3000])
def test_a_ramp_that_follows_rest_is_seen_within_sixty_values(before: int) -> None:
    for seed in SEEDS:
        random = Random(seed)
        line = surest(3.0 * max(0, i - before) + random.gauss(0.0, 1.0) for i in range(before + 60))
        assert line.slope == pytest.approx(3.0, rel=0.2)


def test_noise_alone_is_seldom_growth() -> None:
    sure = 0
    for seed in range(100):
        line = surest(ramp(0.0, 5.0, 300, seed))
        sure += abs(line.slope) > 3.0 * line.slope_deviation
    assert sure <= 5


def test_before_eight_values_no_slope_is_sure() -> None:
    assert math.isinf(surest([float(i) for i in range(7)]).slope_deviation)
    assert surest([float(i) for i in range(8)]).slope_deviation == pytest.approx(0.0, abs=1e-9)


def test_the_deviation_is_that_of_the_noise() -> None:
    assert surest(ramp(1.0, 5.0, 2000, 2)).deviation == pytest.approx(5.0, rel=0.25)


@given(st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=100))
@settings(deadline=None)
def test_whatever_came_the_line_is_finite(values: list[float]) -> None:
    line = surest(values)
    assert all(map(math.isfinite, (line.level, line.slope, line.deviation)))
    assert line.deviation >= 0.0
    assert line.slope_deviation >= 0.0
