"""What a tick is told of coming demand: announcements and admitted work, each once."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import pytest

from amptalk.actuators.actuation import Actuation
from amptalk.actuators.jobs import watch
from amptalk.clock import VirtualClock
from amptalk.limits.limits import ResourceLimits
from amptalk.manager import ResourceManager
from amptalk.model.announcement import Announcement
from amptalk.model.decision import Decision, Observation
from amptalk.model.errors import AdmissionTimeoutError
from amptalk.model.resource import CPU, MEMORY
from amptalk.model.sample import Sample
from tests.actuators.support import decision, sample, state
from tests.helpers import eventually

LIMITS = ((MEMORY, 1000.0), (CPU, 80.0))


class World:
    """An application whose memory is a number."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.memory = 100.0
        self.actuation = Actuation(
            self.clock, "degrade", LIMITS, family_memory_mb=lambda: self.memory, cores=lambda: 4.0
        )
        self.admit = self.actuation.admission.admit
        self.announce = self.actuation.announcements.announce

    def sample(self) -> Sample:
        return sample(self.clock.monotonic(), memory_used_mb=self.memory, cpu_percent=10.0)

    def told(self, resource: str = "memory") -> list[Announcement]:
        found = self.actuation.announced(self.sample())
        limits = (state(self.memory), state(10.0, resource=CPU, limit=80.0))
        self.actuation.carry_out(self.sample(), limits, decision())
        return [one for one in found if one.resource == resource]

    def amounts(self, resource: str = "memory") -> list[float]:
        return [round(one.amount, 3) for one in self.told(resource)]

    def ran(self, job: str, peak: float, seconds: float, times: int = 6) -> None:
        """Let a job be known: it takes `peak` on top, for `seconds`."""
        for _ in range(times):
            before = self.memory
            with self.admit(job):
                self.clock.advance(seconds)
                self.memory = before + peak
                self.told()
                self.memory = before
            self.told()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.actuation.release()


def test_with_nothing_announced_and_nothing_running_it_is_the_same_empty_tuple(
    world: World,
) -> None:
    first = world.actuation.announced(world.sample())
    assert first == ()
    assert world.actuation.announced(world.sample()) is first


def test_declared_work_is_known_until_it_is_measured(world: World) -> None:
    with world.admit("transcribe", memory_mb=300):
        assert world.told() == [Announcement("memory", 300.0, 0.0, math.inf)]
        world.memory += 120.0
        assert world.amounts() == [180.0]
        world.memory += 180.0
        assert world.amounts() == []
        world.memory -= 200.0
        assert world.amounts() == [], "it had its peak: it is not expected to take it again"
    assert world.amounts() == []


def test_work_without_a_name_is_known_by_its_amounts(world: World) -> None:
    with world.admit(memory_mb=300):
        assert world.amounts() == [300.0]
        world.memory += 300.0
        assert world.amounts() == []


def test_a_named_job_is_known_by_what_it_took_for_the_rest_of_its_usual_time(world: World) -> None:
    world.ran("vision", 200.0, 8.0)
    with world.admit("vision"):
        world.clock.advance(2.0)
        (told,) = world.told()
        assert told.amount == pytest.approx(200.0, rel=0.02)
        assert told.starts_in == 0.0
        assert told.duration == pytest.approx(6.0, rel=0.05)
        world.memory += 150.0
        assert world.amounts()[0] == pytest.approx(50.0, abs=3.0)


def test_a_job_that_was_learned_is_known_by_that_and_not_by_what_it_declares(world: World) -> None:
    world.ran("vision", 200.0, 8.0)
    with world.admit("vision", memory_mb=500):
        assert world.amounts()[0] == pytest.approx(200.0, rel=0.02)


def test_one_that_lasts_longer_than_ever_may_last_as_long_again(world: World) -> None:
    world.ran("vision", 200.0, 8.0)
    with world.admit("vision"):
        world.clock.advance(12.0)
        (told,) = world.told()
        assert told.duration == 12.0


def test_two_that_overlap_are_told_each_with_what_is_left_of_its_own(world: World) -> None:
    world.ran("small", 100.0, 4.0)
    world.ran("large", 400.0, 4.0)
    jobs = [world.admit(name) for name in ("small", "large")]
    entered = threading.Event()
    leave = threading.Event()

    def work() -> None:
        with jobs[1]:
            entered.set()
            leave.wait(20)

    other = threading.Thread(target=work)
    with jobs[0]:
        other.start()
        assert entered.wait(20)
        assert sum(world.amounts()) == pytest.approx(500.0, rel=0.02)
        world.memory += 300.0
        assert sum(world.amounts()) == pytest.approx(200.0, abs=10.0)
        world.memory += 200.0
        assert sum(world.amounts()) == pytest.approx(0.0, abs=15.0)
        leave.set()
        other.join()


def test_admitted_work_takes_its_announcement_with_it(world: World) -> None:
    world.announce(memory_mb=300, starts_in=5)
    assert world.amounts() == [300.0]
    with world.admit("transcribe", memory_mb=300):
        assert world.amounts() == [300.0], "once, not twice"
        world.memory += 300.0
        assert world.amounts() == []


def test_work_that_waits_is_told_once_with_when_it_can_begin(world: World) -> None:
    world.ran("vision", 600.0, 10.0)
    world.announce(memory_mb=700)
    waiting = threading.Event()

    def wait() -> None:
        request = world.admit("speech", memory_mb=700, timeout=30)
        waiting.set()
        try:
            with request:
                pass
        except AdmissionTimeoutError:
            pass

    speech = threading.Thread(target=wait)
    with world.admit("vision"):
        world.memory += 600.0
        world.clock.advance(4.0)
        speech.start()
        assert waiting.wait(20)
        eventually(lambda: len(world.actuation.admission.demand()[1]) == 1, "it waits")
        (told,) = world.told()
        assert told.amount == pytest.approx(100.0, abs=5.0), "600 of its 700 are given back first"
        assert told.starts_in == pytest.approx(6.0, rel=0.05)
        world.memory -= 600.0
    speech.join()


def test_cpu_is_known_until_a_tick_shows_a_whole_interval_of_it(world: World) -> None:
    world.told()
    world.clock.advance(1.0)
    world.told()
    world.clock.advance(0.25)
    with world.admit("batch", cpu_percent=40):
        world.clock.advance(0.75)
        assert world.amounts("cpu") == [10.0], "the last second shows three quarters of it"
        world.clock.advance(1.0)
        assert world.amounts("cpu") == []


def test_cpu_of_a_named_job_is_known_by_what_it_used_on_average(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = [0.0]
    monkeypatch.setattr(watch, "cpu_seconds", lambda: used[0])
    for _ in range(6):
        with world.admit("batch"):
            world.clock.advance(5.0)
            used[0] += 10.0
    world.told()
    with world.admit("batch"):
        (told,) = world.told("cpu")
        assert told.amount == pytest.approx(50.0, rel=0.02), "two of four cores"


def test_a_strategy_of_a_real_manager_sees_admitted_work_before_it_takes_anything() -> None:
    seen: list[tuple[Announcement, ...]] = []

    class Looking:
        name = "looking"

        def decide(self, observation: Observation) -> Decision:
            seen.append(observation.announcements)
            return Decision(self.name, ())

    manager = ResourceManager(ResourceLimits(max_memory_mb=100_000), strategy=Looking())
    manager.tick()
    with manager.admit("transcribe", memory_mb=300):
        manager.tick()
    manager.tick()
    assert [len(one) for one in seen] == [0, 1, 0]
    assert seen[1][0].amount == pytest.approx(300.0, abs=30.0)
