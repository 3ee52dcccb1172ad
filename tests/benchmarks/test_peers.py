"""Each peer does what its name says; none is a straw man."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.forecasting.peers.autoregressive import ArRls
from benchmarks.forecasting.peers.peer import Peer, Setting
from benchmarks.forecasting.peers.percentile import VpaPercentile
from benchmarks.forecasting.peers.simple import (
    DampedHolt,
    Ewma,
    LastValue,
    PredictLinear,
    SeasonalNaive,
)
from benchmarks.forecasting.peers.table import peers
from benchmarks.forecasting.protocol import HORIZON


def after(peer: Peer, values: Sequence[float]) -> list[float]:
    """What is forecast after the last of the values."""
    made: Sequence[float] = []
    for value in values:
        made = peer.update(value)
    return list(made)


def test_the_last_value_stays() -> None:
    assert after(LastValue(), [1.0, 5.0]) == [5.0] * HORIZON


@pytest.mark.parametrize("period", [4, 20])
def test_a_season_repeats(period: int) -> None:
    values = [float(i % period) for i in range(3 * period + 1)]
    expected = [float(i % period) for i in range(len(values), len(values) + HORIZON)]
    assert after(SeasonalNaive(period), values) == expected


def test_without_a_season_or_before_one_has_passed_the_last_value_stays() -> None:
    assert after(SeasonalNaive(0), [1.0, 2.0]) == [2.0] * HORIZON
    assert after(SeasonalNaive(30), [1.0, 2.0]) == [2.0] * HORIZON


def test_smoothing_halves_each_surprise() -> None:
    assert after(Ewma(), [0.0, 8.0, 8.0]) == [6.0] * HORIZON


def test_a_damped_trend_goes_on_ever_more_slowly() -> None:
    made = after(DampedHolt(), [float(i) for i in range(200)])
    rises = np.diff(made)
    assert (rises > 0.0).all()
    assert (np.diff(rises) < 0.0).all()


@pytest.mark.parametrize("window", [12, 30])
def test_a_line_is_continued_exactly(window: int) -> None:
    made = after(PredictLinear(window), [3.0 * i + 1.0 for i in range(50)])
    assert made == pytest.approx([3.0 * i + 1.0 for i in range(50, 50 + HORIZON)])


def test_autoregression_learns_an_oscillation() -> None:
    wave = [math.sin(0.4 * i) for i in range(600 + HORIZON)]
    assert after(ArRls(), wave[:600]) == pytest.approx(wave[600:], abs=0.05)


def test_a_histogram_s_percentile_has_its_margin_within_a_bucket() -> None:
    values = np.random.default_rng(0).uniform(50.0, 100.0, 3000).tolist()
    (level,) = set(after(VpaPercentile(60.0), values))
    assert level == pytest.approx(1.15 * 95.0, rel=0.06)


@pytest.mark.parametrize("name", list(peers()))
@settings(max_examples=15, deadline=None)
@given(values=st.lists(st.floats(0.0, 1e6), min_size=1, max_size=80))
def test_every_peer_answers_with_finite_forecasts_of_the_horizon(
    name: str, values: list[float]
) -> None:
    made = after(peers()[name](Setting(1.0, 20)), values)
    assert len(made) == HORIZON
    assert np.isfinite(made).all()
