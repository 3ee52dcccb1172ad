"""What a breach is, and what an error is worth beside the last value."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.forecasting.protocol import (
    HORIZON,
    Array,
    breaches,
    error_ratios,
    first_scored,
    limit_of,
    mean_errors,
)

LIMIT = 10.0


def series(*above: int, samples: int = 100) -> Array:
    """Zeros, and 20 at the positions given."""
    values = np.zeros(samples)
    values[list(above)] = 20.0
    return values


def test_two_samples_in_a_row_are_a_breach() -> None:
    found = breaches(series(40, 41), LIMIT)
    assert found.onsets == [40]


def test_a_single_spike_is_no_breach_but_no_moment_to_warn_at() -> None:
    found = breaches(series(40), LIMIT)
    assert found.onsets == []
    assert not found.usable[40]
    assert found.usable[[39, 41]].all()


def test_a_value_at_the_limit_is_not_above_it() -> None:
    assert breaches(np.full(50, LIMIT), LIMIT).onsets == []


def test_an_onset_within_the_horizon_of_the_last_breach_belongs_to_it() -> None:
    ends = 42
    same, apart = ends + HORIZON, ends + HORIZON + 1
    assert breaches(series(40, 41, same, same + 1), LIMIT).onsets == [40]
    assert breaches(series(40, 41, apart, apart + 1), LIMIT).onsets == [40, apart]


def test_after_a_breach_the_horizon_must_pass_before_the_next_warning() -> None:
    usable = breaches(series(40, 41), LIMIT).usable
    assert not usable[40 : 42 + HORIZON].any()
    assert usable[:40].all()
    assert usable[42 + HORIZON :].all()


def test_the_samples_before_an_event_are_positive() -> None:
    labels = breaches(series(5, 6, 60, 61), LIMIT).labels()
    assert np.flatnonzero(labels).tolist() == [*range(5), *range(60 - HORIZON, 60)]


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_events_are_apart_and_begin_with_two_samples_above(flags: list[bool]) -> None:
    values = np.where(flags, 20.0, 0.0)
    found = breaches(values, LIMIT)
    assert all(b - a > HORIZON for a, b in zip(found.onsets, found.onsets[1:], strict=False))
    assert all((values[onset : onset + 2] > LIMIT).all() for onset in found.onsets)
    assert not (found.usable & (values > LIMIT)).any()


def test_the_limit_is_a_percentile_of_the_whole_trace() -> None:
    assert limit_of(np.arange(101.0), 95) == 95.0


def test_forty_percent_are_the_warm_up() -> None:
    assert first_scored(5000) == 2000


def test_errors_of_each_horizon_come_from_the_scored_part_alone() -> None:
    values = np.arange(100.0)
    forecasts = np.repeat(values[:, None], HORIZON, axis=1)
    forecasts[:40] = 1e9
    assert mean_errors(values, forecasts).tolist() == list(range(1, HORIZON + 1))


def test_the_last_value_has_the_ratio_1_and_the_truth_almost_0() -> None:
    values = np.cumsum(np.random.default_rng(0).normal(size=300))
    last_value = np.repeat(values[:, None], HORIZON, axis=1)
    padded = np.concatenate([values, np.zeros(HORIZON)])
    truth = np.array([padded[now + 1 : now + 1 + HORIZON] for now in range(300)])
    assert np.allclose(error_ratios(values, last_value), 1.0)
    assert error_ratios(values, truth).max() < 1e-6


def test_on_a_constant_series_nothing_errs_and_the_ratio_is_1() -> None:
    values = np.full(100, 3.0)
    assert error_ratios(values, np.full((100, HORIZON), 3.0)).tolist() == [1.0] * HORIZON
