"""What some runs of a job tell of one quantity: a curve over the size and the scatter about it.

Each run's cost counts as a ratio of what the curve tells for its size; the 95th percentile is
told x 95th percentile of the scatter. Pure. The curve's shape is found by `size_curve`; which runs
count is the business of `cost_model` and `evidence`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from amptalk.actuators.jobs.evidence import (
    CLEARLY,
    SURE,
    Point,
    Run,
    are_alike,
    not_nothing,
    not_too_low,
    settled_runs,
)
from amptalk.actuators.jobs.size_curve import STEEPEST, curve_of, smallest_of

ENOUGH_ALIKE = 6
"""From so many runs of a size on they alone tell the scatter at that size."""
_MOST = 0.75
"""The curve is drawn again without the runs that lie clearly below it when so many are left."""
_P95 = 1.645
"""95 % of a normal distribution lie below its mean plus so many standard deviations."""
_MANY = 20
"""From here on the percentile is counted instead of computed from the deviation."""
_FIRST = 0.25
"""Share that the cost of a job seen once is unsure by; falls with the number of runs."""
_FAR = 0.25
"""Share that a told cost is unsure by at e times the largest, or 1/e of the smallest, size seen."""


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
    """The curve through some runs and their scatter about it.

    Scatter is counted in units of what is told for a size, where that is next to nothing of the
    smallest cost that matters.
    """

    __slots__ = (
        "_beyond", "_bounds", "_curve", "_points", "_resolution", "_smallest", "_telling",
        "_unsure",
    )  # fmt: skip

    def __init__(self, points: Sequence[Point], unsure: float, resolution: float) -> None:
        self._points = points
        self._unsure = unsure
        """Share of what is told that may be of other jobs."""
        self._resolution = resolution
        self._bounds = min(size for size, _ in points), max(size for size, _ in points)
        telling = not_nothing(points, resolution)
        self._telling = telling if unsure > SURE else not_too_low(telling, resolution)
        self._curve = curve_of(self._telling, resolution)
        told = self._curve.at
        high = [(size, cost) for size, cost in self._telling if CLEARLY * cost >= told(size)]
        if _MOST * len(self._telling) <= len(high) < len(self._telling):
            self._telling, self._curve = high, curve_of(high, resolution)
        self._smallest = smallest_of(self._telling, resolution)
        at, unit = self._curve.at, self._unit
        self._beyond = {(size, cost): (cost - at(size)) / unit(size) for size, cost in points}
        """How far each run lies above the curve."""

    def estimate(self, size: float) -> Estimate:
        """What a run of this size takes."""
        points, telling, freedom = self._points, self._telling, self._curve.shape.freedom
        alike = [point for point in points if are_alike(point[0], size)]
        if len(alike) >= ENOUGH_ALIKE:
            points, telling, freedom = alike, not_too_low(alike, self._resolution), 1
        count = len(points)
        beyond = [self._beyond[point] for point in telling]
        mean = math.fsum(beyond) / len(beyond)
        squares = math.fsum((one - mean) ** 2 for one in beyond)
        deviation = math.sqrt(squares / max(1, len(beyond) - freedom))
        at95 = mean + _P95 * deviation
        if count >= _MANY:
            at95 = _counted(sorted([self._beyond[point] for point in points]))
        # A mean is unsure by s/sqrt(n), a deviation by about 1/sqrt(2(n - 1)) of itself.
        unsure = deviation / math.sqrt(count)
        unsure += _P95 * deviation / math.sqrt(2.0 * max(1, count - 1))
        unsure += _FIRST / count + self._far(size) + self._unsure
        told, unit = self._curve.at(size), self._unit(size)
        p95 = min(max(0.0, told + at95 * unit), self._most(size))
        margin = max(unsure * unit, self._resolution)
        low, high = max(0.0, p95 - _P95 * margin), p95 + _P95 * margin
        return Estimate(p95, p95 + margin, low, high, count)

    def _most(self, size: float) -> float:
        """What a size larger than all seen takes at most: scatter is not that of a large one."""
        if size <= self._bounds[1]:
            return math.inf
        return max([c * math.pow(max(1.0, size / s), STEEPEST) for s, c in self._points])

    def _unit(self, size: float) -> float:
        return max(self._curve.at(size), self._smallest)

    def _far(self, size: float) -> float:
        """How unsure a size is that lies outside those seen."""
        smallest, largest = self._bounds
        return _FAR * max(0.0, math.log(size / largest), math.log(smallest / size))


def _counted(ratios: Sequence[float]) -> float:
    """The 95th percentile of sorted values, so that 5 % of further ones exceed it (Weibull)."""
    place = 0.95 * (len(ratios) + 1) - 1.0
    below = min(int(place), len(ratios) - 1)
    above = min(below + 1, len(ratios) - 1)
    return ratios[below] + (place - below) * (ratios[above] - ratios[below])


class CostCurves:
    """What some runs tell, by their size and without it; each fitted when it is asked for."""

    def __init__(self, runs: Sequence[Run], resolution: float, *, sure: bool) -> None:
        self._runs = runs
        self._resolution = resolution
        self._sure = sure
        self._told: dict[float, Estimate | None] = {}

    @cached_property
    def _plain(self) -> _Fit | None:
        return self._fit([run._replace(size=1.0) for run in self._runs])

    @cached_property
    def _sized(self) -> _Fit | None:
        return self._fit([run for run in self._runs if run.size > 0.0])

    def _fit(self, runs: Sequence[Run]) -> _Fit | None:
        if not runs:
            return None
        counted = settled_runs(runs, self._resolution)
        costs = math.fsum([run.cost for run in counted])
        unsure = math.fsum([min(run.unsure, run.cost) for run in counted])
        unsure = unsure / costs if costs > 0.0 else 0.0
        return _Fit([(run.size, run.cost) for run in counted], unsure, self._resolution)

    def estimate(self, size: float) -> Estimate | None:
        """What a run of this size takes, 0 or below for one that has none; `None` before any."""
        size = size if size > 0.0 else 0.0
        if size not in self._told:
            self._told[size] = self._estimate(size)
        return self._told[size]

    def draw(self) -> None:
        """Fit the curve now that will be asked for."""
        _ = self._sized or self._plain

    def learns_from(self, run: Run) -> bool:
        """Whether a run tells more than was known: it took more, is larger or smaller, is surer."""
        expected = self.estimate(run.size)
        if not self._sure or expected is None or run.cost > expected.p95:
            return True
        sizes = [known.size for known in self._runs if known.size > 0.0]
        return run.size > 0.0 and not (sizes and min(sizes) <= run.size <= max(sizes))

    def _estimate(self, size: float) -> Estimate | None:
        fit = self._sized if size > 0.0 and self._sized is not None else self._plain
        return fit.estimate(size if fit is self._sized else 1.0) if fit is not None else None
