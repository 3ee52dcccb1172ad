"""Peers of other packages, each left out with a word where its package is not installed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.forecasting.peers.autoregressive import RunningScale
from benchmarks.forecasting.protocol import HORIZON, Array, first_scored

_FAR = 8.0
_FIRST = 30


class RiverSnarimax:
    """river's SNARIMAX(8,1,0), standardised outside and held within 8 deviations.

    Its own scaler, or its default step, let it diverge on quantised series.
    """

    def __init__(self) -> None:
        from river import linear_model, optim, time_series

        regressor = linear_model.LinearRegression(optimizer=optim.SGD(0.01))
        self._model: Any = time_series.SNARIMAX(p=8, d=1, q=0, regressor=regressor)
        self._scale = RunningScale()

    def update(self, value: float) -> Sequence[float]:
        """See `Peer`."""
        scale = self._scale
        scale.update(value)
        mean, deviation = scale.mean, scale.deviation
        self._model.learn_one((value - mean) / deviation)
        if scale.count < _FIRST:
            return [value] * HORIZON
        return [mean + deviation * max(-_FAR, min(_FAR, f)) for f in self._model.forecast(HORIZON)]


class RiverHoltWinters:
    """river's HoltWinters, level gain 0.5, trend gain 0.1, without a season."""

    def __init__(self) -> None:
        from river import time_series

        make: Any = time_series.HoltWinters
        self._model = make(alpha=0.5, beta=0.1)
        self._count = 0

    def update(self, value: float) -> Sequence[float]:
        """See `Peer`."""
        self._model.learn_one(value)
        self._count += 1
        if self._count < 6:
            return [value] * HORIZON
        forecast: list[float] = self._model.forecast(HORIZON)
        return forecast


class Refits(NamedTuple):
    """What refitting a model at some moments gave."""

    ratios: Array | None
    """Mean absolute error of each horizon, as ratios to the last value's; `None` where that did not
    err at those moments."""
    microseconds: float
    """Processor time of one fit and its forecast."""


def auto_ets(values: Array, origins: int = 25, window: int = 300) -> Refits:
    """AutoETS of statsforecast, refitted on the newest samples at evenly spaced scored origins."""
    from statsforecast.models import AutoETS

    count = len(values)
    first = max(first_scored(count), window)
    errors, plain = np.zeros(HORIZON), np.zeros(HORIZON)
    moments = np.linspace(first, count - HORIZON - 1, origins).astype(int)
    begun = time.process_time()
    for now in moments:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = AutoETS().forecast(values[now - window + 1 : now + 1], h=HORIZON)["mean"]
        happened = values[now + 1 : now + 1 + HORIZON]
        errors += np.abs(happened - path)
        plain += np.abs(happened - values[now])
    spent = (time.process_time() - begun) / len(moments)
    comparable = plain.min() > 1e-9 * float(np.abs(values).max())
    return Refits(errors / plain if comparable else None, 1e6 * spent)
