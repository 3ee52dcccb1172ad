"""Known demand as the manager tells it, heard by `predictive`: warned of, and counted once.

Admission, announcements and what jobs learned are real; the clock is virtual and memory a number.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import pytest

from amptalk.actuators.actuation import Actuation
from amptalk.clock import VirtualClock
from amptalk.limits.judge import Judge
from amptalk.model.decision import Allocation, Expectation, Observation
from amptalk.model.errors import AdmissionTimeoutError
from amptalk.model.resource import MEMORY
from amptalk.strategies.predictive import Predictive
from tests.actuators.support import sample
from tests.helpers import eventually

LIMIT = 1000.0
FEW = 20.0
"""MB that scatter of learned peaks and what is taken for granted may make."""


class World:
    """An application whose memory is a number, listened to once a second."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.memory = 500.0
        """Of the application, in MB."""
        self.others = 0.0
        """Of whatever else is under the limit."""
        self.actuation = Actuation(
            self.clock, "degrade", ((MEMORY, LIMIT),), family_memory_mb=lambda: self.memory
        )
        self.admit = self.actuation.admission.admit
        self.announce = self.actuation.announcements.announce
        self._judge = Judge(((MEMORY, LIMIT),), 1.0)
        self._strategy = Predictive()

    def tick(self) -> Expectation:
        """A second later: what is expected of the memory, as is from the second tick on."""
        expected = self.decide().expected
        assert expected is not None
        return expected

    def decide(self) -> Allocation:
        """What is decided a second later."""
        self.clock.advance(1.0)
        seen = sample(self.clock.monotonic(), memory_used_mb=self.memory + self.others)
        limits = self._judge.judge(seen, lambda _field: 0.0)
        coming = self.actuation.announced(seen)
        decision = self._strategy.decide(Observation(seen.monotonic, 1.0, limits, coming))
        self.actuation.carry_out(seen, limits, decision)
        (allocation,) = decision.allocations
        return allocation

    def rest(self, seconds: int = 30) -> Expectation:
        """Nothing changes for a while but a little noise; what is expected at the end."""
        level = self.memory
        for second in range(seconds):
            self.memory = level + second % 3
            expected = self.tick()
        self.memory = level
        return expected

    def ran(self, job: str, peak: float) -> None:
        """Let a job be known: it takes `peak` on top, for eight seconds."""
        for _ in range(6):
            before = self.memory
            with self.admit(job):
                for _ in range(4):
                    self.tick()
                self.memory = before + peak
                for _ in range(4):
                    self.tick()
                self.memory = before
            self.rest(5)
        self.rest()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.decide()
    yield made
    made.actuation.release()


def test_admitted_work_that_has_not_taken_its_peak_is_warned_of_until_it_has(
    world: World,
) -> None:
    world.rest()
    with world.admit("transcribe", memory_mb=400):
        assert world.tick().probability < 0.5
        world.others = 200.0  # what is left of the limit no longer holds the 400
        expected = world.tick()
        assert expected.value == pytest.approx(1100.0, abs=FEW)
        assert expected.probability >= 0.5
        assert expected.seconds < math.inf
    assert world.rest().probability < 0.5


def test_what_admitted_work_takes_is_expected_once_while_it_takes_it(world: World) -> None:
    world.rest()
    with world.admit("transcribe", memory_mb=300):
        for taken in (0.0, 60.0, 150.0, 240.0, 300.0, 300.0, 300.0):
            world.memory = 500.0 + taken
            expected = world.tick()
            assert expected.value == pytest.approx(800.0, abs=FEW), taken
            assert expected.probability < 0.5


def test_a_job_that_was_learned_is_expected_once_with_what_it_took(world: World) -> None:
    world.ran("vision", 300.0)
    with world.admit("vision"):
        assert world.tick().value == pytest.approx(800.0, abs=FEW)
        world.memory = 800.0
        for _ in range(4):
            expected = world.tick()
            assert expected.value == pytest.approx(800.0, abs=FEW)
            assert expected.probability < 0.5


def test_an_announcement_and_the_work_it_was_made_for_are_expected_once(world: World) -> None:
    world.rest()
    world.announce(memory_mb=300, starts_in=5, duration=60)
    for _ in range(4):
        assert world.tick().value == pytest.approx(800.0, abs=FEW)
    with world.admit("transcribe", memory_mb=300):
        for taken in (0.0, 100.0, 300.0, 300.0):
            world.memory = 500.0 + taken
            expected = world.tick()
            assert expected.value == pytest.approx(800.0, abs=FEW), taken
            assert expected.probability < 0.5


def test_an_announcement_beside_admitted_work_is_expected_on_top(world: World) -> None:
    world.rest()
    world.announce(memory_mb=300, starts_in=30, duration=60)
    with world.admit("transcribe", memory_mb=300):
        expected = world.tick()
        assert expected.value == pytest.approx(1100.0, abs=FEW)
        assert expected.probability >= 0.5
        assert expected.seconds == pytest.approx(29.0, abs=2.0)


def test_work_that_waits_is_expected_less_what_is_given_back_for_it(world: World) -> None:
    world.ran("vision", 400.0)
    asked = threading.Event()

    def wait() -> None:
        request = world.admit("speech", memory_mb=450, timeout=30)
        asked.set()
        try:
            with request:
                pass
        except AdmissionTimeoutError:
            pass

    speech = threading.Thread(target=wait)
    with world.admit("vision"):
        world.memory = 900.0
        world.tick()
        speech.start()
        assert asked.wait(20)
        eventually(lambda: len(world.actuation.admission.demand()[1]) == 1, "it waits")
        expected = world.tick()
        # 900 and 450, less the 400 that vision gives back first: never both.
        assert expected.value < 900.0 + 450.0 - 300.0
        world.memory = 500.0
    speech.join()
