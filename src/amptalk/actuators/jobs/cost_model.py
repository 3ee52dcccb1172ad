"""One quantity of one job (peak memory, seconds, joules): learned from its last runs.

Pure. Where runs declared a size the cost follows it by `size_curve`; what is left is the
scatter: each run's cost as a ratio of what the curve tells for its size. The 95th
percentile is told x 95th percentile of the scatter.

Not every run tells as much; `evidence` says which do. The first run in a process may load
a model or fill caches: what it took beyond the others is known apart, and expected again after
a restart. Runs of which it is not sure what was of others that overlapped count only until
three runs are known that are sure: the newest of them, whatever they took, with their own
uncertainty on top.

It neither measures (`watch`) nor shares out what overlapping jobs took (`attribution`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from amptalk.actuators.jobs.evidence import (
    CLEARLY,
    SURE,
    Point,
    Run,
    are_alike,
    is_sure,
    not_nothing,
    not_too_low,
    settled_runs,
    without_kept,
)
from amptalk.actuators.jobs.size_curve import STEEPEST, curve_of, smallest_of

KEPT_RUNS = 40
"""The next run exceeds the largest of 40 with a probability of 1 in 41."""
KEPT_FIRST = 5
"""First runs in a process that are remembered, of as many processes."""
ENOUGH_SURE = 3
NEWEST = 8
"""So many runs count where too few are sure: what was told of the others improves with time."""
SURPRISES = 3
"""So many runs in a row beyond the upper bound mean that the job has changed."""
ENOUGH_ALIKE = 6
"""From so many runs of a size on they alone tell the scatter at that size."""
REDRAWN = 8
"""A run as expected tells little: the curve is drawn again when one in so many of the runs is newer
than it."""
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


class _Fits:
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


class CostModel:
    """Learns one quantity, 0 or more in its unit. Not thread-safe."""

    __slots__ = (
        "_before", "_fits", "_resolution", "_surprises", "_unread", "first", "runs",
    )  # fmt: skip

    def __init__(self, runs: Iterable[Run] = (), resolution: float = 0.0) -> None:
        self._resolution = resolution
        self.runs: list[Run] = []
        """Other runs, the newest last."""
        self.first: deque[Run] = deque(maxlen=KEPT_FIRST)
        """The first runs in a process, the last of them the newest."""
        for run in runs:
            (self.first.append if run.first else self._keep)(run)
        self._surprises = 0
        self._fits: _Fits | None = None
        self._unread = 0
        """Runs since the curves were drawn that only told what was expected."""
        self._before: _Fits | None = None
        """What was known before the first of the surprises in a row."""

    def add(self, run: Run) -> None:
        """Take one run; a size that is not above 0 counts as none."""
        run = run._replace(size=run.size if run.size > 0.0 else math.nan, cost=max(0.0, run.cost))
        news = True
        if run.first:
            self.first.append(run)
        else:
            if not self._surprises or self._before is None:
                self._before = self._fitted()
            expected = self._before.estimate(run.size)
            surprising = is_sure(run) and expected is not None and run.cost > expected.high
            self._surprises = self._surprises + 1 if surprising else 0
            news = self._before.learns_from(run)
            self._keep(run)
            if self._surprises >= SURPRISES:
                self.runs = self.runs[-SURPRISES:]
                self._surprises = 0
        self._unread += 1
        if news or self._unread * REDRAWN >= len(self.known()):
            self._fits, self._unread = None, 0

    def _keep(self, run: Run) -> None:
        """Take a run for the oldest of those whose size, by powers of two, was seen most.

        Many small runs do not make it forget what the large ones take.
        """
        self.runs.append(run)
        if len(self.runs) > KEPT_RUNS:
            classes = [_size_class(known.size) for known in self.runs]
            most = max(classes, key=classes.count)
            del self.runs[classes.index(most)]

    def known(self) -> tuple[Run, ...]:
        """The runs that are remembered."""
        return (*self.first, *self.runs)

    def estimate(self, size: float = math.nan, *, first: bool = False) -> Estimate | None:
        """What a run of this size takes, the `first` in a process too; `None` before any."""
        known = self._fitted()
        estimate = known.estimate(size)
        if not first or estimate is None:
            return estimate
        extra = 0.0
        for run in self.first:
            later = known.estimate(run.size)
            if later is not None:
                extra = max(extra, run.cost - later.p95)
        p95, reserve, low, high, runs = estimate
        return Estimate(p95 + extra, reserve + extra, low + extra, high + extra, runs)

    def _fitted(self) -> _Fits:
        """The curves, fitted anew when runs told something: 1 to 2 ms for 40 of them."""
        if self._fits is None:
            runs = self.known()
            sure = [run for run in runs if is_sure(run)]
            enough = len(sure) >= min(ENOUGH_SURE, len(runs))
            telling = without_kept(sure) if enough else runs[-NEWEST:]
            self._fits = _Fits(telling, self._resolution, sure=enough)
        return self._fits


def _size_class(size: float) -> int | None:
    return math.frexp(size)[1] if size > 0.0 else None
