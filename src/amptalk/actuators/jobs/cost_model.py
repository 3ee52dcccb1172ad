"""One quantity of one job (peak memory, seconds, joules): learned from its last runs.

Pure. Where runs declared a size the cost follows it by `size_curve`; what is left is the
scatter: each run's cost as a ratio of what the curve tells for its size. The 95th
percentile is told x 95th percentile of the scatter. Runs that overlapped others are less
certain and count only until five runs alone are known.

It neither measures (`watch`) nor shares out what overlapping jobs took (`attribution`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from amptalk.actuators.jobs.size_curve import curve_of

KEPT_RUNS = 40
"""The next run exceeds the largest of 40 with a probability of 1 in 41."""
ENOUGH_ALONE = 5
SURPRISES = 3
"""So many runs in a row beyond the reserve mean that the job has changed."""
_P95 = 1.645
"""95 % of a normal distribution lie below its mean plus so many standard deviations."""
_MANY = 20
"""From here on the percentile is counted instead of computed from the deviation."""
_FIRST = 0.25
"""Share that the cost of a job seen once is unsure by; falls with the square of the runs."""
_FAR = 0.25
"""Share that a told cost is unsure by at e times the largest, or 1/e of the smallest, size seen."""


class Run(NamedTuple):
    """One run."""

    size: float
    """As declared; `nan` when it was not."""
    cost: float
    alone: bool
    """True when no other job ran in its time."""


class Estimate(NamedTuple):
    """What one more run is expected to take."""

    p95: float
    """95th percentile."""
    reserve: float
    """What to set aside so that about 1 run in 20 at most exceeds it, for few runs too."""
    low: float
    high: float
    """Bounds that hold the true 95th percentile in about 9 of 10 cases."""
    runs: int
    """Runs that this is learned from."""

    @property
    def certainty(self) -> str:
        """How sure the 95th percentile is, in words."""
        runs = "1 run" if self.runs == 1 else f"{self.runs} runs"
        around = 50.0 * (self.high - self.low) / self.p95 if self.p95 > 0.0 else 0.0
        return f"± {around:.0f} %, learned from {runs}"


class _Fit:
    """The curve through some runs and their scatter about it."""

    __slots__ = ("_bounds", "_curve", "_deviation", "_mean", "_ratios")

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        self._curve = curve_of(points)
        self._bounds = min(size for size, _ in points), max(size for size, _ in points)
        ratios = [cost / self._curve.at(size) for size, cost in points]
        self._ratios = sorted(ratios)
        count = len(ratios)
        self._mean = math.fsum(ratios) / count
        squares = math.fsum((ratio - self._mean) ** 2 for ratio in ratios)
        self._deviation = math.sqrt(squares / max(1, count - self._curve.shape.freedom))

    def estimate(self, size: float) -> Estimate:
        count = len(self._ratios)
        spread = _P95 * self._deviation
        p95 = self._mean + spread
        if count >= _MANY:
            p95 = self._ratios[math.ceil(0.95 * count) - 1]
        # A mean is unsure by s/sqrt(n), a deviation by about 1/sqrt(2(n - 1)) of itself.
        unsure = self._deviation / math.sqrt(count) + spread / math.sqrt(2.0 * max(1, count - 1))
        unsure += _FIRST / count**2 + self._far(size)
        reserve = max(self._ratios[-1], p95 + (unsure if count < _MANY else 0.0))
        told, bound = self._curve.at(size), _P95 * unsure
        low, high = max(0.0, p95 - bound), p95 + bound
        return Estimate(told * p95, told * reserve, told * low, told * high, count)

    def _far(self, size: float) -> float:
        """How unsure a size is that lies outside those seen."""
        smallest, largest = self._bounds
        return _FAR * max(0.0, math.log(size / largest), math.log(smallest / size))


class _Fits:
    """What some runs tell, by their size and without it."""

    __slots__ = ("_plain", "_sized")

    def __init__(self, runs: Sequence[Run]) -> None:
        sized = [(run.size, run.cost) for run in runs if run.size > 0.0]
        self._plain = _Fit([(1.0, run.cost) for run in runs]) if runs else None
        self._sized = _Fit(sized) if sized else None

    def estimate(self, size: float) -> Estimate | None:
        if size > 0.0 and self._sized is not None:
            return self._sized.estimate(size)
        return self._plain.estimate(1.0) if self._plain is not None else None


class CostModel:
    """Learns one quantity, 0 or more in its unit. Not thread-safe."""

    __slots__ = ("_before", "_fits", "_surprises", "runs")

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self.runs: deque[Run] = deque(runs, maxlen=KEPT_RUNS)
        self._surprises = 0
        self._fits: _Fits | None = None
        self._before: _Fits | None = None
        """What was known before the first of the surprises in a row."""

    def add(self, cost: float, size: float = math.nan, *, alone: bool = True) -> None:
        """Take one run; a size that is not above 0 counts as none."""
        run = Run(size if size > 0.0 else math.nan, max(0.0, cost), alone)
        if not self._surprises:
            self._before = self._known()
        expected = self._before.estimate(run.size) if self._before is not None else None
        surprising = alone and expected is not None and run.cost > expected.high
        self._surprises = self._surprises + 1 if surprising else 0
        self.runs.append(run)
        if self._surprises >= SURPRISES:
            self.runs = deque(list(self.runs)[-SURPRISES:], maxlen=KEPT_RUNS)
            self._surprises = 0
        self._fits = None

    def estimate(self, size: float = math.nan) -> Estimate | None:
        """What a run of this size takes; `None` before the first."""
        return self._known().estimate(size)

    def _known(self) -> _Fits:
        """The curves, fitted anew when runs came: about 0.2 ms for 40 of them."""
        if self._fits is None:
            alone = [run for run in self.runs if run.alone]
            self._fits = _Fits(alone if len(alone) >= ENOUGH_ALONE else list(self.runs))
        return self._fits
