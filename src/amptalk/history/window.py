"""What a series did over a span: the answer to `History.window`, and its arithmetic.

Pure: it is given times and values and knows no tiers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from amptalk.history.least_squares import least_squares_slope
from amptalk.model.errors import ConfigurationError


def percentile_of(values: Sequence[float], percent: float) -> float:
    """Return the value below which `percent` (0-100) of the values lie, linear between two.

    The definition that NumPy calls `linear`; `nan` for no values.
    Raises `ConfigurationError` for a percentage outside 0-100.
    """
    if not 0 <= percent <= 100:
        raise ConfigurationError(f"percent={percent!r} is not allowed; give a number from 0 to 100")
    if not values:
        return math.nan
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = min(int(place), len(ordered) - 1)
    above = min(below + 1, len(ordered) - 1)
    low, high = ordered[below], ordered[above]
    # Not low + (high - low)·x alone: that is nan between two infinities.
    return low if low == high else low + (high - low) * (place - below)


@dataclass(frozen=True, slots=True)
class Window:
    """One series over the last `seconds`, taken from the finest tier that reaches back so far.

    Missing observations are left out everywhere. `minimum` and `maximum`
    include ticks that came sooner than `monitoring_interval` and are no row of
    their own.
    """

    field: str
    seconds: float
    """The span asked for; the history may be shorter."""
    resolution: float
    """Seconds between two values: `monitoring_interval`, 10 or 600."""
    times: tuple[float, ...]
    """Seconds since the epoch of each value; of the bucket's start in the coarser tiers."""
    monotonic: tuple[float, ...]
    """The same in monotonic seconds."""
    values: tuple[float, ...]
    """Observations, or the means of the buckets in the coarser tiers."""
    minimum: float
    mean: float
    maximum: float
    """`nan` like `minimum` and `mean` when there is no observation."""
    count: int
    """Observations behind the values."""
    gaps: tuple[tuple[float, float], ...]
    """Spans without an observation, as (last time before, first time after) since the epoch."""

    def percentile(self, percent: float) -> float:
        """Return the value below which `percent` (0-100) of `values` lie; `nan` without values."""
        return percentile_of(self.values, percent)

    @property
    def slope(self) -> float:
        """Growth per second by least squares; `nan` with fewer than 3 values."""
        return least_squares_slope(self.monotonic, self.values)
