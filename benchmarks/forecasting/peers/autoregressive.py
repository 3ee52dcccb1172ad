"""Autoregression whose coefficients follow by recursive least squares."""

from __future__ import annotations

from collections import deque

import numpy as np

from benchmarks.forecasting.protocol import HORIZON, Array

_FAR = 8.0
"""Standard deviations that a forecast may be away from the mean."""


class RunningScale:
    """Mean and deviation so far, the newest 1000 samples counting most."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._variance = 0.0

    def update(self, value: float) -> None:
        """Take a sample."""
        self.count += 1
        gain = max(1.0 / self.count, 1e-3)
        away = value - self.mean
        self.mean += gain * away
        self._variance += gain * (away * away - self._variance)

    @property
    def deviation(self) -> float:
        """Never 0."""
        return float(self._variance) ** 0.5 or 1.0


class ArRls:
    """AR(8), forgetting 0.998, iterated over the horizon; standardised, so of any unit."""

    ORDER = 8
    FORGETTING = 0.998
    _START = 100.0

    def __init__(self) -> None:
        size = self.ORDER + 1
        self._scale = RunningScale()
        self._past: deque[float] = deque(maxlen=self.ORDER)  # standardised, newest first
        self._coefficients: Array = np.zeros(size)
        self._covariance: Array = self._START * np.eye(size)

    def update(self, value: float) -> list[float]:
        """See `Peer`."""
        scale, past = self._scale, self._past
        scale.update(value)
        standard = (value - scale.mean) / scale.deviation
        if len(past) == self.ORDER:
            self._learn(np.array([*past, 1.0]), standard)
        past.appendleft(standard)
        if scale.count < 3 * self.ORDER:
            return [value] * HORIZON
        return [scale.mean + scale.deviation * ahead for ahead in self._iterate()]

    def _learn(self, regressors: Array, target: float) -> None:
        covariance = self._covariance
        spread = covariance @ regressors
        gain = spread / (self.FORGETTING + regressors @ spread)
        self._coefficients += gain * (target - regressors @ self._coefficients)
        covariance -= np.outer(gain, spread)
        covariance /= self.FORGETTING
        # Without excitation the covariance would grow without bound.
        largest = self._START * len(regressors)
        if (trace := covariance.trace()) > largest:
            covariance *= largest / trace

    def _iterate(self) -> list[float]:
        *weights, constant = self._coefficients.tolist()
        past = list(self._past)
        path = []
        for _ in range(HORIZON):
            ahead = constant + sum(w * p for w, p in zip(weights, past, strict=True))
            ahead = max(-_FAR, min(_FAR, ahead))
            past = [ahead, *past[:-1]]
            path.append(ahead)
        return path
