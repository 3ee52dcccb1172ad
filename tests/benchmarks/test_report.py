"""The report says of each target what was measured and whether that meets it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.forecasting import report
from benchmarks.forecasting.alarms import AlarmScore
from benchmarks.forecasting.cost import OURS_UPDATED, Cost
from benchmarks.forecasting.ours import Coverage
from benchmarks.forecasting.probability import EDGES, ProbabilityScore
from benchmarks.forecasting.protocol import HORIZON
from benchmarks.forecasting.reach import Reach
from benchmarks.forecasting.replay import FIXED_THRESHOLDS, OURS, Result, Warned
from benchmarks.forecasting.summary import Footprint, Run, median, ratio
from benchmarks.forecasting.table import figure, markdown
from benchmarks.forecasting.targets import Target, targets

BINS = np.array([[100.0, 1.0, 2.0], *[[0.0, 0.0, 0.0]] * (len(EDGES) - 2)])


def result(
    name: str, *, slow: bool, error: float, share: float = 0.9, inside: float = 0.9
) -> Result:
    """One trace on which ours has this error, coverage and a fair record of warnings."""
    score = AlarmScore(4, 2, 2, 2, (6, 8), 3000)
    warned = {OURS: Warned(0.3, score, ProbabilityScore(0.4, 8.0, 10.0, BINS))}
    coverage = Coverage(np.full(HORIZON, share), np.full(HORIZON, inside))
    return Result(
        trace=name, slow=slow, generated=False, samples=5000, step=60.0 if slow else 1.0,
        ratios={OURS: np.full(HORIZON, error), "last value": np.ones(HORIZON)},
        warned={95: warned, 99: warned},
        fixed={95: dict.fromkeys(FIXED_THRESHOLDS, score)},
        coverage=coverage, shifted_coverage=coverage, refit_microseconds=math.nan,
    )  # fmt: skip


def run_of(*results: Result, within: float = 1.0, grown: int = 0) -> Run:
    costs = dict.fromkeys(OURS_UPDATED, Cost(50.0, 0.8))
    return Run(
        list(results),
        {"days": {OURS: np.full(HORIZON, 0.7), "last value": np.ones(HORIZON)}},
        [Reach("a ramp", 100, within, 0.05, 0.1, 1.0)],
        Footprint(60.0, costs, {"1 Hz": 15_000}, 1_000_000, (15_000, 15_000 + grown)),
    )


def row(run: Run, what: str) -> Target:
    (found,) = [target for target in targets(run) if target.what.startswith(what)]
    return found


GOOD = (result("minutes", slow=True, error=0.7), result("seconds", slow=False, error=0.98))


def test_a_run_that_reaches_everything_says_so() -> None:
    assert [target.what for target in targets(run_of(*GOOD)) if not target.met] == []


@pytest.mark.parametrize(
    ("what", "run"),
    [
        ("error ÷ last value, 1–60 min", run_of(GOOD[1], result("m", slow=True, error=0.79))),
        ("error ÷ last value, 1 Hz", run_of(GOOD[0], result("s", slow=False, error=1.0))),
        ("error ÷ last value, worst", run_of(*GOOD, result("s", slow=False, error=1.02))),
        ("time to limit", run_of(*GOOD, within=0.89)),
        ("growth", run_of(*GOOD, grown=200)),
        ("90 % interval, step 1", run_of(*GOOD, result("m", slow=True, error=0.7, share=0.87))),
        ("90 % interval, steps 2", run_of(*GOOD, result("m", slow=True, error=0.7, share=0.95))),
    ],
)
def test_what_falls_short_is_said(what: str, run: Run) -> None:
    assert row(run, what).met is False


def test_the_worst_trace_is_named_and_ties_are_told_apart() -> None:
    run = run_of(*GOOD, result("steps", slow=True, error=0.7, share=0.97, inside=0.5))
    found = row(run, "90 % interval, step 1")
    assert found.met is False
    assert found.measured == "2 of 3 traces, 1 more but for values on a bound; worst 97.0 % (steps)"


def test_a_class_without_traces_is_not_measured_rather_than_met() -> None:
    run = run_of(GOOD[0])
    assert row(run, "error ÷ last value, 1 Hz").met is None
    assert row(run, "Brier skill, p95, 1 Hz").met is None


def test_alarms_are_pooled_over_the_traces() -> None:
    run = run_of(*GOOD)
    assert row(run, "recall, p95").measured == "0.50 (4 of 8 events)"
    assert row(run, "precision, p95").measured == "0.50 (4 of 8 claims)"
    assert row(run, "lead").measured.startswith("7.0")


def test_ratios_are_medians_over_the_traces_and_the_highest_mean() -> None:
    found = ratio([result(str(e), slow=True, error=e) for e in (0.5, 0.7, 0.99)], OURS)
    assert found.all_horizons == pytest.approx(0.7)
    assert found.worst == pytest.approx(0.99)
    assert math.isnan(ratio(list(GOOD), "never ran").all_horizons)


def test_the_median_leaves_out_what_is_missing() -> None:
    assert median([1.0, math.nan, 3.0]) == 2.0
    assert math.isnan(median([math.nan]))


def test_every_section_is_in_the_report() -> None:
    text = report.whole(run_of(*GOOD))
    for title in ("Targets", "Error, as", "with days", "Warning", "same threshold", "Cost"):
        assert f"## {title}" in text or title in text
    assert "| minutes |" in text
    assert "nan" not in text


def test_what_was_said_stands_beside_what_happened() -> None:
    text = report.whole(run_of(*GOOD))
    assert "| 0–0.02 | 100 | 1.0 | 2.0 | 100 | 1.0 | 2.0 |" in text
    assert "| 0.6–1 | 0 | – | – | 0 | – | – |" in text


def test_tables_and_figures_are_written_for_people() -> None:
    assert markdown(("a", "b"), [("x", "1")]) == "| a | b |\n| --- | --: |\n| x | 1 |"
    assert [figure(v) for v in (1.234, math.nan, math.inf, 43210.7)] == ["1.23", "–", "∞", "43211"]
