"""Our forecaster with each of its parts left out: what each is worth.

The protocol of the other tables, errors only; traces with days of history in full. The correction
of odds changes no expected value and is no part here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from amptalk.forecast import Forecaster
from amptalk.forecast.experts.regression import Regression
from amptalk.forecast.experts.team import TEAM, Member
from benchmarks.forecasting.protocol import HORIZON, Array, error_ratios
from benchmarks.forecasting.table import figure, markdown
from benchmarks.forecasting.traces import Trace

WHOLE = "ours"
_MOST = 1e9
"""Prior of an expert beside which that of the last value is nothing."""


class Ablated(NamedTuple):
    """What one trace gave."""

    trace: str
    slow: bool
    ratios: dict[str, Array]
    """By what was left out, the error of each horizon over the last value's."""


def teams() -> dict[str, Sequence[Member]]:
    """By what is left out, who remains."""
    found: dict[str, Sequence[Member]] = {WHOLE: TEAM}
    for left_out in TEAM:
        found[f"without {left_out.name}"] = [each for each in TEAM if each is not left_out]
    found["without the last value"] = [each._replace(prior=_MOST * each.prior) for each in TEAM]
    found["without the daily profile"] = [
        each._replace(make=_without_profile) if each.name == "regression" else each for each in TEAM
    ]
    return found


def _without_profile(horizon: int, step: float) -> Regression:
    return Regression(horizon, step, None)


def run(trace: Trace) -> Ablated:
    """Replay a trace through every team."""
    return Ablated(
        trace.name,
        trace.slow,
        {name: error_ratios(trace.values, _means(trace, team)) for name, team in teams().items()},
    )


def _means(trace: Trace, team: Sequence[Member]) -> Array:
    forecaster = Forecaster(HORIZON, trace.step, team)
    means = np.empty((len(trace.values), HORIZON))
    for now, (seconds, value) in enumerate(
        zip(trace.seconds.tolist(), trace.values.tolist(), strict=True)
    ):
        forecaster.update(value, seconds)
        means[now] = forecaster.forecast().mean
    return means


def report(found: Sequence[Ablated]) -> str:
    """One row for each part: its errors, and the trace that misses it most."""
    classes = {
        "1 Hz": [each for each in found if not each.slow],
        "1–60 min": [each for each in found if each.slow],
    }
    header = ["method"]
    for name, members in classes.items():
        header += [f"{name} ({len(members)})", "worst", "of"]
    header += ["lost most", "of"]
    rows = []
    for part in teams():
        row = [part]
        for members in classes.values():
            means = {each.trace: float(each.ratios[part].mean()) for each in members}
            worst = max(means, key=means.__getitem__, default="–")
            row += [
                figure(float(np.median(list(means.values()))) if means else np.nan, 3),
                figure(means.get(worst, np.nan), 3),
                worst,
            ]
        lost = {
            each.trace: float(each.ratios[part].mean() / each.ratios[WHOLE].mean())
            for each in found
        }
        most = max(lost, key=lost.__getitem__)
        rows.append([*row, figure(lost[most], 3), most])
    return (
        f"## What each part is worth\n\n{markdown(header, rows)}\n\n"
        "Error as a ratio to the last value's: median over the traces of each class of the mean "
        "over the 12 horizons, and the worst trace. Lost most: the error over that of the whole, "
        "on the trace where that is highest."
    )
