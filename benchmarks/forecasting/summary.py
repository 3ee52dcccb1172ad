"""Figures over several traces: medians, the worst, pooled alarms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.forecasting import alarms
from benchmarks.forecasting.alarms import AlarmScore
from benchmarks.forecasting.cost import Cost
from benchmarks.forecasting.probability import EDGES
from benchmarks.forecasting.protocol import Array
from benchmarks.forecasting.reach import Reach
from benchmarks.forecasting.replay import Result, Warned

CLASSES: dict[str, Callable[[Result], bool]] = {
    "1 Hz": lambda result: not result.slow,
    "1–60 min": lambda result: result.slow,
}


class Footprint(NamedTuple):
    """What a sample costs and how much memory stays alive."""

    loop: float
    """Microseconds of the reference loop."""
    costs: dict[str, Cost]
    heaps: dict[str, int]
    """Live bytes, by what was sampled."""
    growth_updates: int
    growth: tuple[int, int]
    """Bytes after a fifth of those updates and after all."""


class Run(NamedTuple):
    """Everything that one run of the benchmark found."""

    results: list[Result]
    in_full: dict[str, dict[str, Array]]
    """Error ratios of traces with days of history: by trace, then by method."""
    reaches: list[Reach]
    footprint: Footprint

    def of_class(self, name: str) -> list[Result]:
        """Results of the traces of a class."""
        return [result for result in self.results if CLASSES[name](result)]


class Ratio(NamedTuple):
    """Error over the last value's, over traces."""

    all_horizons: float
    """Median over the traces of the mean of all horizons."""
    first: float
    last: float
    worst: float
    """Highest of the means."""


class Warnings(NamedTuple):
    """Warnings of one method and limit over the traces that have events."""

    average_precision: float
    """Median over the traces."""
    recall: float
    """Median over the traces."""
    precision: float
    """Median over the traces."""
    pooled: AlarmScore
    """All traces as one, those without events included: they have false alarms too."""


def median(values: Iterable[float]) -> float:
    """Of what is not `nan`; `nan` where nothing is."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.median(known)) if known else math.nan


def ratio(results: Sequence[Result], method: str) -> Ratio:
    """Of one method; `nan` throughout where it did not run."""
    found = [result.ratios[method] for result in results if method in result.ratios]
    means = [float(each.mean()) for each in found]
    return Ratio(
        median(means),
        median(float(each[0]) for each in found),
        median(float(each[-1]) for each in found),
        max(means, default=math.nan),
    )


def warning(results: Sequence[Result], percentile: int, method: str) -> Warnings:
    """Of one method."""
    found = _warned(results, percentile, method)
    with_events = [each for each in found if each.alarms.events]
    return Warnings(
        median(each.probability.average_precision for each in with_events),
        median(each.alarms.recall for each in with_events),
        median(each.alarms.precision for each in with_events),
        alarms.pooled(each.alarms for each in found),
    )


def brier_skill(results: Sequence[Result], percentile: int, method: str) -> float:
    """Median over the traces that have events."""
    found = _warned(results, percentile, method)
    return median(each.probability.brier_skill for each in found if each.alarms.events)


def pooled_brier_skill(results: Sequence[Result], percentile: int, method: str) -> float:
    """All traces as one."""
    found = _warned(results, percentile, method)
    squared = sum(each.probability.squared for each in found)
    against = sum(each.probability.reference for each in found)
    return 1.0 - squared / against if against > 0.0 else math.nan


def calibration(results: Sequence[Result], percentile: int, method: str) -> Array:
    """All traces as one: `ProbabilityScore.bins`, added up."""
    found = _warned(results, percentile, method)
    return sum((each.probability.bins for each in found), np.zeros((len(EDGES) - 1, 3)))


def _warned(results: Sequence[Result], percentile: int, method: str) -> list[Warned]:
    return [
        result.warned[percentile][method]
        for result in results
        if method in result.warned[percentile]
    ]
