"""Interval coverage: each horizon's interval is held against the sample it was made for."""

from __future__ import annotations

import numpy as np

from benchmarks.forecasting.ours import Replay, covered, replay
from benchmarks.forecasting.protocol import HORIZON
from benchmarks.forecasting.traces import Trace


def test_a_value_counts_for_the_interval_that_was_made_so_many_samples_before() -> None:
    values = np.zeros(100)
    lower, upper = np.full((100, HORIZON), -1.0), np.full((100, HORIZON), 1.0)
    upper[60, 4] = -0.5  # of sample 65, five ahead
    found = covered(values, Replay(values, lower, upper, {}), 50, 100)
    assert found.shares[4] == 49 / 50
    assert np.delete(found.shares, 4).tolist() == [1.0] * (HORIZON - 1)


def test_a_value_on_the_bound_is_covered_but_not_inside() -> None:
    values = np.ones(100)
    lower, upper = np.full((100, HORIZON), 1.0), np.full((100, HORIZON), 2.0)
    found = covered(values, Replay(values, lower, upper, {}), 50, 100)
    assert found.shares.tolist() == [1.0] * HORIZON
    assert found.inside.tolist() == [0.0] * HORIZON


def test_our_forecaster_says_something_after_each_sample() -> None:
    values = 50.0 + np.random.default_rng(0).normal(size=150)
    said = replay(Trace("made", "", np.arange(150.0), values), (52.0, 99.0))
    assert said.means.shape == said.lower.shape == said.upper.shape == (150, HORIZON)
    assert set(said.probabilities) == {52.0, 99.0}
    assert (said.probabilities[99.0] <= said.probabilities[52.0]).all()
