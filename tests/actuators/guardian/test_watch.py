"""An order carried out on real children, with a group's memory that the test makes up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from amptalk.actuators.guardian.lookout import GroupMemory
from amptalk.actuators.guardian.orders import Order, Usage, Watched
from amptalk.actuators.guardian.pressure import LAST_WORDS, LONGEST, PATIENCE, PAUSE, QUIET
from amptalk.actuators.guardian.watch import Watch
from amptalk.sensors.identity import is_stopped, start_of
from tests.helpers import eventually

MB = 2**20
CACHE = ("total_inactive_file", "total_active_file")
GROWS = "import sys\nkept = []\nfor _ in sys.stdin:\n    kept.append(bytes([1]) * 2**20 * 20)\n"
GROWS += "    print(len(kept), flush=True)\n"
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + GROWS


class Worker:
    """A child that grows by 20 MB when it is told to."""

    def __init__(self, code: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.grow()

    def grow(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    @property
    def stopped(self) -> bool:
        return is_stopped("/proc", self.process.pid)

    def watched(self, priority: int = 0, *, may_end: bool = False) -> Watched:
        start = start_of("/proc", self.process.pid)
        assert start is not None
        return Watched(self.process.pid, start, priority, may_end)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


class World:
    """A group of version 1 whose charge is written by hand; 1000 MB, capped at 1050."""

    def __init__(self, folder: Path) -> None:
        self.usage = Usage(str(folder / "usage"), str(folder / "stat"), CACHE)
        self.folder = folder
        self.now = 100.0
        self.workers: list[Worker] = []
        self.put(100)

    def put(self, mb: float, cold: float = 0.0, warm: float = 0.0) -> None:
        Path(self.usage.total).write_text(f"{int(mb * MB)}\n")
        Path(self.usage.details).write_text(
            f"total_cache 5\ntotal_inactive_file {int(cold * MB)}\n"
            f"total_active_file {int(warm * MB)}\n"
        )

    def worker(self, code: str = GROWS) -> Worker:
        self.workers.append(Worker(code))
        return self.workers[-1]

    def order(self, *watched: Watched) -> Order:
        return Order(1000 * MB, 1050 * MB, self.usage, watched)

    def step(self, watch: Watch, mb: float, seconds: float = 0.1) -> None:
        self.put(mb)
        self.now += seconds
        watch.step(self.now)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    for worker in made.workers:
        worker.close()


def towards_the_cap(world: World, watch: Watch, hog: Worker) -> None:
    """Let the group grow by 400 MB/s, the hog by half of that."""
    for mb in (800, 840, 880, 920):
        hog.grow()
        world.step(watch, mb)
        if any(child.stopped for child in watch._children):
            return


def test_file_cache_does_not_count(world: World) -> None:
    world.put(900, cold=300, warm=200)
    memory = GroupMemory(world.usage)
    assert memory.read() == 400 * MB
    Path(world.usage.details).write_text("nothing known\n")
    assert memory.read() == 900 * MB
    memory.close()


def test_the_child_that_grows_is_stopped_and_let_go_on(world: World) -> None:
    hog, calm = world.worker(), world.worker()
    watch = Watch("/proc", world.order(hog.watched(-1), calm.watched(-1)))
    towards_the_cap(world, watch, hog)
    eventually(lambda: hog.stopped, "it is stopped")
    assert not calm.stopped
    world.step(watch, 920, PAUSE + 0.01)
    eventually(lambda: not hog.stopped, "it goes on")
    assert watch.over(world.now) is None
    for _ in range(5):
        world.step(watch, 920, QUIET / 4)
    told = watch.over(world.now)
    assert told is not None
    assert f"process {hog.process.pid} (python" in told.text
    assert "stopped 1 times" in told.text
    assert watch.over(world.now) is None
    watch.close()


def test_who_does_not_cause_it_is_not_stopped(world: World) -> None:
    calm = world.worker()
    watch = Watch("/proc", world.order(calm.watched(-1)))
    for mb in (800, 840, 880, 920, 960, 1000, 1040):
        world.step(watch, mb)
        assert not calm.stopped
    assert watch.over(world.now) is None
    watch.close()


def test_a_child_that_may_end_is_asked_when_all_is_full(world: World) -> None:
    hog, spared = world.worker(), world.worker()
    watch = Watch("/proc", world.order(hog.watched(may_end=True), spared.watched(5, may_end=True)))
    towards_the_cap(world, watch, hog)
    world.step(watch, 1020)
    for _ in range(3):
        world.step(watch, 1020, PATIENCE / 2)
    assert hog.process.wait() == -signal.SIGTERM
    assert spared.process.poll() is None
    world.step(watch, 100)
    world.step(watch, 100, QUIET + 1)
    told = watch.over(world.now)
    assert told is not None
    assert told.text.endswith("asked to end, ended")
    assert told.helped
    watch.close()


def test_one_that_does_not_listen_is_killed(world: World) -> None:
    hog = world.worker(DEAF)
    watch = Watch("/proc", world.order(hog.watched(may_end=True)))
    towards_the_cap(world, watch, hog)
    for _ in range(4):
        world.step(watch, 1020, PATIENCE / 2)
    world.step(watch, 1020, LAST_WORDS + 0.1)
    assert hog.process.wait() == -signal.SIGKILL
    watch.close()


def test_another_list_of_children_does_not_let_go_on_what_is_stopped(world: World) -> None:
    hog, other = world.worker(), world.worker()
    watch = Watch("/proc", world.order(hog.watched(-1)))
    towards_the_cap(world, watch, hog)
    eventually(lambda: hog.stopped, "it is stopped")
    assert watch.follow(world.order(hog.watched(-1), other.watched(-1)))
    assert hog.stopped
    assert not watch.follow(world.order()._replace(cap=5))
    assert watch.follow(world.order(other.watched(-1)))
    eventually(lambda: not hog.stopped, "it goes on: it is watched no more")
    watch.close()


def test_nothing_stays_stopped_when_the_watch_ends_or_its_group_is_gone(world: World) -> None:
    hog = world.worker()
    watch = Watch("/proc", world.order(hog.watched(-1)))
    towards_the_cap(world, watch, hog)
    eventually(lambda: hog.stopped, "it is stopped")
    watch.close()
    eventually(lambda: not hog.stopped, "it goes on")


def test_one_that_may_only_be_paused_goes_on_at_last(world: World) -> None:
    hog = world.worker()
    watch = Watch("/proc", world.order(hog.watched(-1)))
    towards_the_cap(world, watch, hog)
    world.step(watch, 1020)
    world.step(watch, 1020, LONGEST / 2)
    assert hog.stopped
    world.step(watch, 1020, LONGEST)
    eventually(lambda: not hog.stopped, "it goes on")
    watch.close()


def test_a_process_that_took_the_pid_of_an_ended_child_is_not_touched(world: World) -> None:
    calm = world.worker()
    watch = Watch("/proc", world.order(calm.watched()._replace(start=1, may_end=True)))
    for _ in range(5):
        world.step(watch, 1040, PATIENCE)
    assert calm.process.poll() is None
    assert os.path.exists(f"/proc/{calm.process.pid}")
    watch.close()
