"""The slope of a series, by least squares; used by windows and by the engine's fast ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul


def least_squares_slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the growth per second of the line with the least squared distance to the points.

    Σ(t - t̄)·v / Σ(t - t̄)²; pairs whose value is `nan` are left out; `nan` for
    fewer than 3 points or points of one single time.
    """
    count = len(times)
    if count < 3:
        return math.nan
    middle = sum(times) / count
    centred = [time - middle for time in times]
    moment = sum(map(mul, centred, values))
    if math.isnan(moment):
        pairs = [(t, v) for t, v in zip(times, values, strict=True) if math.isfinite(v)]
        if len(pairs) == count:
            return math.nan
        return least_squares_slope([t for t, _ in pairs], [v for _, v in pairs])
    spread = sum(map(mul, centred, centred))
    return moment / spread if spread > 0 else math.nan


def slope_error(times: Sequence[float], values: Sequence[float], slope: float) -> float:
    """Return the standard error of a slope found by `least_squares_slope` on the same points.

    sqrt(Σ residual² / (n - 2) / Σ(t - t̄)²); needs 3 points or more that are all finite.
    """
    count = len(times)
    middle, level = sum(times) / count, sum(values) / count
    spread = left = 0.0
    for time, value in zip(times, values, strict=True):
        at = time - middle
        spread += at * at
        residual = value - level - slope * at
        left += residual * residual
    return math.sqrt(left / (count - 2) / spread)
