"""Notices of the kernel: where they can be had they wake; where not, nothing is amiss."""

from __future__ import annotations

import errno
import os
import select
import threading
from collections.abc import Iterator

import pytest

from amptalk.actuators.kernel import wakeups
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.wakeups import TRIGGERS, Wakeups
from tests.actuators.kernel.machine import Machine
from tests.helpers import DEADLINE, eventually


class Poll:
    """A `poll` whose notices a test gives; what it waits on is real."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._real = select.poll()
        self.registered: dict[int, int] = {}

    def register(self, fd: int, events: int) -> None:
        self.registered[fd] = events
        if fd not in self._kernel.quiet:
            self._real.register(fd, select.POLLIN)

    def unregister(self, fd: int) -> None:
        del self.registered[fd]
        self._kernel.dropped.append(fd)

    def poll(self, milliseconds: float | None = None) -> list[tuple[int, int]]:
        if milliseconds is not None:  # the pause between two
            return self._real.poll(0)
        self._kernel.waiting.set()
        while not (said := self._kernel.take(self.registered) + self._real.poll(1)):
            pass
        return said


class Kernel:
    """Stands in for `os` and `select` in the one module that listens."""

    POLLIN, POLLPRI, POLLERR = select.POLLIN, select.POLLPRI, select.POLLERR
    POLLHUP, POLLNVAL = select.POLLHUP, select.POLLNVAL

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.refused: set[bytes] = set()
        self.quiet: set[int] = set()
        self.dropped: list[int] = []
        self.notices: list[tuple[int, int]] = []
        self.waiting = threading.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def open(self, path: str, flags: int) -> int:
        fd = os.open(path, flags)
        self.quiet.add(fd)
        return fd

    def close(self, fd: int) -> None:
        self.quiet.discard(fd)
        os.close(fd)

    def write(self, fd: int, data: bytes) -> int:
        if data in self.refused:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if fd in self.quiet:
            self.written.append(data)
            return len(data)
        return os.write(fd, data)

    def poll(self) -> Poll:
        return Poll(self)

    def take(self, registered: dict[int, int]) -> list[tuple[int, int]]:
        taken = [one for one in self.notices if one[0] in registered]
        self.notices = [one for one in self.notices if one not in taken]
        return taken


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(wakeups, "os", made)
    monkeypatch.setattr(wakeups, "select", made)
    return made


class World:
    def __init__(self, machine: Machine, hold: Hold, kernel: Kernel) -> None:
        self.machine, self.kernel = machine, kernel
        folder = hold.groups.enter("memory")
        if machine.version == 1:
            self._file(f"{folder}/cgroup.event_control", "")
            machine.put("proc/pressure/memory", "some avg10=0.00\n")
        else:
            self._file(f"{folder}/memory.events", "low 0\nhigh 0\nmax 0\noom 0\n")
        self.woken = 0
        self.wakeups = Wakeups(self._wake)
        self.hold = hold

    def _file(self, path: str, text: str) -> None:
        self.machine.put(os.path.relpath(path, self.machine.root), text)

    def _wake(self) -> None:
        self.woken += 1

    def begin(self) -> None:
        self.wakeups.begin(self.hold)

    def source(self, events: int) -> int:
        """The first descriptor that is polled for these events."""
        return self.sources(events)[0]

    def sources(self, events: int) -> list[int]:
        sources = self.wakeups._sources
        assert sources is not None
        return [fd for fd, wanted in sources.polled.items() if wanted == events]


@pytest.fixture
def world(machine: Machine, hold: Hold, kernel: Kernel) -> Iterator[World]:
    made = World(machine, hold, kernel)
    yield made
    thread = made.wakeups._thread
    made.wakeups.end()
    if thread is not None:
        thread.join(DEADLINE)


def test_what_can_be_had_is_listened_to(world: World, machine: Machine, kernel: Kernel) -> None:
    world.begin()
    assert [name.rpartition("/")[2] for name in world.wakeups.names] == [
        "cgroup.event_control" if machine.version == 1 else "memory.events", "pressure",
    ]  # fmt: skip
    assert TRIGGERS[0] in kernel.written
    if machine.version == 1:
        lines = [int(said.split()[2]) // 2**20 for said in kernel.written if b"some" not in said]
        assert lines == [750, 850, 930], "the lines of a limit of 1000 MB"


def test_a_notice_wakes(world: World, machine: Machine, kernel: Kernel) -> None:
    world.begin()
    if machine.version == 1:
        os.eventfd_write(world.source(select.POLLIN), 1)
    else:
        kernel.notices.append((world.source(select.POLLPRI), select.POLLPRI | select.POLLERR))
    eventually(lambda: world.woken == 1, "it was woken")


def test_pressure_wakes_until_its_source_is_gone(
    world: World, machine: Machine, kernel: Kernel
) -> None:
    world.begin()
    fd = world.sources(select.POLLPRI)[-1]
    kernel.notices.append((fd, select.POLLPRI))
    eventually(lambda: world.woken == 1, "it was woken")
    kernel.notices.append((fd, select.POLLERR))
    eventually(lambda: fd in kernel.dropped, "it is listened to no more")
    assert world.woken == 1


def test_without_the_capability_the_window_is_longer(world: World, kernel: Kernel) -> None:
    kernel.refused = {TRIGGERS[0]}
    world.begin()
    assert TRIGGERS[1] in kernel.written
    assert all(trigger.endswith(b"\0") for trigger in TRIGGERS), "the kernel eats the last byte"


def test_what_is_refused_is_left_out(world: World, machine: Machine, kernel: Kernel) -> None:
    kernel.refused = set(TRIGGERS)
    world.begin()
    assert [name for name in world.wakeups.names if name == "pressure"] == []
    assert len(world.wakeups.names) == 1


def test_where_nothing_can_be_had_no_thread_is_started(machine: Machine, hold: Hold) -> None:
    made = Wakeups(lambda: None)
    made.begin(hold._replace(limits=()))
    assert (made.names, made._thread) == ([], None)
    made.end()


def test_it_ends_and_begins_again_without_leaving_anything_open(
    world: World, kernel: Kernel
) -> None:
    open_before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        world.begin()
        assert kernel.waiting.wait(DEADLINE)
    world.wakeups.end()
    world.wakeups.end()
    eventually(lambda: len(os.listdir("/proc/self/fd")) == open_before, "all are closed")
    eventually(lambda: "amptalk-wakeups" not in names(), "the threads have ended")


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]
