"""The service benchmark's pure parts: requests, scoring, void trials, settings, tables, groups."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import service
from benchmarks.serving import log
from benchmarks.serving.arms import CAP, CEILING, CEILING_AGAIN, STATIC, Arm, meminfo_text
from benchmarks.serving.choosing import best_settings, candidates, chosen
from benchmarks.serving.groups import GroupError, MemoryGroup
from benchmarks.serving.requests import FIRST, SECOND, Request, requests_of, second_windows
from benchmarks.serving.scenarios import BY_NAME, SCENARIOS
from benchmarks.serving.scoring import (
    Outcome,
    figures,
    gap_closed,
    goodput,
    percentile,
    recovery,
    valid,
)
from benchmarks.serving.summary import summarise
from benchmarks.serving.telling import ratio_table

SECONDS = 150.0


# -- requests -------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_requests_are_the_same_for_a_seed_in_order_and_at_the_rate_of_the_scenario(
    scenario: Any,
) -> None:
    found = requests_of(scenario, SECONDS, 1)
    assert found == requests_of(scenario, SECONDS, 1)
    assert found != requests_of(scenario, SECONDS, 2)
    assert [request.at for request in found] == sorted(request.at for request in found)
    first = [request for request in found if request.model == FIRST]
    assert len(first) / SECONDS == pytest.approx(scenario.mean_rate, rel=0.1)
    sizes = [request.size for request in found]
    assert sum(sizes) / len(sizes) == pytest.approx(1.0, abs=0.05)


def test_the_second_model_is_asked_for_in_its_windows_only() -> None:
    scenario = BY_NAME["tight-slow"]
    windows = second_windows(scenario, SECONDS)
    assert sum(end - begin for begin, end in windows) == pytest.approx(0.45 * SECONDS)
    asked = [r.at for r in requests_of(scenario, SECONDS, 1) if r.model == SECOND]
    assert asked
    assert all(any(begin <= at <= end for begin, end in windows) for at in asked)


def test_pressure_says_which_scenarios_can_be_held_by_smaller_batches() -> None:
    for name in ("calm", "hard-roomy", "neighbour"):
        assert BY_NAME[name].pressure(16) <= 0.85
    for name in ("tight-slow", "tight-fast"):
        assert BY_NAME[name].pressure(1) < 1.0 < BY_NAME[name].pressure(16)
    for name in ("never-told", "never-untold"):
        assert BY_NAME[name].pressure(1) > 1.0


# -- scoring --------------------------------------------------------------------------


def outcomes(*answered: float, every: float = 1.0, model: str = FIRST) -> list[Outcome]:
    """Requests each second, answered so many seconds after they were sent."""
    return [
        Outcome(Request(n, n * every, model, 1.0), n * every + after)
        for n, after in enumerate(answered)
    ]


def test_goodput_counts_answers_within_the_deadline() -> None:
    assert goodput(outcomes(0.5, 1.5, 1.6, math.inf), 1.5) == 50.0


def test_recovery_is_until_requests_are_answered_in_time_again() -> None:
    found = outcomes(0.1, 0.1, math.inf, math.inf, 0.1, math.inf, 0.1, 0.1, 0.1, 0.1, 0.1)
    assert recovery(found, 1.5, stop=1.5) == 4.5
    assert math.isnan(recovery(found, 1.5, stop=8.0))


def test_figures_are_told_by_class() -> None:
    found = figures([*outcomes(0.1, 0.2), *outcomes(9.0, model=SECOND)], 1.5, [])
    assert found["classes"] == {FIRST: 100.0, SECOND: 0.0}
    assert found["p50"] == pytest.approx(200.0)
    assert math.isnan(found["recovery"])


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1.0))
def test_a_percentile_is_one_of_the_values(values: list[float], part: float) -> None:
    assert percentile(sorted(values), part) in values


def test_the_gap_is_the_way_from_the_best_other_to_the_ceiling() -> None:
    assert gap_closed(80.0, 60.0, 100.0) == 0.5
    assert gap_closed(50.0, 60.0, 100.0) == -0.25
    assert math.isnan(gap_closed(99.9, 99.5, 100.0)), "hardly any gap"


# -- trials ---------------------------------------------------------------------------


def trial(scenario: str = "tight-slow", seed: int = 100, **goods: float) -> dict[str, Any]:
    """A trial; arms are named by word, `_` for spaces."""
    arms = {}
    for word, good in goods.items():
        kind = word.replace("_", " ")
        arms[kind] = {
            "arm": kind, "settings": {}, "goodput": good, "classes": {FIRST: good},
            "kills": 0, "restarts": 0, "p50": 1.0, "p99": 2.0, "recovery": math.nan, "cpu": 1.0,
            "actions": {},
        }  # fmt: skip
    return {
        "scenario": scenario, "seed": seed, "seconds": 150.0, "began": "2026-01-01", "arms": arms,
    }  # fmt: skip


def test_a_trial_in_which_the_ceiling_fails_is_void() -> None:
    assert valid(trial(ceiling=95.0), CEILING)
    assert not valid(trial(ceiling=94.9), CEILING)
    assert not valid(trial(dynamic=99.0), CEILING)
    found = summarise(
        "tight-slow",
        [trial(ceiling=99, cap_and_restart=50, dynamic=80),
         trial(ceiling=80, cap_and_restart=99, dynamic=10)],
    )  # fmt: skip
    assert (found.valid, found.trials) == (1, 2)
    assert found.ours["dynamic"].ratio == pytest.approx(1.6)


def test_ours_is_held_against_the_arm_with_the_best_mean() -> None:
    trials = [
        trial(ceiling=100, cap_and_restart=90, static_batch=60, dynamic=90),
        trial(ceiling=100, cap_and_restart=40, static_batch=80, dynamic=84),
    ]
    found = summarise("tight-slow", trials)
    assert found.best == STATIC
    assert found.ours["dynamic"].ratio == pytest.approx(87 / 70)
    assert found.ours["dynamic"].lowest == pytest.approx(84 / 80)
    assert found.ours["dynamic"].gap == pytest.approx((0.75 + 0.2) / 2)


def test_a_class_that_ours_neglects_is_told_and_misses_stand_in_bold() -> None:
    one = trial(ceiling=100, cap_and_restart=50, dynamic=70)
    one["arms"]["dynamic"]["classes"] = {FIRST: 80.0, SECOND: 0.0}
    one["arms"][CAP]["classes"] = {FIRST: 45.0, SECOND: 60.0}
    one["arms"][CEILING]["classes"] = {FIRST: 100.0, SECOND: 100.0}
    found = summarise("leak", [{**one, "scenario": "leak"}])
    assert found.ours["dynamic"].classes == (SECOND,)
    text = ratio_table([found])
    assert "**below in b**" in text
    assert "1.40" in text
    missed = summarise("leak", [trial("leak", ceiling=100, cap_and_restart=80, dynamic=70)])
    assert "**0.88**" in ratio_table([missed])


def test_without_a_valid_trial_the_report_says_so() -> None:
    text = service.report([trial(ceiling=50, cap_and_restart=50)], ["tight-slow"])
    assert "| tight-slow | 0 of 1 |" in text


# -- settings and log -----------------------------------------------------------------


def test_a_search_takes_the_setting_with_the_best_mean() -> None:
    def found(goods: Mapping[int, float]) -> dict[str, Any]:
        return {
            "arms": {
                Arm(STATIC, {"batch": size}).label: {
                    "arm": STATIC, "settings": {"batch": size}, "goodput": good,
                }
                for size, good in goods.items()
            }
        }  # fmt: skip

    trials = [found({2: 50.0, 4: 90.0}), found({2: 60.0, 4: 10.0})]
    assert best_settings(trials) == {STATIC: {"batch": 2}}


def test_every_arm_has_settings_and_a_search_tries_more_than_one() -> None:
    arms = chosen("tight-slow")
    assert {arm.kind for arm in arms} >= {CEILING, CEILING_AGAIN, CAP, STATIC, "dynamic"}
    labels = [arm.label for arm in candidates([STATIC])]
    assert len(labels) == len(set(labels)) > 3


def test_a_cut_log_is_continued_and_done_trials_are_not_run_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert log.read(path) == []
    log.append(path, trial(ceiling=99))
    with path.open("a") as file:
        file.write('{"scenario": "le')
    log.append(path, trial(seed=101, ceiling=98))
    trials = log.read(path)
    assert [one["seed"] for one in trials] == [100, 101]
    arms = [Arm(CEILING, {})]
    assert log.done(trials, "tight-slow", 101, 150.0, arms)
    assert not log.done(trials, "tight-slow", 102, 150.0, arms)
    assert not log.done(trials, "tight-slow", 101, 150.0, [*arms, Arm(CAP, {})])


# -- memory groups and earlyoom's view ------------------------------------------------


def test_meminfo_keeps_its_length() -> None:
    texts = {len(meminfo_text(300.0, used)) for used in (0.0, 1.5, 299.0, 1000.0)}
    assert len(texts) == 1
    rows = dict(line.split(":") for line in meminfo_text(300.0, 400.0).splitlines())
    assert rows["MemAvailable"].split() == ["0", "kB"]


def test_a_group_of_version_2_is_made_read_and_removed(tmp_path: Path) -> None:
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory\n")
    group = MemoryGroup("x", 100.0, root=tmp_path)
    assert (group.path / "memory.max").read_text() == str(100 * 1024 * 1024)
    (group.path / "memory.current").write_text(str(60 * 1024 * 1024))
    (group.path / "memory.stat").write_text(f"anon 5\ninactive_file {20 * 1024 * 1024}\n")
    (group.path / "memory.events").write_text("max 7\noom 2\noom_kill 1\n")
    assert group.working_set_mb() == 40.0
    assert group.kills() == 1


def test_without_a_memory_controller_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(GroupError, match="run it as root"):
        MemoryGroup("x", 100.0, root=tmp_path)
