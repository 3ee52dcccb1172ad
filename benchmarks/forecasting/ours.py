"""Replay a trace through our forecaster and keep everything that it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from amptalk.forecast import Forecaster
from benchmarks.forecasting.protocol import HORIZON, PERSISTENCE, Array
from benchmarks.forecasting.traces import Trace

COVERAGE = 0.9


class Replay(NamedTuple):
    """Row t: what was said after sample t."""

    means: Array
    lower: Array
    upper: Array
    """Of the interval that should hold 90 %."""
    probabilities: dict[float, Array]
    """By limit, of a breach within the horizon."""


def replay(trace: Trace, limits: Sequence[float] = ()) -> Replay:
    """Give the forecaster each sample with its time, as the predictive strategy does."""
    count = len(trace.values)
    means = np.empty((count, HORIZON))
    lower, upper = np.empty_like(means), np.empty_like(means)
    probabilities = {limit: np.empty(count) for limit in limits}
    forecaster = Forecaster(HORIZON, trace.step)
    for now, (seconds, value) in enumerate(
        zip(trace.seconds.tolist(), trace.values.tolist(), strict=True)
    ):
        forecaster.update(value, seconds)
        forecast = forecaster.forecast()
        means[now] = forecast.mean
        lower[now], upper[now] = forecast.interval(COVERAGE)
        for limit, said in probabilities.items():
            said[now] = forecast.breach_probability(limit, PERSISTENCE)
    return Replay(means, lower, upper, probabilities)


class Coverage(NamedTuple):
    """How often values lay within their interval, by horizon."""

    shares: Array
    """The bounds included, as an interval is meant."""
    inside: Array
    """The bounds left out: less where values repeat, as those of coarse sensors do."""


def covered(values: Array, said: Replay, begin: int, end: int) -> Coverage:
    """Count over the targets from `begin` to `end`."""
    shares, inside = [], []
    happened = values[begin:end]
    for ahead in range(1, HORIZON + 1):
        low, high = (
            bound[begin - ahead : end - ahead, ahead - 1] for bound in (said.lower, said.upper)
        )
        shares.append(((low <= happened) & (happened <= high)).mean())
        inside.append(((low < happened) & (happened < high)).mean())
    return Coverage(np.array(shares), np.array(inside))
