"""A simulation, a replay through real sensors and a live run are scored by the same book."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from amptalk.limits.limits import ResourceLimits
from amptalk.simulation import PlantState, simulate
from amptalk.simulation.replay import Replay
from tests.recordings.make import HERE


class Played:
    """Gives what was recorded, whatever is allocated."""

    resource = "memory_mb"
    limit = 4000.0

    def __init__(self, values: list[float], period: float) -> None:
        self.values = values
        self.period = period
        self.at = 0

    def step(self, allocation: float) -> PlantState:
        value = self.values[self.at]
        self.at += 1
        return PlantState(value, value, allocation, 1.0)


HELD_BACK = {"warnings_false", "warnings_acted_on", "forecast"}
"""Figures that depend on whether decisions are carried out: a replay only makes them."""


def figures(effectiveness: Mapping[str, Any]) -> dict[str, float]:
    return {k: v for k, v in effectiveness["limits"]["memory"].items() if k not in HELD_BACK}


@pytest.mark.parametrize("strategy", ["dynamic", "predictive", "adaptive", "predictive+adaptive"])
def test_a_plant_that_plays_a_recording_gives_the_figures_of_its_replay(strategy: str) -> None:
    folder, limits = str(HERE / "raspberry-pi-5"), ResourceLimits(max_memory_mb=4000)
    with Replay(folder, limits=limits, strategy=strategy) as replay:
        values = [moment.tick.sample.memory_used_mb for moment in replay]
        replayed = replay.summary()
        interval = replay.about.interval
    result = simulate(Played(values, interval), strategy, steps=len(values))
    assert figures(result.effectiveness) == figures(replayed.effectiveness)
    assert result.effectiveness["seconds"] == replayed.effectiveness["seconds"]
    assert [v.peak for v in result.violations] == [v.peak for v in replayed.violations]
    assert result.effectiveness["limits"]["memory"]["breaches"] == 1
