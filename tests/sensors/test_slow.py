"""Slow sensors: paced by the tick, read elsewhere, never waited for."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.clock import SystemClock, VirtualClock
from amptalk.sensors.files import SensorFault
from amptalk.sensors.slow import DEADLINE, LONGEST_PAUSE, THREADS_LEFT, SlowReader
from amptalk.sensors.suite import SensorSuite
from tests.helpers import eventually, output_of
from tests.sensors.trees import PID, Tree, check_reasons, opened

NONBLOCK = os.O_NONBLOCK


class Probe:
    """A sensor that answers 7, fails, or hangs in an open FIFO that nobody writes to."""

    name = "the probe"
    every = 5.0

    def __init__(self, fifo: Path | None = None, fault: str = "") -> None:
        self.fifo = fifo
        self.fault = fault
        self.value = math.nan
        self.at = math.nan
        self.reason = ""
        self.reads = self.released = 0
        self.thread: threading.Thread | None = None

    def prepare(self) -> None:
        pass

    def read(self) -> float:
        self.reads += 1
        self.thread = threading.current_thread()
        if self.fifo is not None:
            with self.fifo.open("rb") as file:
                return float(file.read())
        if self.fault:
            raise SensorFault(self.fault)
        return 7.0

    def take(self, value: float, at: float) -> None:
        self.value, self.at, self.reason = value, at, ""

    def lose(self, fault: SensorFault) -> None:
        self.value, self.reason = math.nan, fault.reason

    def release(self) -> None:
        self.released += 1


def answered(reader: SlowReader, now: float, probe: Probe, value: float) -> bool:
    """Whether `probe` has this value after one more tick."""
    reader.run_due(now)
    return probe.value == value


def slow_threads() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name == "amptalk-slow"}


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Path]:
    """A FIFO; whoever still hangs in it at the end is let go."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    yield path
    eventually(lambda: not slow_threads(), "threads that hung have ended")


def let_go(path: Path, text: bytes = b"9") -> bool:
    """Answer a reader that hangs in the FIFO; False when there is none (yet)."""
    try:
        fd = os.open(path, os.O_WRONLY | NONBLOCK)
    except OSError:
        return False
    os.write(fd, text)
    os.close(fd)
    return True


def test_without_threads_a_due_sensor_is_read_at_once_and_then_at_its_cadence() -> None:
    clock = VirtualClock()
    reader, probe = SlowReader(clock, threads=False), Probe()
    assert reader.at == math.inf
    reader.add(probe)
    for second in range(11):
        if clock.monotonic() >= reader.at:
            reader.run_due(clock.monotonic())
        assert probe.reads == 1 + second // 5
        clock.advance(1)
    assert (probe.value, probe.at) == (7.0, 1010.0)
    assert not slow_threads()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=14))
def test_each_failure_doubles_the_pause_and_an_answer_ends_it(answers: list[bool]) -> None:
    clock = VirtualClock()
    reader, probe = SlowReader(clock, threads=False), Probe()
    reader.add(probe)
    failures = 0
    for answer in answers:
        probe.fault = "" if answer else "no bus"
        reader.run_due(clock.monotonic())
        failures = 0 if answer else failures + 1
        pause = min(5.0 * 2**failures, LONGEST_PAUSE)
        assert reader.at - clock.monotonic() == pytest.approx(pause, abs=0.5)
        assert probe.reason == probe.fault
        clock.advance(reader.at - clock.monotonic())


def test_an_error_that_nobody_foresaw_is_a_reason() -> None:
    reader, probe = SlowReader(VirtualClock(), threads=False), Probe(Path("/nonexistent/sensor"))
    reader.add(probe)
    reader.run_due(1000.0)
    assert "the probe cannot be read: FileNotFoundError" in probe.reason


def test_a_thread_reads_and_the_tick_takes_up_what_it_found() -> None:
    clock = VirtualClock()
    reader, probe = SlowReader(clock, threads=True), Probe()
    assert not slow_threads()
    reader.add(probe)
    reader.run_due(clock.monotonic())
    reader.settle(10.0)
    assert probe.value == 7.0
    assert probe.thread in slow_threads()
    reader.close()
    assert not slow_threads()
    assert probe.released == 1
    reader.run_due(clock.monotonic())  # closing is no end: the next tick begins again
    reader.settle(10.0)
    assert probe.reads == 2
    reader.close()


def test_a_sensor_that_hangs_is_missing_and_found_again_when_it_answers(fifo: Path) -> None:
    clock = VirtualClock()
    reader, hanging, healthy = SlowReader(clock, threads=True), Probe(fifo), Probe()
    reader.add(hanging)
    reader.add(healthy)
    reader.run_due(clock.monotonic())
    eventually(lambda: hanging.reads == 1, "the reading has begun")
    clock.advance(DEADLINE)
    reader.run_due(clock.monotonic())
    assert hanging.reason == ""
    clock.advance(1)
    reader.run_due(clock.monotonic())
    assert hanging.reason == "the probe has not answered for 3 s"
    reader.run_due(clock.monotonic())
    reader.settle(0.0)
    eventually(lambda: answered(reader, clock.monotonic(), healthy, 7), "the other read")
    clock.advance(60)
    reader.run_due(clock.monotonic())
    assert hanging.reason == "the probe has not answered for 63 s"
    assert hanging.reads == 1, "it is not asked again while it owes an answer"
    eventually(lambda: let_go(fifo), "it hangs in the FIFO")
    eventually(lambda: answered(reader, clock.monotonic(), hanging, 9), "the answer")
    assert hanging.reason == ""
    hanging.fifo = None
    reader.close()


def test_no_more_threads_are_left_hanging_than_allowed(tmp_path: Path) -> None:
    clock = VirtualClock()
    reader = SlowReader(clock, threads=True)
    fifos = [tmp_path / f"fifo{number}" for number in range(THREADS_LEFT + 1)]
    for path in fifos:
        os.mkfifo(path)
    probes = [Probe(path) for path in fifos]
    late = Probe()
    for probe in (*probes, late):
        reader.add(probe)
    try:
        for begun in range(1, THREADS_LEFT + 1):
            reader.run_due(clock.monotonic())
            eventually(lambda n=begun: sum(one.reads for one in probes) == n, "begun")  # type: ignore[misc]
            clock.advance(DEADLINE + 1)
        for _ in range(3):
            reader.run_due(clock.monotonic())
            clock.advance(DEADLINE + 1)
        assert len(slow_threads()) == THREADS_LEFT
        assert probes[-1].reads == 0
        assert late.reason == "the probe waits for other sensors, which do not answer"
    finally:
        for probe in probes:
            probe.fifo = probe.fifo if probe.reads else None
        for path in fifos[:THREADS_LEFT]:
            eventually(lambda p=path: let_go(p), "it hangs in the FIFO")  # type: ignore[misc]
    eventually(lambda: answered(reader, clock.monotonic(), late, 7), "room again")
    reader.close()
    eventually(lambda: not slow_threads(), "all threads have ended")


def test_a_hanging_gpu_costs_the_sample_nothing(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that hangs is a FIFO here: reading it never returns. Virtual time, real thread."""
    device = "sys/class/drm/card0/device"
    tree.put(f"{device}/vendor", "0x1002\n")
    os.mkfifo(tree.root / device / "gpu_busy_percent")
    monkeypatch.setattr(os, "O_NONBLOCK", 0)
    made = SensorSuite("device", tree.clock, tree.roots, pid=PID, threads=True)
    busy = tree.root / device / "gpu_busy_percent"
    with opened(made) as suite:
        costs: list[float] = []
        for second in range(60):
            tree.clock.advance(1)
            begun = time.thread_time()
            wall = time.monotonic()
            sample = suite.read()
            costs.append(time.thread_time() - begun)
            assert time.monotonic() - wall < DEADLINE, "the tick waited"
            check_reasons(sample)
            if second > 20:
                assert "has not answered for" in sample.missing["gpu_utilization"]
        eventually(lambda: let_go(busy, b"41\n"), "it hangs in the FIFO")
        eventually(lambda: suite.read().gpu_utilization == 41, "the GPU is found again")
        os.unlink(busy)
        tree.put(f"{device}/gpu_busy_percent", "42\n")
        healthy: list[float] = []
        for _ in range(60):
            tree.clock.advance(1)
            begun = time.thread_time()
            suite.read()
            healthy.append(time.thread_time() - begun)
    assert sorted(costs)[30] - sorted(healthy)[30] < 0.001
    eventually(lambda: not slow_threads(), "no thread is left")


def test_a_machine_without_slow_sensors_has_no_thread() -> None:
    assert output_of(
        "import threading, sys\n"
        "from amptalk.sensors.roots import Roots\n"
        "from amptalk.sensors.suite import SensorSuite\n"
        "suite = SensorSuite(roots=Roots(sys='/nonexistent'), threads=True)\n"
        "suite.read()\n"
        "print(threading.active_count(), 'queue' in sys.modules)"
    ).split()[0] in {"1", "2"}


def test_a_forked_child_begins_with_a_thread_of_its_own() -> None:
    assert output_of(
        "import os, sys, threading\n"
        "sys.path.insert(0, '.')\n"
        "from amptalk.clock import SystemClock\n"
        "from amptalk.sensors.slow import SlowReader\n"
        "from tests.sensors.test_slow import Probe\n"
        "reader, probe = SlowReader(SystemClock(), threads=True), Probe()\n"
        "reader.add(probe)\n"
        "reader.run_due(1e9); reader.settle(10)\n"
        "if (child := os.fork()) == 0:\n"
        "    reader.close()\n"
        "    assert probe.released == 0 and threading.active_count() == 1\n"
        "    reader.run_due(2e9); reader.settle(10)\n"
        "    os._exit(probe.reads)\n"
        "status = os.waitpid(child, 0)[1]\n"
        "reader.close()\n"
        "print(os.waitstatus_to_exitcode(status), probe.reads, probe.released)"
    ).split() == ["2", "1", "1"]


def test_real_time_on_a_real_thread() -> None:
    clock = SystemClock()
    reader, probe = SlowReader(clock, threads=True), Probe()
    probe.every = 0.01
    reader.add(probe)

    def enough() -> bool:
        if clock.monotonic() >= reader.at:
            reader.run_due(clock.monotonic())
        return probe.reads >= 5

    eventually(enough, "five readings")
    assert 0.0 <= clock.monotonic() - probe.at < 10.0
    reader.close()
