"""Wrappers that spoil a plant: each by what it does to a plant whose every step is known."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any

import pytest

from amptalk.model.errors import ConfigurationError
from amptalk.simulation import PlantState, simulate
from amptalk.simulation.plants import DeadTime, DropOut, Firmware, GpuPower, Late, Queue, Stuck


class Counting:
    """The level counts the steps; remembers its allocations."""

    resource = "latency_ms"
    limit = 1000.0

    def __init__(self, period: float = 1.0) -> None:
        self.period = period
        self.given: list[float] = []

    def step(self, allocation: float) -> PlantState:
        self.given.append(allocation)
        level = float(len(self.given))
        return PlantState(level, level, allocation, 1.0)


def measured(plant: Any, steps: int) -> list[float]:
    return [plant.step(0.5).measured for _ in range(steps)]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3])
def test_a_share_of_the_readings_is_lost_in_gaps(share: float) -> None:
    readings = measured(DropOut(Counting(), share, lasts=4.0), 20_000)
    lost = [math.isnan(value) for value in readings]
    assert sum(lost) / len(lost) == pytest.approx(share, abs=0.03)
    gaps = [len(list(group)) for gone, group in groupby(lost) if gone]
    if gaps:
        assert sum(gaps) / len(gaps) == pytest.approx(4.0, abs=1.0)
    with pytest.raises(ConfigurationError, match="share"):
        DropOut(Counting(), 1.0)


def test_a_stuck_sensor_repeats_its_last_reading_for_as_long_as_told() -> None:
    readings = measured(Stuck(Counting(), every=100.0, lasts=15.0), 5_000)
    runs = [len(list(group)) for _, group in groupby(readings)]
    assert set(runs) == {1, 16}, "a fresh one and 15 that repeat it"
    assert runs.count(16) == pytest.approx(5_000 / 115, rel=0.4)
    assert readings[-1] == pytest.approx(5_000, abs=16)


@pytest.mark.parametrize(("period", "steps"), [(1.0, 3), (0.5, 6), (10.0, 1)])
def test_late_readings_are_so_many_seconds_old(period: float, steps: int) -> None:
    readings = measured(Late(Counting(period), 3.0), 20)
    assert readings == [1.0] * steps + [float(n) for n in range(1, 21 - steps)]


def test_an_allocation_takes_effect_after_the_dead_time() -> None:
    inner = Counting()
    plant = DeadTime(inner, 2.0)
    for share in (0.9, 0.8, 0.7, 0.6):
        plant.step(share)
    assert inner.given == [1.0, 1.0, 0.9, 0.8]


def test_firmware_slows_the_device_down_once_it_was_over_for_a_while() -> None:
    inner = Counting()
    inner.limit = 3.5
    plant = Firmware(inner, after=2.0, cut=0.5, lasts=3.0)
    for _ in range(9):
        plant.step(0.8)
    assert inner.given == [0.8] * 5 + [0.4, 0.4] + [0.2, 0.2], "and again while it stays over"
    inner.limit = plant.limit = 1000.0
    for _ in range(5):
        plant.step(0.8)
    assert inner.given[-2:] == [0.8, 0.8]


def test_a_wrapped_plant_keeps_its_oracle_its_seed_and_can_be_wrapped_again() -> None:
    plant = DeadTime(DropOut(GpuPower(), 0.2), 2.0)
    assert plant.name == "DeadTime(DropOut(GpuPower))"
    runs = [simulate(plant, "dynamic", steps=200, seed=seed) for seed in (1, 1, 2)]
    assert runs[0].series.level == runs[1].series.level
    assert runs[0].series.level != runs[2].series.level
    assert [math.isnan(v) for v in runs[0].series.measured].count(True) > 10
    assert runs[0].series.measured[:50].tolist() != runs[2].series.measured[:50].tolist()
    assert not math.isnan(runs[0].work_lost)
    assert math.isnan(simulate(Late(Counting()), "dynamic", steps=5).work_lost)


def test_a_fault_does_not_follow_the_chance_of_the_plant_nor_change_it() -> None:
    plain = simulate(Queue(), "dynamic", steps=1, seed=8).series
    spoilt = simulate(Stuck(Queue()), "dynamic", steps=1, seed=8).series
    assert plain.level == spoilt.level
    assert plain.measured == spoilt.measured
