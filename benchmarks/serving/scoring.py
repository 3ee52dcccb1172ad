"""From what became of each request to figures, and from trials to ratios. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from benchmarks.serving.requests import Request

VALID = 95.0
"""Goodput in percent that the ceiling must reach; a trial in which it fails is void."""
_RECOVERED = 5
"""Answers in a row, in time, after which a service that was away is back."""


class Outcome(NamedTuple):
    """What became of one request."""

    request: Request
    answered: float
    """Seconds after the begin of the trial, `inf` when it never was."""


def figures(outcomes: Sequence[Outcome], deadline: float, stops: Sequence[float]) -> dict[str, Any]:
    """Figures of one arm in one trial; `stops` are the moments at which the service went away."""
    classes = sorted({outcome.request.model for outcome in outcomes})
    waits = sorted(
        outcome.answered - outcome.request.at for outcome in outcomes if outcome.answered < math.inf
    )
    return {
        "goodput": goodput(outcomes, deadline),
        "classes": {
            name: goodput([o for o in outcomes if o.request.model == name], deadline)
            for name in classes
        },
        "requests": len(outcomes),
        "p50": 1000.0 * percentile(waits, 0.5),
        "p99": 1000.0 * percentile(waits, 0.99),
        "recovery": mean(recovery(outcomes, deadline, stop) for stop in stops),
    }


def goodput(outcomes: Sequence[Outcome], deadline: float) -> float:
    """Percent of the requests that were answered within their deadline."""
    if not outcomes:
        return math.nan
    good = sum(outcome.answered - outcome.request.at <= deadline for outcome in outcomes)
    return 100.0 * good / len(outcomes)


def percentile(ordered: Sequence[float], part: float) -> float:
    """A percentile of ordered values by nearest rank; `nan` of none."""
    if not ordered:
        return math.nan
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)]


def recovery(outcomes: Sequence[Outcome], deadline: float, stop: float) -> float:
    """Seconds from a stop until requests are answered in time again, as those that come find it.

    To the first of five requests in a row, sent after the stop and answered in time; `nan`
    when there are none.
    """
    run: list[float] = []
    for outcome in outcomes:
        if outcome.request.at < stop:
            continue
        if outcome.answered - outcome.request.at <= deadline:
            run.append(outcome.request.at)
            if len(run) == _RECOVERED:
                return run[0] - stop
        else:
            run.clear()
    return math.nan


def mean(values: Iterable[float]) -> float:
    """Mean of the values that there are; `nan` of none."""
    there = [value for value in values if not math.isnan(value)]
    return fmean(there) if there else math.nan


def valid(trial: Mapping[str, Any], ceiling: str) -> bool:
    """Whether a trial counts: its ceiling, run beside the arms, answered in time."""
    arm = trial["arms"].get(ceiling)
    return arm is not None and arm["goodput"] >= VALID


def gap_closed(ours: float, best: float, ceiling: float) -> float:
    """Share of the way from the best other arm to the ceiling; `nan` where there is hardly any.

    Below one percent there is nothing to be told from chance.
    """
    gap = ceiling - best
    return (ours - best) / gap if gap >= 1.0 else math.nan
