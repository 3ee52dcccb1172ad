"""Ramps of memory under version 2: the guardian acts before the kernel, with swap work goes on.

The processor is emulated, so rates are low. What is asserted: no kernel kill, who ends and who
lives, what is told, and that a process outside the group answers within two seconds all the time.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amptalk.actuators.guardian.orders import Order, Told, Usage, Watched
from amptalk.actuators.guardian.watch import Watch
from amptalk.actuators.kernel.memory import MemoryBrake, MemoryCap, cap_bytes, usage_files
from amptalk.sensors.identity import start_of
from tests.helpers import eventually
from tests.vm.guest.groups import Workers, growing, idle
from tests.vm.guest.test_enforcement import LIMIT_MB, MB, Unit, unit, zram

__all__ = ["unit", "zram"]

ANSWERS_WITHIN = 2.0
LONGEST = 120.0


class Neighbour:
    """A process outside the group that answers; keeps how long the slowest answer took."""

    def __init__(self, workers: Workers) -> None:
        asked, self._asking = os.pipe()
        self._hearing, answering = os.pipe()

        def answer() -> None:
            while byte := os.read(asked, 1):
                os.write(answering, byte)

        self.pid = workers.start(answer)
        self._asked_at = -1.0
        self.slowest = 0.0
        self.answers = 0

    def ask(self, now: float) -> None:
        """Take its answer if there is one, and ask again."""
        if self._asked_at < 0:
            os.write(self._asking, b"?")
            self._asked_at = now
        self.slowest = max(self.slowest, now - self._asked_at)
        if select.select([self._hearing], [], [], 0)[0]:
            os.read(self._hearing, 1)
            self._asked_at = -1.0
            self.answers += 1


@pytest.fixture
def neighbour(workers: Workers) -> Iterator[Neighbour]:
    yield Neighbour(workers)


def watch_of(unit: Unit, *pids: int) -> Watch:
    """What the guardian does, told of these children, all of which may be ended."""
    children = []
    for pid in pids:
        start = start_of("/proc", pid)
        assert start is not None
        children.append(Watched(pid, start, -1, True))
    usage = Usage(*usage_files(str(unit.own), 2))
    order = Order(int(LIMIT_MB * MB), cap_bytes(LIMIT_MB), usage, tuple(children))
    return Watch("/proc", order)


def watched(watch: Watch, neighbour: Neighbour, until: Callable[[], bool]) -> Told | None:
    """Do as the guardian does until something holds; what it told by then."""
    told, deadline = None, time.monotonic() + LONGEST
    while not (until() and told is not None):
        now = time.monotonic()
        assert now < deadline
        wait = watch.step(now)
        neighbour.ask(now)
        told = watch.over(now) or told
        time.sleep(min(wait, 0.05))
    return told


@pytest.mark.parametrize("swap", [False, True], ids=["without swap", "zram"])
def test_a_hog_is_ended_before_the_kernel_kills_and_the_neighbours_live(
    swap: bool, unit: Unit, neighbour: Neighbour, request: pytest.FixtureRequest
) -> None:
    if swap:
        request.getfixturevalue("zram")
    MemoryCap().hold(unit.hold)
    innocent = unit.start(idle)
    hog = unit.start(growing(400, 0.05))
    watch = watch_of(unit, hog, innocent)
    try:
        told = watched(watch, neighbour, lambda: unit.workers.ended(hog))
    finally:
        watch.close()
    assert told is not None
    assert told.text.startswith(f"process {hog} (")
    assert told.helped
    assert unit.number("memory.events", "oom_kill") == 0
    assert not unit.workers.ended(innocent)
    assert not unit.workers.ended(unit.pid)
    assert neighbour.answers
    assert neighbour.slowest <= ANSWERS_WITHIN
    unit.undone()


def test_with_swap_work_goes_on_beyond_the_cap_and_the_machine_answers(
    unit: Unit, neighbour: Neighbour, zram: None
) -> None:
    MemoryCap().hold(unit.hold)
    reading, writing = os.pipe()

    def work() -> None:
        kept = [b"\1" * MB for _ in range(160)]
        os.write(writing, b"!")
        signal.pause()
        del kept

    hog = unit.start(work)
    deadline = time.monotonic() + LONGEST
    while not select.select([reading], [], [], 0)[0]:
        now = time.monotonic()
        assert now < deadline
        assert not unit.workers.ended(hog), "it is not killed: there is swap"
        neighbour.ask(now)
        time.sleep(0.02)
    assert unit.number("memory.current") <= cap_bytes(LIMIT_MB)
    assert unit.number("memory.swap.current") >= 30 * MB
    assert unit.number("memory.events", "oom_kill") == 0
    assert neighbour.answers
    assert neighbour.slowest <= ANSWERS_WITHIN
    unit.undone()


def test_a_brake_does_not_bring_the_machine_to_a_standstill(
    unit: Unit, neighbour: Neighbour, zram: None
) -> None:
    step = MemoryBrake()
    step.begin(unit.hold)
    unit.hold.groups.enter("memory")
    hog = unit.start(growing(90, 0.02))
    eventually(lambda: unit.number("memory.current") > 60 * MB, "it has grown")
    step.apply(20.0)
    until = time.monotonic() + 5.0
    while time.monotonic() < until:
        neighbour.ask(time.monotonic())
        time.sleep(0.02)
    assert neighbour.slowest <= ANSWERS_WITHIN
    assert not unit.workers.ended(hog)
    step.undo()
    assert Path(unit.own, "memory.high").read_text().strip() == "max"
    unit.undone()
