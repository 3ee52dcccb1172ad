"""One trace through every method: what the tables are made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.forecasting import alarms, ours, probability
from benchmarks.forecasting.alarms import AlarmScore
from benchmarks.forecasting.ours import Coverage
from benchmarks.forecasting.peers.packages import auto_ets
from benchmarks.forecasting.peers.peer import Peer, Setting
from benchmarks.forecasting.peers.table import AUTO_ETS, LINE, has_auto_ets, peers
from benchmarks.forecasting.probability import ProbabilityScore
from benchmarks.forecasting.protocol import (
    PERCENTILES,
    Array,
    Breaches,
    breaches,
    error_ratios,
    first_scored,
    limit_of,
)
from benchmarks.forecasting.traces import Trace

OURS = "ours"
OURS_BY_RESIDUALS = "ours, probability from residuals"
LINE_AS_RULE = f"{LINE}, alarm where the line crosses"
STATIC = "static alarm at 90 % of the limit"
FIXED_THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
_SHIFT_WATCHED = 1000
"""Samples after a level shift in which coverage is taken."""


class Warned(NamedTuple):
    """How one method warned of one limit."""

    threshold: float
    alarms: AlarmScore
    probability: ProbabilityScore


class Result(NamedTuple):
    """What one trace gave."""

    trace: str
    slow: bool
    generated: bool
    samples: int
    step: float
    ratios: dict[str, Array]
    """By method, the error of each horizon over the last value's."""
    warned: dict[int, dict[str, Warned]]
    """By percentile, then by method."""
    fixed: dict[int, dict[float, AlarmScore]]
    """Ours with the same threshold on every trace: by percentile, then by threshold."""
    coverage: Coverage
    """Of our 90 % interval."""
    shifted_coverage: Coverage
    """The same after a shift of the level at the begin of the scored part."""
    refit_microseconds: float
    """AutoETS: one fit; `nan` where it is left out."""


def run(trace: Trace) -> Result:
    """Everything but the cost."""
    values = trace.values
    limits = {percentile: limit_of(values, percentile) for percentile in PERCENTILES}
    said = ours.replay(trace, sorted(set(limits.values())))
    forecasts = {OURS: said.means} | _of_peers(trace)
    ratios = {name: error_ratios(values, made) for name, made in forecasts.items()}
    refit_microseconds = float("nan")
    if has_auto_ets():
        of_refits, refit_microseconds = auto_ets(values)
        if of_refits is not None:
            ratios[AUTO_ETS] = of_refits
    warned: dict[int, dict[str, Warned]] = {}
    fixed = {}
    for percentile, limit in limits.items():
        found = breaches(values, limit)
        own = said.probabilities[limit]
        given = {OURS: own}
        for name, made in forecasts.items():
            key = OURS_BY_RESIDUALS if name == OURS else name
            given[key] = probability.from_residuals(values, made, limit)
        line = forecasts[LINE]
        crosses = np.minimum(line[:, 1:], line[:, :-1]).max(axis=1) > limit
        given[LINE_AS_RULE] = probability.as_probability(crosses)
        given[STATIC] = probability.as_probability(values > 0.9 * limit)
        warned[percentile] = {name: _warned(said_by, found) for name, said_by in given.items()}
        fixed[percentile] = {
            threshold: alarms.scored_part(own >= threshold, found) for threshold in FIXED_THRESHOLDS
        }
    return Result(
        trace.name, trace.slow, trace.generated, len(values), trace.step,
        ratios, warned, fixed,
        ours.covered(values, said, first_scored(len(values)), len(values)),
        _shifted_coverage(trace), refit_microseconds,
    )  # fmt: skip


def errors_in_full(trace: Trace) -> dict[str, Array]:
    """Error ratios over a whole trace with days of history, whatever its length."""
    made = {OURS: ours.replay(trace).means} | _of_peers(trace)
    return {name: error_ratios(trace.values, forecasts) for name, forecasts in made.items()}


def _of_peers(trace: Trace) -> dict[str, Array]:
    setting = Setting(trace.step, trace.period())
    return {name: _forecasts(make(setting), trace.values) for name, make in peers().items()}


def _forecasts(peer: Peer, values: Array) -> Array:
    return np.array([peer.update(value) for value in values.tolist()])


def _warned(given: Array, found: Breaches) -> Warned:
    threshold = alarms.best_threshold(given, found)
    return Warned(
        threshold,
        alarms.scored_part(given >= threshold, found),
        probability.score(given, found),
    )


def _shifted_coverage(trace: Trace) -> Coverage:
    begin = first_scored(len(trace.values))
    early = trace.values[:begin]
    low, high = np.percentile(early, (10, 90))
    size = max(float(high - low), 20.0 * float(np.abs(np.diff(early)).mean()))
    values = trace.values.copy()
    values[begin:] += size
    said = ours.replay(trace._replace(values=values))
    return ours.covered(values, said, begin, min(len(values), begin + _SHIFT_WATCHED))
