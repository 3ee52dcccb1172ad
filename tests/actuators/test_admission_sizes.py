"""Admission of work of several sizes: which one it may have, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from amptalk.actuators.admission import AdmissionGate
from amptalk.model.errors import ConfigurationError
from tests.actuators.gates import made, tick


def test_work_of_several_sizes_is_told_which_one_it_may_have(gate: AdmissionGate) -> None:
    tick(gate, memory=100.0)
    with gate.admit("batch", size=(2, 8)) as first:
        assert first.size == 2  # nothing is known yet
    with gate.admit("batch", size=3) as fixed:
        assert fixed.size == 3
    with gate.admit("other") as undeclared:
        assert math.isnan(undeclared.size)


def test_when_only_observing_work_has_its_largest_size() -> None:
    watching = made(enabled=False)
    with watching.admit("batch", size=(2, 8)) as admitted:
        assert admitted.size == 8


def test_work_of_listed_sizes_has_the_largest_that_fits(gate: AdmissionGate) -> None:
    tick(gate, memory=100.0)
    with gate.admit("batch", size=[0.7, 2.2, 4.9]) as first:
        assert first.size == 0.7  # nothing is known yet
    with made(enabled=False).admit("batch", size=[0.7, 2.2, 4.9]) as watched:
        assert watched.size == 4.9


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"size": (8, 2)}, "two whole numbers, the least first"),
        ({"size": (1.5, 2)}, "two whole numbers, the least first"),
        ({"size": (1, 2, 3)}, "two whole numbers, the least first"),
        ({"size": (1, 4), "memory_mb": 10}, "leave out memory"),
        ({"size": [1.5, 4], "memory_mb": 10}, "leave out memory"),
        ({"size": [2.0, 2.0]}, "the least first"),
        ({"size": [4.0, 2.0]}, "the least first"),
        ({"size": []}, "above 0"),
        ({"size": [0.0, 2.0]}, "above 0"),
    ],
)
def test_several_sizes_are_in_order_above_0_and_learned(
    gate: AdmissionGate, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        gate.admit("batch", **options)
