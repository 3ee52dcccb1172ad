"""The time to a limit is held against the moment at which the smooth course meets it."""

from __future__ import annotations

import math

import pytest

from benchmarks.forecasting import reach

RAMP = "ramp of 2 min, noise 1 %"
MET = 120.0


class Told(float):
    earliest = 0.0
    latest = math.inf


class Oracle:
    """Knows when the ramp meets its limit, but for a factor."""

    factor = 1.0

    def __init__(self, horizon: int, step: float) -> None:
        self._now = 0.0

    def update(self, value: float, seconds: float) -> None:
        self._now = seconds

    def forecast(self) -> Oracle:
        return self

    def time_to(self, limit: float) -> Told:
        return Told((MET - self._now) * self.factor)


@pytest.mark.parametrize(
    ("factor", "within"), [(1.0, 1.0), (1.19, 1.0), (0.81, 1.0), (1.21, 0.0), (math.inf, 0.0)]
)
def test_an_error_counts_as_a_share_of_the_true_time_left(
    monkeypatch: pytest.MonkeyPatch, factor: float, within: float
) -> None:
    monkeypatch.setattr(reach, "Forecaster", Oracle)
    monkeypatch.setattr(Oracle, "factor", factor)
    found = reach.told(RAMP, seeds=1)
    assert found.within == within
    assert found.median_error == pytest.approx(abs(factor - 1.0))
    assert found.in_range == 1.0


def test_it_is_scored_from_half_the_way_until_a_tenth_of_the_time_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reach, "Forecaster", Oracle)
    assert reach.told(RAMP, seeds=1).moments == 108 - 60 + 1
    assert reach.told(RAMP, seeds=2).moments == 2 * (108 - 60 + 1)


@pytest.mark.parametrize("name", reach.courses())
def test_every_course_meets_its_limit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "Forecaster", Oracle)
    found = reach.told(name, seeds=1)
    assert found.moments >= 40
    assert found.aimed == ("thermal" not in name)
