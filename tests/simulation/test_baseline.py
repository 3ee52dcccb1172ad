"""The five baseline plants give plain AIMD the figures that were measured for it before.

So figures of strategies on them can be compared with those of other controllers.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from amptalk.simulation import simulate
from amptalk.simulation.plants import Bursty, GpuPower, Memory, Queue, Thermal
from tests.strategies.plants import Aimd

SEEDS = range(7)


@pytest.mark.parametrize(
    ("plant", "over", "lost"),
    [(Thermal, 0.0, 3.0), (GpuPower, 11.3, 4.8), (Memory, 0.4, 4.1), (Bursty, 5.1, 3.3),
     (Queue, 3.2, 0.0)],
)  # fmt: skip
def test_aimd_is_over_and_loses_as_measured(
    plant: Callable[[], Any], over: float, lost: float
) -> None:
    runs = [simulate(plant(), Aimd(), seed=seed).after(60.0) for seed in SEEDS]
    assert 100 * median(run.time_over for run in runs) == pytest.approx(over, abs=1.0)
    assert 100 * median(run.work_lost for run in runs) == pytest.approx(lost, abs=1.5)
