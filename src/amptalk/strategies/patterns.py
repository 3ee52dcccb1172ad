"""Recognise how a workload uses a resource: steady, ramp, bursty, periodic or noisy.

Pure statistics over the last minutes; what follows from a pattern is decided in
`adaptive`.
"""

from __future__ import annotations

import math
from collections import deque
from enum import Enum
from itertools import pairwise

WINDOW = 180
"""Readings that are looked at."""
_BIN = 3
"""Readings averaged into one for the search for a period."""
_CYCLES = 3
_FEWEST = 45
_EVERY = 15
"""Readings between two looks."""
_CONFIRM = 2
"""A pattern counts once this many looks in a row agree."""


class Pattern(Enum):
    """How a resource is used."""

    UNKNOWN = "unknown"
    STEADY = "steady"
    RAMP = "ramp"
    BURSTY = "bursty"
    PERIODIC = "periodic"
    NOISY = "noisy"


class PatternWatch:
    """Follows one value, as a part of its limit, and names its pattern with hysteresis."""

    __slots__ = ("_agreed", "_due", "_ratios", "_seen", "_spacing", "_taken_at", "pattern")

    def __init__(self, spacing: float, delay: int = 0) -> None:
        """`spacing`: seconds between readings; ones that come much sooner are left out.

        `delay`: readings by which its looks come later than another's, to spread the work.
        """
        self._spacing = 0.8 * spacing
        self._ratios: deque[float] = deque(maxlen=WINDOW)
        self._taken_at = -math.inf
        self._due = _FEWEST + delay
        self._seen = Pattern.UNKNOWN
        self._agreed = 0
        self.pattern = Pattern.UNKNOWN

    def add(self, now: float, ratio: float) -> None:
        """Take a fresh reading at `now` seconds."""
        if now - self._taken_at < self._spacing:
            return
        self._taken_at = now
        self._ratios.append(ratio)
        self._due -= 1
        if self._due > 0:
            return
        self._due = _EVERY
        seen = recognise(list(self._ratios))
        self._agreed = self._agreed + 1 if seen is self._seen else 1
        self._seen = seen
        if self._agreed >= _CONFIRM:
            self.pattern = seen


def recognise(ratios: list[float]) -> Pattern:
    """Name the pattern of evenly spaced readings, each a part of its limit."""
    if len(ratios) < _FEWEST:
        return Pattern.UNKNOWN
    spread = _spread(ratios)
    if spread < 0.02:
        return Pattern.STEADY
    trend, fit = _line(ratios)
    if fit > 0.85 and abs(trend) * len(ratios) > 0.1:
        return Pattern.RAMP
    changes = [abs(b - a) for a, b in pairwise(ratios)]
    usual = sorted(changes)[len(changes) // 2]
    if _periodicity(ratios) > 0.5:
        return Pattern.PERIODIC
    leap = max(5.0 * usual, 0.05)
    energy = sum([change * change for change in changes])
    leaps = sum([change * change for change in changes if change > leap])
    if leaps > 0.4 * energy and spread > 0.05:
        return Pattern.BURSTY
    return Pattern.NOISY if usual > 0.5 * spread else Pattern.UNKNOWN


def _spread(values: list[float]) -> float:
    """Standard deviation (the module `statistics` would cost 6 ms of start-up)."""
    mean = sum(values) / len(values)
    return math.sqrt(sum([(value - mean) ** 2 for value in values]) / len(values))


def _line(values: list[float]) -> tuple[float, float]:
    """Slope per reading of the least-squares line, and the part of the variance it explains."""
    middle = 0.5 * (len(values) - 1)
    mean = sum(values) / len(values)
    across = sum([(i - middle) * (v - mean) for i, v in enumerate(values)])
    along = len(values) * (len(values) ** 2 - 1) / 12.0
    total = sum([(v - mean) ** 2 for v in values])
    return across / along, across * across / (along * total) if total > 0.0 else 0.0


def _periodicity(values: list[float]) -> float:
    """Highest autocorrelation at a lag after the first that is not positive.

    Of lags up to a third, so that what repeats has done so three times.
    """
    count = len(values) // _BIN
    bins = [sum(values[i * _BIN : (i + 1) * _BIN]) / _BIN for i in range(count)]
    mean = sum(bins) / count
    rest = [value - mean for value in bins]
    energy = sum([value * value for value in rest]) / count
    if energy <= 0.0:
        return 0.0
    best, turned = 0.0, False
    for lag in range(1, count // _CYCLES + 1):
        pairs = zip(rest, rest[lag:])  # noqa: B905 - the shorter one counts
        correlation = sum([a * b for a, b in pairs]) / ((count - lag) * energy)
        turned = turned or correlation <= 0.0
        if turned:
            best = max(best, correlation)
    return best
