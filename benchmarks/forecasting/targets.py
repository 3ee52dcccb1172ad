"""What is aimed at, against what this run measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.forecasting.cost import OURS_UPDATED
from benchmarks.forecasting.ours import Coverage
from benchmarks.forecasting.protocol import Array
from benchmarks.forecasting.replay import OURS, Result
from benchmarks.forecasting.summary import (
    CLASSES,
    Run,
    brier_skill,
    median,
    pooled_brier_skill,
    ratio,
    warning,
)
from benchmarks.forecasting.table import figure, percent

FIRST_STEP = (0.88, 0.92)
OTHER_STEPS = (0.86, 0.94)
_MOMENTS = 0.9
"""Share of the moments of each course that must be within 20 %."""


class Target(NamedTuple):
    """One row."""

    what: str
    aim: str
    measured: str
    met: bool | None
    """`None` where this run has nothing to tell it by."""


def targets(run: Run) -> list[Target]:
    """All rows."""
    return [*_errors(run), *_warnings(run), *_coverage(run), *_time_to_limit(run), *_cost(run)]


def _at_most(what: str, value: float, most: float, extra: str = "", unit: str = "") -> Target:
    met = None if math.isnan(value) else value <= most
    return Target(what, f"≤ {most:g}{unit}", f"{figure(value, 3)}{unit}{extra}", met)


def _at_least(what: str, value: float, least: float, extra: str = "") -> Target:
    met = None if math.isnan(value) else value >= least
    return Target(what, f"≥ {least:g}", f"{figure(value)}{extra}", met)


def _errors(run: Run) -> Iterator[Target]:
    for name, most in (("1–60 min", 0.78), ("1 Hz", 0.99)):
        results = run.of_class(name)
        value = ratio(results, OURS).all_horizons
        yield _at_most(f"error ÷ last value, {name}, median", value, most, f" ({len(results)})")
    worst = max(run.results, key=lambda result: float(result.ratios[OURS].mean()))
    yield _at_most(
        "error ÷ last value, worst trace",
        float(worst.ratios[OURS].mean()), 1.01, f" ({worst.trace})",
    )  # fmt: skip
    full = [float(methods[OURS].mean()) for methods in run.in_full.values()]
    mean = float(np.mean(full)) if full else math.nan
    extra = f" (median {figure(median(full), 3)}, worst {figure(max(full), 3)})" if full else ""
    yield _at_most("error ÷ last value with days of history, mean", mean, 0.72, extra)


def _warnings(run: Run) -> Iterator[Target]:
    found = warning(run.results, 95, OURS)
    pooled = found.pooled
    yield _at_least("average precision, p95, median", found.average_precision, 0.36)
    events = f" ({pooled.warned} of {pooled.events} events)"
    yield _at_least("recall, p95, pooled", pooled.recall, 0.45, events)
    claims = f" ({pooled.true} of {pooled.true + pooled.false} claims)"
    yield _at_least("precision, p95, pooled", pooled.precision, 0.45, claims)
    yield _at_most("false alarms per 1000 samples, p95, pooled", pooled.false_per_1000, 1.0)
    yield _at_least("lead in samples, p95, median", pooled.lead, 6.0)
    for name in CLASSES:
        skill = brier_skill(run.of_class(name), 95, OURS)
        whole = pooled_brier_skill(run.of_class(name), 95, OURS)
        met = None if math.isnan(skill) else skill > 0.0
        measured = f"{figure(skill)} (pooled {figure(whole)})"
        yield Target(f"Brier skill, p95, {name}, median", "> 0", measured, met)


def _coverage(run: Run) -> Iterator[Target]:
    found: dict[str, Callable[[Result], Coverage]] = {
        "": lambda result: result.coverage,
        " after a level shift": lambda result: result.shifted_coverage,
    }
    for when, of in found.items():
        for steps, part, bounds in (
            ("step 1", slice(0, 1), FIRST_STEP),
            ("steps 2–12", slice(1, None), OTHER_STEPS),
        ):
            parts = {
                result.trace: Coverage(*[shares[part] for shares in of(result)])
                for result in run.results
            }
            yield _held(f"90 % interval{when}, {steps}, every trace", parts, *bounds)


def _held(what: str, found: dict[str, Coverage], low: float, high: float) -> Target:
    away = {name: _outside(each.shares, each.shares, low, high) for name, each in found.items()}
    kept = sum(distance <= 0.0 for distance in away.values())
    tied = -kept + sum(
        _outside(each.shares, each.inside, low, high) <= 0.0 for each in found.values()
    )
    worst = max(away, key=lambda name: away[name])
    shares = found[worst].shares
    furthest = float(shares[int(np.argmax(np.maximum(low - shares, shares - high)))])
    but = f", {tied} more but for values on a bound" if tied else ""
    return Target(
        what,
        f"{percent(low, 0)}–{percent(high, 0)} %",
        f"{kept} of {len(found)} traces{but}; worst {percent(furthest)} % ({worst})",
        kept == len(found),
    )


def _outside(enough: Array, many: Array, low: float, high: float) -> float:
    """How far shares are below `low` or above `high`; up to 0 when they are within."""
    return float(np.maximum(low - enough, many - high).max())


def _time_to_limit(run: Run) -> Iterator[Target]:
    counted = [each for each in run.reaches if each.aimed]
    worst = min(counted, key=lambda each: each.within)
    good = sum(each.within >= _MOMENTS for each in counted)
    yield Target(
        "time to limit within 20 %, ramps and leaks, half the way gone",
        f"{percent(_MOMENTS, 0)} % of the moments of each",
        f"{good} of {len(counted)}; worst {percent(worst.within)} % ({worst.course})",
        good == len(counted),
    )


def _cost(run: Run) -> Iterator[Target]:
    footprint = run.footprint
    for name in OURS_UPDATED:
        cost = footprint.costs[name]
        extra = f" ({figure(cost.ratio)} × the reference loop)"
        yield _at_most(f"processor time of a sample, {name}",
            cost.microseconds, 60.0, extra, " µs")  # fmt: skip
    for name, size in footprint.heaps.items():
        yield _at_most(f"live heap, {name}", size / 1024.0, 20.0, unit=" KB")
    early, late = footprint.growth
    yield Target(
        f"growth from {footprint.growth_updates // 5} to {footprint.growth_updates} updates",
        "none",
        f"{late - early:+d} bytes of {late}",
        late - early <= 0.01 * early,
    )


def row(target: Target) -> Sequence[str]:
    """As cells of a table."""
    said = "not measured here" if target.met is None else "yes" if target.met else "**no**"
    return target.what, target.aim, target.measured, said
