"""The planner learns what its choices are worth: enough, in time, and at the least cost.

A model can be unloaded (4 s, 800 MB), a batch halved (50 ms, 205 MB), the heap trimmed (40 ms, 0 to
300 MB). What is declared of them is wrong. Memory grows and comes back in episodes of its own.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterator

import pytest

from amptalk.actuators.actuation import Actuation
from amptalk.clock import VirtualClock
from amptalk.limits.thresholds import lines_for
from amptalk.model.action import ActionReport
from amptalk.model.level import Level
from amptalk.model.resource import MEMORY
from tests.actuators.support import Step, decision, sample, state
from tests.helpers import eventually

LIMIT = 4000.0
CLEAR = lines_for(MEMORY, LIMIT).stay[1]
TICK = 0.25


class Effect(Step):
    """A step that gives back `megabytes` when its time is over, until it is undone."""

    def __init__(  # noqa: PLR0917 - its whole description
        self, world: World, name: str, seconds: float, megabytes: float, cost: float,
        declared: float | None,
    ) -> None:  # fmt: skip
        super().__init__(name, cost=cost, deadline=10.0, expected=declared)
        self.duration = self.seconds = seconds
        self.megabytes = megabytes
        self.given = 0.0
        self._world = world
        self._over = threading.Event()

    def available(self) -> str | None:
        return "applied" if self.given and self.cost else None

    def apply(self, need: float) -> None:
        super().apply(need)
        self._over.clear()
        self._world.running.append((self._world.clock.monotonic() + self.seconds, self._over))
        assert self._over.wait(20.0)
        self.given = self.megabytes

    def undo(self) -> None:
        super().undo()
        self.given = 0.0


class World:
    """An application whose memory grows by itself and is given back by three steps."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.actuation = Actuation(self.clock, "degrade", ())
        self.running: list[tuple[float, threading.Event]] = []
        self.unload = Effect(self, "unload", 4.0, 800.0, 0.5, 1500.0)
        self.batch = Effect(self, "batch 8 to 4", 0.05, 205.0, 0.1, 60.0)
        self.trim = Effect(self, "trim", 0.04, 0.0, 0.0, None)
        self.steps = (self.unload, self.batch, self.trim)
        for step in self.steps:
            self.actuation.ladder.add(step)
        self.grown = 0.0
        self.slope = 0.0
        self.highest = 0.0

    @property
    def used(self) -> float:
        return self.grown - sum(step.given for step in self.steps)

    @property
    def learned(self) -> dict[str, float]:
        return self.actuation.runner.learned

    def tick(self, level: Level) -> tuple[ActionReport, ...]:
        """A quarter of a second; what began in it has begun, what is over by then has ended."""
        now = self.clock.advance(TICK)
        self.grown += self.slope * TICK
        for due, over in tuple(self.running):
            if due <= now:
                self.running.remove((due, over))
                over.set()
        eventually(lambda: self._calls() == len(self.running), "what was due has come back")
        self.highest = max(self.highest, self.used)
        reports = self.actuation.carry_out(
            sample(now, memory_used_mb=self.used),
            (state(self.used, level, limit=LIMIT, slope=self.slope),), decision(),
        )  # fmt: skip
        eventually(lambda: self._calls() == len(self.running), "what was called has begun")
        return reports

    def _calls(self) -> int:
        threads = self.actuation.runner.threads
        return sum(threads.busy(step.name) for step in self.steps)

    def episode(self, need: float, slope: float = 0.0, growing: float = math.inf) -> set[str]:
        """Be so far above the clear line until that is given back; what was used for it.

        It goes on growing by `slope` for so many seconds.
        """
        for step in self.steps:
            step.calls.clear()
        self.grown, self.slope, self.highest = CLEAR + need, slope, 0.0
        ticks = 0
        while self.used > CLEAR and ticks < 100:
            self.tick(Level.CRITICAL)
            ticks += 1
            if ticks * TICK >= growing:
                self.slope = 0.0
        assert self.used <= CLEAR, f"{need} MB were needed"
        self.slope = 0.0
        while self.actuation.runner.busy:
            self.tick(Level.ELEVATED)
        used = {step.name for step in self.steps if step.calls}
        self.grown = 100.0
        while any(step.given for step in self.steps[:2]) or self.actuation.runner.busy:
            self.tick(Level.NORMAL)
        self.trim.given = 0.0
        return used


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    for _, over in made.running:
        over.set()
    made.actuation.release()


def test_it_learns_what_steps_are_worth_and_takes_the_cheapest_that_suffices(world: World) -> None:
    chance = random.Random(5)
    needs = [120.0, 700.0, *(chance.choice([100.0, 150.0, 600.0]) for _ in range(30))]
    chosen = []
    for need in needs:
        world.trim.megabytes = chance.choice([0.0, 40.0, 300.0])
        chosen.append((need, world.episode(need) - {"trim"}))
    assert world.learned["unload"] == pytest.approx(800.0, rel=0.1)
    assert world.learned["batch 8 to 4"] == pytest.approx(205.0, rel=0.1)
    assert 0.0 <= world.learned["trim"] <= 300.0
    for need, used in chosen[10:]:
        assert "unload" not in used if need < 205.0 else "unload" in used, (need, used)
    halved = [used for need, used in chosen[10:] if need < 205.0]
    assert sum("batch 8 to 4" in used for used in halved) >= 0.8 * len(halved)


def test_what_would_come_too_late_is_not_waited_for(world: World) -> None:
    for need in (120.0, 700.0):  # both are known now
        world.episode(need)
    near = LIMIT - CLEAR - 150.0
    world.trim.megabytes = 100.0
    world.episode(near, slope=75.0, growing=3.0)  # the limit is two seconds away
    assert world.batch.calls
    assert world.unload.calls, "the rest is needed too, and was begun with it"
    assert world.highest < LIMIT


def test_a_growth_that_ends_in_time_is_met_by_what_loses_less(world: World) -> None:
    for need in (120.0, 700.0):
        world.episode(need)
    assert world.episode(150.0, slope=1.0) - {"trim"} == {"batch 8 to 4"}
    assert world.highest < LIMIT
