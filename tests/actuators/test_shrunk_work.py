"""Work that had to be smaller than it wanted calls for steps that lose less than that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from amptalk.actuators.actuation import Actuation
from amptalk.clock import VirtualClock
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.level import Level
from amptalk.model.resource import MEMORY
from tests.actuators.support import decision, sample, state
from tests.helpers import eventually

LIMIT = 1000.0
EACH = 50.0
"""MB that one of a batch takes."""


class Server:
    """A virtual service: batches take memory while they run, the rest is resident."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.resident, self.working = 200.0, 0.0
        self.actuation = Actuation(
            self.clock, "degrade", ((MEMORY, LIMIT),), family_memory_mb=lambda: self.memory
        )
        self.reports: list[ActionReport] = []
        for most in (1, 2, 4, 8, 8, 8, 8):
            self.batch(most)

    @property
    def memory(self) -> float:
        return self.resident + self.working

    def tick(self, working: float | None = None) -> None:
        """Measure and act; with `working` the work takes so much more by the time of acting."""
        now = self.clock.advance(0.1)
        level = Level.CRITICAL if self.memory > 0.85 * LIMIT else Level.NORMAL
        limits = (state(self.memory, level, limit=LIMIT),)
        seen = sample(now, memory_used_mb=self.memory)
        if working is not None:
            self.working = working
        self.actuation.announced(seen)
        self.reports += self.actuation.carry_out(seen, limits, decision(memory=1.0))

    def batch(self, most: int) -> float:
        """Serve a batch of up to `most`; returns of how many it was."""
        self.tick()
        with self.actuation.admission.admit("batch", size=(1, most)) as admitted:
            self.working = EACH * admitted.size
            self.tick()
            self.tick()
        self.working = 0.0
        self.tick()
        return admitted.size

    def batch_measured_at_its_end(self, level: Level) -> None:
        """Serve a batch that is measured, but over by the time of acting."""
        with self.actuation.admission.admit("batch", size=(1, 8)) as admitted:
            self.working = EACH * admitted.size
            self.tick()
            seen = sample(self.clock.advance(0.1), memory_used_mb=self.memory)
            measured = state(self.memory, level, limit=LIMIT)
            self.clock.advance(0.001)
            self.working = 0.0
        self.actuation.announced(seen)
        self.actuation.carry_out(seen, (measured,), decision(memory=1.0))


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.actuation.release()


def test_a_batch_is_as_large_as_there_is_room_for(server: Server) -> None:
    assert server.batch(8) == 8
    server.resident = 735.0
    assert server.batch(8) == 4
    server.resident = 940.0
    assert server.batch(8) == 1


def test_what_grows_beside_it_goes_on_to_grow_while_it_runs(server: Server) -> None:
    """Batches last 0.2 s; 100 MB a second besides, so that each may be 20 MB smaller."""
    server.resident = 500.0
    assert server.batch(8) == 8
    growing = []
    for _ in range(4):
        server.resident += 40.0
        growing.append(server.batch(8))
    steady = [server.batch(8) for _ in range(4)]
    assert growing[-1] < steady[-1]
    assert server.resident + EACH * growing[-1] + 20.0 <= LIMIT


def test_what_loses_less_than_shrinking_makes_room_and_what_loses_more_does_not(
    server: Server,
) -> None:
    called: list[str] = []
    server.actuation.ladder.hook("cache", lambda: called.append("cache"), cost=0.02)
    server.actuation.ladder.hook("model", lambda: called.append("model"), cost=1.0, expected=400.0)
    server.batch(8)
    assert called == []
    server.resident = 700.0

    def dropped() -> bool:
        server.batch(8)  # the trim, which loses nothing, is tried first
        return bool(called)

    eventually(dropped, "the cache was dropped")
    assert set(called) == {"cache"}


def test_work_that_wanted_no_more_calls_for_nothing(server: Server) -> None:
    called: list[str] = []
    server.actuation.ladder.hook("cache", lambda: called.append("cache"), cost=0.02)
    server.resident = 700.0
    server.batch(3)
    server.tick()
    assert called == []
    assert server.actuation.admission.room.shrunk("memory").share == 0.0


def test_a_batch_that_ends_while_it_is_measured_is_not_taken_for_what_is_there_to_stay(
    server: Server,
) -> None:
    server.resident = 400.0
    server.tick()
    server.batch_measured_at_its_end(Level.NORMAL)
    with server.actuation.admission.admit("batch", size=(1, 8)) as admitted:
        assert admitted.size == 8


def test_what_a_batch_takes_while_it_is_measured_is_there_when_the_next_one_asks(
    server: Server,
) -> None:
    server.resident = 735.0
    server.tick()
    with server.actuation.admission.admit("batch", size=(1, 8)) as admitted:
        server.tick(working=EACH * admitted.size)  # 735 MB were measured, 935 are read right after
        server.working = 0.0
    with server.actuation.admission.admit("batch", size=(1, 8)) as admitted:
        assert admitted.size == 4


def test_between_two_batches_there_is_no_need_for_what_is_dearer_than_small_ones(
    server: Server,
) -> None:
    called: list[str] = []
    server.actuation.ladder.hook(
        "model", lambda: called.append("model"), level=Level.CRITICAL, cost=1.0, expected=400.0
    )
    server.resident = 735.0

    def settled() -> bool:
        """Serve a batch that ends while it is measured; true once what was begun is over."""
        server.batch_measured_at_its_end(Level.CRITICAL)
        return not server.actuation.runner.busy

    for _ in range(5):  # the trim, which loses nothing, is tried first
        eventually(settled, "the steps were measured")
    assert called == []


def test_what_a_step_gives_back_is_seen_though_batches_come_and_go(server: Server) -> None:
    """The step frees 300 MB; batches take up to 400 MB, and more of it once there is room."""

    def drop() -> None:
        server.resident -= 300.0

    server.actuation.ladder.hook("cache", drop, cost=0.02)
    server.resident = 700.0

    def told() -> list[ActionReport]:
        server.batch(8)
        return [report for report in server.reports if report.action == "cache"]

    eventually(lambda: bool(told()), "the cache was dropped")
    (report,) = told()
    assert report.verdict is Verdict.WORKED
    assert report.freed == pytest.approx(300.0)


def test_a_switch_is_restored_beside_batches_once_there_is_room_for_what_it_gave_back(
    server: Server,
) -> None:
    """A model of 300 MB was given up at 990 MB; then 100 MB of something else go."""
    loaded = [True]

    def unload() -> None:
        loaded[0], server.resident = False, server.resident - 300.0

    def load() -> None:
        loaded[0], server.resident = True, server.resident + 300.0

    server.actuation.ladder.hook(
        "model", unload, restore=load, level=Level.CRITICAL, cost=1.0, expected=300.0
    )
    server.resident = 990.0

    def settled() -> bool:
        server.batch(8)
        return not server.actuation.runner.busy

    eventually(lambda: settled() and not loaded[0], "the model was unloaded")
    for _ in range(200):
        server.batch(8)
    assert not loaded[0]  # 690 MB and the least batch of 50 leave 240
    server.resident -= 100.0
    eventually(lambda: settled() and loaded[0], "the model was loaded again")
    for _ in range(200):
        server.batch(8)
    assert loaded[0]
