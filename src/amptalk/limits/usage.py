"""What a resource was used in the past, the recent past counting more: a decaying histogram.

After the one of Kubernetes' Vertical Pod Autoscaler: buckets grow in proportion to the value, and
the weight of what was seen halves with each `HALF_LIFE`. Memory is bounded by the number of
buckets, whatever the run length. Pure; what follows for limits is in `recommendation`.
"""

from __future__ import annotations

import math

HALF_LIFE = 24 * 3600.0
"""Seconds after which an observation counts half: a day, as loads mostly repeat by the day."""
GROWTH = 1.02
"""Upper edge of a bucket over its lower one: percentiles err by 2 % of their value at most."""
PERIOD = 10.0
"""Seconds that one observation of `Usage` stands for."""
_LOWEST, _HIGHEST = -1400, 1400
"""Buckets from 1e-12 to 1e12, which is 2800 at most; beyond lies the first or last one."""
_NOTHING = _LOWEST - 1
"""The bucket of what is 0 or less."""
_LONGEST = 100 * HALF_LIFE
"""Weights are scaled down after so long, before they overflow."""


class DecayingHistogram:
    """Weighted counts of one series. Not thread-safe."""

    __slots__ = ("_origin", "_total", "_weights")

    def __init__(self) -> None:
        self._weights: dict[int, float] = {}
        self._total = 0.0
        self._origin = 0.0
        """Monotonic time at which an observation weighs 1 in `_weights`."""

    def add(self, now: float, value: float) -> None:
        """Take one observation, made at monotonic `now`; `nan` is left out."""
        if value != value:  # noqa: PLR0124 - nan
            return
        if now - self._origin > _LONGEST:
            self._scale(now)
        weight = _weight(now - self._origin)
        bucket = _bucket(value)
        self._weights[bucket] = self._weights.get(bucket, 0.0) + weight
        self._total += weight

    def not_above(self, percent: float) -> float:
        """The value that `percent` (0-100) of the weight does not exceed; `nan` without any."""
        wanted = self._total * percent / 100.0 * (1.0 - 1e-9)
        seen = 0.0
        for bucket in sorted(self._weights):
            seen += self._weights[bucket]
            if seen >= wanted:
                return _edge(bucket + 1) if bucket != _NOTHING else 0.0
        return math.nan

    def not_below(self, percent: float) -> float:
        """The value that `percent` (0-100) of the weight is not below; `nan` without any."""
        wanted = self._total * percent / 100.0 * (1.0 - 1e-9)
        seen = 0.0
        for bucket in sorted(self._weights, reverse=True):
            seen += self._weights[bucket]
            if seen >= wanted:
                return _edge(bucket) if bucket != _NOTHING else 0.0
        return math.nan

    def filled(self, now: float, period: float) -> float:
        """How much was seen of what would count if it had been watched for ever, 0-1.

        `period` is the seconds between observations: a half-life of them gives 0.5.
        """
        for_ever = 1.0 / (1.0 - _weight(-period))
        return min(1.0, self._total * _weight(self._origin - now) / for_ever)

    def _scale(self, now: float) -> None:
        factor = _weight(self._origin - now)
        self._weights = {
            bucket: weight
            for bucket, old in self._weights.items()
            if (weight := old * factor) > 1e-12 * self._total * factor
        }
        self._total = sum(self._weights.values())
        self._origin = now


def _weight(later: float) -> float:
    """What an observation counts that was made so many seconds later than another one."""
    return math.pow(2.0, later / HALF_LIFE)


_PER_BUCKET = 1.0 / math.log(GROWTH)


def _bucket(value: float) -> int:
    if value <= 0.0:
        return _NOTHING
    if value == math.inf:
        return _HIGHEST
    return min(_HIGHEST, max(_LOWEST, math.floor(math.log(value) * _PER_BUCKET)))


def _edge(bucket: int) -> float:
    return math.pow(GROWTH, bucket)


class Usage:
    """Peaks and means of one resource, ten seconds each."""

    __slots__ = ("_means", "_peaks", "observed_seconds")

    def __init__(self) -> None:
        self._peaks = DecayingHistogram()
        self._means = DecayingHistogram()
        self.observed_seconds = 0.0

    def add(self, now: float, peak: float, mean: float) -> None:
        """Take what was used in the ten seconds from monotonic `now` on.

        Where the limit is a minimum, the lowest value is the peak.
        """
        self._peaks.add(now, peak)
        self._means.add(now, mean)
        self.observed_seconds += PERIOD

    def peak(self, percent: float, *, lowest: bool) -> float:
        """The peak that `percent` of them do not go beyond."""
        return self._peaks.not_below(percent) if lowest else self._peaks.not_above(percent)

    def mean(self, percent: float) -> float:
        """The mean that `percent` of them do not exceed."""
        return self._means.not_above(percent)

    def filled(self, now: float) -> float:
        """How much was seen of what would count if it had been watched for ever, 0-1."""
        return self._peaks.filled(now, PERIOD)
