"""Where a peer's probability of a breach comes from, and what a probability is worth."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.forecasting import probability
from benchmarks.forecasting.probability import RESIDUALS, average_precision, from_residuals
from benchmarks.forecasting.protocol import HORIZON, Array, breaches


def by_hand(values: Array, forecasts: Array, limit: float, now: int) -> float:
    """The definition, written out for one sample."""
    shares: list[float] = []
    for ahead in range(1, HORIZON + 1):
        known = [
            values[target] - forecasts[target - ahead, ahead - 1]
            for target in range(ahead, now + 1)
        ]
        # The newest 256 targets, whether or not there was a forecast for each.
        known = known[-RESIDUALS:]
        over = sum(float(error > limit - forecasts[now, ahead - 1]) for error in known)
        shares.append((over + 0.25) / (len(known) + 1.0))
    return max(min(pair) for pair in pairwise(shares))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 399))
def test_it_is_the_share_of_own_past_errors_that_would_cross_twice(seed: int, now: int) -> None:
    random = np.random.default_rng(seed)
    values = np.cumsum(random.normal(size=400))
    forecasts = values[:, None] + random.normal(size=(400, HORIZON))
    limit = float(np.percentile(values, 90))
    assert from_residuals(values, forecasts, limit)[now] == pytest.approx(
        by_hand(values, forecasts, limit, now)
    )


def test_it_knows_nothing_of_the_future() -> None:
    random = np.random.default_rng(0)
    values, forecasts = random.normal(size=300), random.normal(size=(300, HORIZON))
    other = values.copy()
    other[200:] = 1e6
    assert np.array_equal(
        from_residuals(values, forecasts, 1.0)[:200], from_residuals(other, forecasts, 1.0)[:200]
    )


def test_average_precision_of_a_perfect_ranking_is_1() -> None:
    assert average_precision(np.array([0.1, 0.9, 0.8]), np.array([0.0, 1.0, 1.0])) == 1.0


def test_average_precision_of_a_known_ranking() -> None:
    scores, labels = np.array([0.9, 0.8, 0.7, 0.6]), np.array([1.0, 0.0, 1.0, 0.0])
    assert average_precision(scores, labels) == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_average_precision_without_positives_is_not_a_number() -> None:
    assert np.isnan(average_precision(np.array([0.5]), np.array([0.0])))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_average_precision_is_a_share(pairs: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in pairs])
    labels = np.array([float(positive) for _, positive in pairs])
    worth = average_precision(scores, labels)
    assert np.isnan(worth) or 0.0 < worth <= 1.0


def spiky() -> Array:
    """Events at 50, 150, 250 and so on."""
    values = np.zeros(1000)
    for onset in range(50, 1000, 100):
        values[onset : onset + 3] = 1.0
    return values


def test_brier_skill_is_1_for_the_truth_and_0_for_the_warm_up_s_share() -> None:
    found = breaches(spiky(), 0.5)
    labels = found.labels()
    share = float(labels[:400][found.usable[:400]].mean())
    assert probability.score(labels, found).brier_skill == 1.0
    assert probability.score(np.full(1000, share), found).brier_skill == pytest.approx(0.0)
    assert probability.score(1.0 - labels, found).brier_skill < 0.0


def test_probabilities_are_counted_by_range_with_what_happened() -> None:
    found = breaches(spiky(), 0.5)
    labels = found.labels()
    said = np.where(labels == 1.0, 0.6, 0.01)
    first, *middle, last = probability.score(said, found).bins.tolist()
    assert first[1] == pytest.approx(0.01 * first[0])
    assert first[2] == 0.0
    assert last[2] == last[0] == 6 * HORIZON  # six events after the warm-up
    assert not np.any(middle)


def test_only_what_came_after_the_warm_up_is_scored() -> None:
    found = breaches(spiky(), 0.5)
    wrong_early = found.labels()
    wrong_early[:400] = 1.0 - wrong_early[:400]
    assert probability.score(wrong_early, found).squared == 0.0


def test_a_plain_rule_is_nearly_sure_or_not_at_all() -> None:
    assert probability.as_probability(np.array([True, False])).tolist() == [0.99, 0.0]
