"""What the benchmarks of sharing make of what they saw; nothing is measured here."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.dividing.crowd import percentile, summary
from benchmarks.together.models import SIZES, SPEECH, TEXT, VISION
from benchmarks.together.telling import picture, table
from benchmarks.together.trial import ARMS, BUDGET_MB, LIMIT_MB, requests_of


def test_an_even_crowd_is_fair_and_a_greedy_one_is_not() -> None:
    even = summary([[1e-6] * 10, [3e-6] * 10], 2.0)
    assert (even.jain, even.per_second) == (1.0, 10.0)
    assert even[:3] == pytest.approx((3.0, 3.0, 3.0))
    assert summary([[1e-6] * 30, []], 1.0).jain == 0.5


def test_percentiles_are_of_ordered_values() -> None:
    assert [percentile(range(100), part) for part in (0.0, 0.5, 0.99, 1.0)] == [0, 50, 99, 99]


def test_all_arms_have_the_same_requests_of_all_three_models() -> None:
    requests = requests_of(90.0, 1)
    assert requests == requests_of(90.0, 1)
    assert [one.number for one in requests] == list(range(len(requests)))
    assert [one.at for one in requests] == sorted(one.at for one in requests)
    counts = {model: sum(one.model == model for one in requests) for model in SIZES}
    assert counts == {SPEECH: 90, TEXT: 120, VISION: 20}


def test_full_sizes_do_not_fit_the_limit_and_minimums_fit_the_budget() -> None:
    assert sum(size.needs(size.most) for size in SIZES.values()) > LIMIT_MB
    assert sum(size.rest for size in SIZES.values()) < BUDGET_MB < LIMIT_MB


def found(arm: str, kills: int) -> dict[str, Any]:
    models = {
        model: {"requests": 10, "goodput": 95.0, "p50": 0.5, "p99": 2.0, "ended": kills}
        for model in SIZES
    }
    memory = [(0.0, 300), (10.0, 500)]
    return {"arm": arm, "kills": kills, "models": models, "throughput": 2.0, "peak": 500.0,
            "memory": memory}  # fmt: skip


def test_the_table_has_a_row_an_arm_and_the_picture_a_line_an_arm() -> None:
    trials = [found(arm.name, kills) for kills in (1, 2) for arm in ARMS]
    rows = table(trials).splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == [f"| {arm.name}" for arm in ARMS]
    assert rows[0].split(" | ")[1:4] == ["3", "95 %", "95 %"]
    svg = ElementTree.fromstring(picture(trials, LIMIT_MB))
    lines = svg.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == len(ARMS)
