"""Which runs of a job tell what the next one takes, and how much of each.

Pure. What is set aside must hold the large runs, so a run that took clearly less than others of
its size or a smaller one (its peak fell between two readings, or it found memory that malloc kept
from the last one) does not count. What a run kept beyond the share that is usual is there
afterwards: it loaded something, filled a cache, or left malloc with more. A job that sets itself
up for each size (text recognition does) is told by the runs that follow the first of a size.

Curves and scatter are the business of `cost_curves`.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from typing import NamedTuple

SURE = 0.1
"""Share of its cost up to which a run is sure."""
_WITNESSES = 8
"""One in so many runs, at least one, must be clearly larger for a run to count as too low."""
_NEXT_TO_NOTHING = 0.1
"""Share of the usual cost for its size."""
_SOME = 0.25
"""Share of the runs that must have taken anything for the others to count as too low."""
CLEARLY = 1.25
"""A run is clearly larger than another when it took so many times as much."""
ALIKE = 1.12
"""Sizes within this factor count as the same."""
_WARM = 3
"""From so many later runs on, the first one in a process does not count."""
_SELDOM = 0.25
"""Share of the cost that is in runs of which it does not say much what they kept."""
_OFTEN = 1 / 3
"""Share of the first runs of a size that must be unlike others for all of them not to count."""


Point = tuple[float, float]
"""Size and cost of a run."""


class Run(NamedTuple):
    """One run."""

    size: float
    """As declared; `nan` when it was not."""
    cost: float
    unsure: float = 0.0
    """Standard deviation of what of the cost may be of jobs that overlapped."""
    first: bool = False
    """True when the job had not run before in this process."""
    kept: float = 0.0
    """Of the cost, what was not given back at its end: loaded, cached, or kept by malloc."""


def are_alike(size: float, other: float) -> bool:
    """Whether two sizes count as the same."""
    return other / ALIKE <= size <= other * ALIKE


def not_too_low(points: Sequence[Point], resolution: float) -> list[Point]:
    """Leave out runs that found memory to reuse.

    Those took clearly less than enough others of their size or a smaller one; the only run of its
    size also less than a larger one leaves for it, if cost grew with the square of the size.
    """
    enough = max(1, len(points) // _WITNESSES)
    ordered, costs = sorted(points), sorted([cost for _, cost in points])
    too_low: set[Point] = set()
    smaller: list[float] = []
    """Costs of the runs of this size or a smaller one, in order."""
    for size, cost in ordered:
        while len(smaller) < len(ordered) and ordered[len(smaller)][0] <= size:
            insort(smaller, ordered[len(smaller)][1])
        bound = CLEARLY * max(cost, resolution)
        witnesses = _above(bound, smaller)
        if witnesses < enough <= _above(bound, costs) and _is_lone(size, ordered):
            later = ordered[len(smaller) :]
            witnesses += sum([c * (size / s) ** 2 > bound for s, c in later])
        if witnesses >= enough:
            too_low.add((size, cost))
    return [point for point in points if point not in too_low]


def not_nothing(points: Sequence[Point], resolution: float) -> list[Point]:
    """Leave out runs that took next to nothing, far less for their size than most that took any.

    Small runs find memory to reuse first, so that a curve through them and the large ones is too
    steep.
    """
    rates = [cost / size for size, cost in points if cost > resolution]
    if len(rates) < _SOME * len(points):
        return list(points)
    least = _NEXT_TO_NOTHING * statistics.median(rates)
    return [(size, cost) for size, cost in points if cost > resolution or cost >= least * size]


def _above(bound: float, ordered: Sequence[float]) -> int:
    return len(ordered) - bisect_right(ordered, bound)


def _is_lone(size: float, ordered: Sequence[Point]) -> bool:
    """Whether no other run of them, ordered by size, is alike."""
    first = bisect_left(ordered, (size / ALIKE, -math.inf))
    return bisect_right(ordered, (size * ALIKE, math.inf)) - first == 1


def is_sure(run: Run) -> bool:
    """Whether next to nothing of its cost may be of other jobs."""
    return run.unsure <= SURE * run.cost


def without_kept(runs: Sequence[Run]) -> list[Run]:
    """Leave out of each run what it kept beyond the share of its cost that is usual.

    Usual is what all kept but those that make up a quarter of the cost. The first run in a process
    may have loaded a model: where others are known, nothing that it kept is expected again.
    """
    later = [run for run in runs if not run.first]
    usual = _usually_kept(later or runs)
    passing = []
    for run in runs:
        again = 0.0 if run.first and later else usual * run.cost
        passing.append(run._replace(cost=run.cost - max(0.0, min(run.kept, run.cost) - again)))
    return passing


def _usually_kept(runs: Sequence[Run]) -> float:
    left = _SELDOM * math.fsum([run.cost for run in runs])
    for share, cost in sorted((min(1.0, r.kept / r.cost), r.cost) for r in runs if r.cost > 0.0):
        left -= cost
        if left <= 0.0:
            return share
    return 0.0


def settled_runs(runs: Sequence[Run], resolution: float) -> list[Run]:
    """Leave out the first run of each size of a job that sets itself up for each size.

    That is one of which many first runs are too low, or clearly above those that follow them. All
    runs have a size. The first run in a process counts while there are few others.
    """
    groups: list[list[Run]] = []
    for run in runs:
        group = next((one for one in groups if are_alike(one[0].size, run.size)), None)
        if group is None:
            groups.append([run])
        else:
            group.append(run)
    telling = set(not_too_low([(run.size, run.cost) for run in runs], resolution))
    unlike = new = 0
    for first, *later in groups:
        if not first.first:
            new += 1
            usual = statistics.median([run.cost for run in later]) if later else math.inf
            high = first.cost > CLEARLY * max(resolution, usual)
            unlike += high or (first.size, first.cost) not in telling
    settled = [run for group in groups for run in group[1:]]
    if settled and unlike and unlike >= _OFTEN * new:
        return [run for run in settled if not run.first] or settled
    later = [run for run in runs if not run.first]
    return later if len(later) >= _WARM else list(runs)
