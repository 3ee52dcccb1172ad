"""A value that swings by 5 % around a line makes neither levels nor steps flap.

Judge, planner, runner and steps together, for ten simulated minutes.
"""

from __future__ import annotations

import math

import pytest

from amptalk.actuators.actuation import Actuation
from amptalk.clock import VirtualClock
from amptalk.history.recent import RecentSlope
from amptalk.limits.judge import Judge
from amptalk.limits.thresholds import lines_for
from amptalk.model.level import Level
from amptalk.model.resource import MEMORY
from tests.actuators.support import decision, sample
from tests.helpers import eventually

LIMIT, SECONDS, SWING = 1000.0, 600, 0.05
MOST = 1 + SECONDS // 15
GIVEN = {"fp16": 0.0, "int8": 60.0, "int4": 90.0}


class Application:
    """Memory that swings around a line, less what a mode and a hook give back."""

    def __init__(self, line: float, period: float) -> None:
        self.line = line
        self.period = period
        self.clock = VirtualClock()
        self.judge = Judge([(MEMORY, LIMIT)], 1.0)
        self.recent = RecentSlope()
        self.actuation = Actuation(self.clock, "degrade", ())
        self.cached = 80.0
        self.changes = {"level": 0, "mode": 0, "hook": 0}
        ladder = self.actuation.ladder
        self.precision = ladder.quality(
            "precision", list(GIVEN), lambda _mode: self.count("mode"), level=Level.ELEVATED
        )
        ladder.hook("cache", self.drop, restore=self.fill)

    def count(self, what: str) -> None:
        self.changes[what] += 1

    def drop(self) -> None:
        self.cached = 0.0
        self.count("hook")

    def fill(self) -> None:
        self.cached = 80.0
        self.count("hook")

    def run(self) -> dict[str, int]:
        level = Level.NORMAL
        for _ in range(SECONDS):
            now = self.clock.advance(1.0)
            wave = math.sin(2 * math.pi * now / self.period)
            used = self.line * (1 + SWING * wave) - GIVEN[self.precision.mode] - 80.0 + self.cached
            self.recent.add(now, used)
            one = sample(now, memory_used_mb=used)
            limits = self.judge.judge(one, lambda _field: self.recent.slope())
            self.changes["level"] += limits[0].level is not level
            level = limits[0].level
            self.actuation.carry_out(one, limits, decision())
            eventually(lambda: not self.actuation.runner.threads.active, "steps came back")
        self.actuation.runner.threads.stop(2)
        return self.changes


@pytest.mark.parametrize("which", [0, 1, 2], ids=["elevated", "critical", "emergency"])
@pytest.mark.parametrize("period", [4.0, 40.0])
def test_no_more_than_one_change_in_fifteen_seconds(which: int, period: float) -> None:
    changes = Application(lines_for(MEMORY, LIMIT).enter[which], period).run()
    assert changes["level"] > 0
    assert changes["mode"] > 0
    assert all(count <= MOST for count in changes.values()), changes
