"""What each part is worth: every one is left out once, and the whole is beside it."""

from __future__ import annotations

import numpy as np

from amptalk.forecast.experts.team import TEAM
from benchmarks.forecasting import ablation
from benchmarks.forecasting.traces import Trace


def trace(values: list[float], step: float = 1.0) -> Trace:
    return Trace("made", "watts", np.arange(len(values)) * np.float64(step), np.array(values))


def test_every_part_is_left_out_once() -> None:
    teams = ablation.teams()
    assert teams.pop(ablation.WHOLE) == TEAM
    assert set(teams) == {
        *[f"without {each.name}" for each in TEAM],
        "without the last value",
        "without the daily profile",
    }


def test_what_only_the_regression_knows_is_lost_without_it() -> None:
    ratios = ablation.run(trace([float(i % 4) for i in range(500)])).ratios
    assert ratios[ablation.WHOLE].mean() < 0.5 * ratios["without regression"].mean()


def test_without_the_last_value_a_walk_is_forecast_worse() -> None:
    steps = np.random.default_rng(1).normal(size=1500)
    ratios = ablation.run(trace(np.cumsum(steps).tolist())).ratios
    assert ratios[ablation.WHOLE].mean() < ratios["without the last value"].mean()


def test_the_table_has_a_row_for_each_and_names_the_worst_trace() -> None:
    made = ablation.run(trace([float(i % 4) for i in range(200)], step=60.0))
    text = ablation.report([made])
    assert all(f"| {part} |" in text for part in ablation.teams())
    assert "1–60 min (1)" in text
    assert "made" in text
