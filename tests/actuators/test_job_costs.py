"""Named jobs are remembered by their last runs, and not without bound."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.job_costs import KEPT_NAMES, KEPT_RUNS, JobCosts


def test_of_few_runs_the_largest_peak_counts_and_of_twenty_the_second_largest() -> None:
    costs = JobCosts()
    for peak in range(1, 20):
        costs.add("a", 1.0, {"memory": peak})
    assert costs.expected("a") == {"memory": 19}
    costs.add("a", 1.0, {"memory": 1000})
    assert costs.expected("a") == {"memory": 19}
    costs.add("a", 1.0, {"memory": 1000})
    assert costs.expected("a") == {"memory": 1000}


@given(st.lists(st.floats(-10, 1000), min_size=1, max_size=60))
def test_the_estimate_is_one_of_the_last_runs_and_never_negative(peaks: list[float]) -> None:
    costs = JobCosts()
    for peak in peaks:
        costs.add("a", 1.0, {"memory": peak})
    last = [max(0.0, peak) for peak in peaks[-KEPT_RUNS:]]
    assert costs.expected("a")["memory"] in last
    assert sum(peak > costs.expected("a")["memory"] for peak in last) <= 1


def test_a_run_without_a_peak_teaches_only_its_duration() -> None:
    costs = JobCosts()
    costs.add("short", 0.1, {})
    assert costs.expected("short") == {}
    row = costs.table()["short"]
    assert (row.runs, row.seconds) == (1, 0.1)
    assert math.isnan(row.memory_mb)
    assert costs.expected("never seen") == {}


def test_the_name_not_used_for_longest_is_forgotten_first() -> None:
    costs = JobCosts()
    for number in range(KEPT_NAMES):
        costs.add(f"job{number}", 1.0, {})
    costs.add("job0", 1.0, {})
    costs.add("new", 1.0, {})
    assert len(costs.table()) == KEPT_NAMES
    assert "job0" in costs.table()
    assert "job1" not in costs.table()
