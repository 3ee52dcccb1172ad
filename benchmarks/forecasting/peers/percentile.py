"""Kubernetes' Vertical Pod Autoscaler: a percentile of a decaying histogram, and a margin."""

from __future__ import annotations

import math

from benchmarks.forecasting.protocol import HORIZON
from benchmarks.forecasting.traces import DAY


class VpaPercentile:
    """90th percentile of buckets that grow by 5 %, weights halved in 24 hours, plus 15 %."""

    BUCKETS = 180
    GROWTH = 1.05
    PERCENTILE = 0.9
    MARGIN = 1.15
    _LARGEST_WEIGHT = 1e100

    def __init__(self, step: float) -> None:
        self._growth_of_weight = 2.0 ** (step / DAY)
        self._weight = 1.0
        self._first = 0.0  # width of the first bucket
        self._buckets = [0.0] * self.BUCKETS

    def update(self, value: float) -> list[float]:
        """See `Peer`."""
        if not self._first:
            self._first = 0.01 * max(abs(value), 1e-9)
        ratio = 1.0 + max(value, 0.0) * (self.GROWTH - 1.0) / self._first
        self._weight *= self._growth_of_weight
        bucket = int(math.log(ratio) / math.log(self.GROWTH))
        self._buckets[min(bucket, self.BUCKETS - 1)] += self._weight
        if self._weight > self._LARGEST_WEIGHT:
            self._buckets = [weight / self._weight for weight in self._buckets]
            self._weight = 1.0
        return [self.MARGIN * self._upper_edge()] * HORIZON

    def _upper_edge(self) -> float:
        wanted = self.PERCENTILE * sum(self._buckets)
        position = 0
        for position, weight in enumerate(self._buckets):  # noqa: B007 - used behind the loop
            wanted -= weight
            if wanted <= 0.0:
                break
        return self._first * (self.GROWTH ** (position + 1) - 1.0) / (self.GROWTH - 1.0)
