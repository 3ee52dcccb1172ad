"""Growth over the last few readings, fast ticks included: the slope behind "time to limit".

History keeps one row per interval; when a limit is near, ticks come faster than
that, and how fast a value grows must be known from those. Work that comes and goes
(a batch takes memory and gives it back) is no growth, so only as much of the slope
counts as its own error leaves. Not a forecast: see `forecast` for anything beyond
the next seconds.
"""

from __future__ import annotations

import math

from amptalk.history.least_squares import least_squares_slope, slope_error

SPAN_SECONDS = 3.0
"""Only readings this young count, unless there are fewer than `FEWEST` of them."""
FEWEST = 4
MOST = 30
DOUBT = 2.0
"""So many standard errors of a slope are taken off it."""


class RecentSlope:
    """Least-squares slope of the newest readings of one value."""

    __slots__ = ("_times", "_values")

    def __init__(self) -> None:
        self._times: list[float] = []
        self._values: list[float] = []

    def add(self, seconds: float, value: float) -> None:
        """Take a reading at monotonic `seconds`; a `nan` or one that is not later is left out."""
        times, values = self._times, self._values
        if value != value or (times and seconds <= times[-1]):  # noqa: PLR0124 - nan test, hot
            return
        times.append(seconds)
        values.append(value)
        while len(times) > FEWEST and (len(times) > MOST or times[0] < seconds - SPAN_SECONDS):
            del times[0], values[0]

    def slope(self) -> float:
        """Units per second that are sure; 0 with fewer than three readings."""
        slope = least_squares_slope(self._times, self._values)
        if not math.isfinite(slope) or not slope:
            return 0.0
        sure = abs(slope) - DOUBT * slope_error(self._times, self._values, slope)
        return math.copysign(sure, slope) if sure > 0.0 else 0.0
