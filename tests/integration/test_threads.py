"""Many threads, many starts and stops: nothing is lost, nothing leaks."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import TypeVar

from amptalk import ResourceManager, create_resource_manager, load_metrics
from tests.helpers import DEADLINE, eventually
from tests.integration.support import events_of, own_process, ticks

T = TypeVar("T")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def threads_of_ours() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("amptalk")]


@own_process
def test_fifty_starts_and_stops_leak_neither_threads_nor_descriptors() -> None:
    with tempfile.TemporaryDirectory() as folder:
        manager = create_resource_manager(
            max_memory_mb=1000, monitoring_interval=0.05, callback=lambda _: None,
            record=Path(folder) / "run.ring",
        )  # fmt: skip
        manager.knob("batch", minimum=1, maximum=8)
        with manager:
            ticks(manager, 1)
        eventually(lambda: not threads_of_ours(), "all threads end")
        before = descriptors()
        for _ in range(50):
            with manager:
                pass
        eventually(lambda: not threads_of_ours(), "all threads end")
        assert descriptors() == before
        sessions = load_metrics(Path(folder) / "run.ring").samples["session"]
        assert sessions[0] == 1
        assert sessions[-1] == 51


@own_process
def test_fifty_managers_one_after_the_other_leak_nothing_either() -> None:
    def once() -> None:
        manager = create_resource_manager(max_memory_mb=1000, callback=lambda _: None)
        manager.knob("batch", minimum=1, maximum=8)
        with manager:
            pass

    once()
    eventually(lambda: not threads_of_ours(), "all threads end")
    gc.collect()
    before = descriptors()
    for _ in range(50):
        once()
    eventually(lambda: not threads_of_ours(), "all threads end")
    gc.collect()
    assert descriptors() == before


@own_process
def test_a_service_without_a_standard_error_starts_all_the_same() -> None:
    for lost in (None, StringIO()):
        if lost is not None:
            lost.close()
        sys.modules.pop("logging", None)
        sys.stderr = lost
        manager = create_resource_manager(max_memory_mb=1000)  # of which a warning is due
        with manager:
            assert manager.running
        assert len(events_of(manager, "notice")) == 1
    sys.stderr = sys.__stderr__


@own_process
def test_eight_threads_that_start_and_stop_one_manager_leave_it_whole() -> None:
    with tempfile.TemporaryDirectory() as folder:
        manager = create_resource_manager(
            monitoring_interval=0.05, callback=lambda _: None, record=Path(folder) / "run.ring"
        )
        for _ in range(10):
            in_eight_threads(lambda _: manager.start_monitoring())
            assert manager.running
            names = threads_of_ours()
            assert names.count(f"amptalk-{manager.name}") == 1
            assert names.count("amptalk-callback") == 1
            assert names.count("amptalk-recorder") == 1
            ticks(manager, 1)
            in_eight_threads(lambda _: manager.stop_monitoring())
            assert not manager.running
            eventually(lambda: not threads_of_ours(), "all threads end")
        sessions = load_metrics(Path(folder) / "run.ring").samples["session"]
        assert sessions[-1] == 10


@own_process
def test_one_manager_is_used_by_eight_threads_while_it_ticks() -> None:
    with tempfile.TemporaryDirectory() as folder:
        manager = create_resource_manager(
            max_memory_mb=2000, max_cpu_percent=90, monitoring_interval=0.05, strategy="adaptive"
        )
        use = uses(manager, Path(folder))
        with manager:
            ends = time.monotonic() + 2.0
            done = in_eight_threads(lambda number: until(ends, use[number]))
            rows = len(manager.history)
        assert events_of(manager, "fault") == []
        assert events_of(manager, "strategy_error") == []
        assert rows > 10
        for suffix in ("json", "csv"):
            assert len(load_metrics(Path(folder) / f"saved.{suffix}")) > 0
    counts = manager.effectiveness()["admission"]
    assert counts["refused"] == 0
    assert counts["admitted"] == done[2] + done[3]


def uses(manager: ResourceManager, folder: Path) -> list[Callable[[], object]]:
    """What an application does with a manager, one use for each of eight threads."""

    def look() -> None:
        metrics = manager.get_current_metrics()
        assert metrics.memory_used_mb > 1
        assert manager.limit_states[0].resource.name == "memory"

    def work() -> None:
        with manager.admit("job", memory_mb=1, timeout=DEADLINE):
            manager.announce(memory_mb=1, duration=0.1)

    def component() -> None:
        part = manager.component("asr", memory_mb=(10, 100))
        part.demand(memory_mb=50)
        assert manager.shares()
        part.release()

    def history() -> None:
        window = manager.history.window("memory_used_mb", 60)
        assert window.minimum <= window.mean <= window.maximum
        manager.history.percentile("cpu_percent", 95, 60)
        assert manager.history.events is not None

    return [
        look,
        lambda: manager.knob("batch", minimum=1, maximum=8).value,
        work,
        work,
        lambda: manager.save_metrics(folder / "saved.json"),
        lambda: manager.save_metrics(folder / "saved.csv"),
        component,
        history,
    ]


def until(ends: float, use: Callable[[], object]) -> int:
    times, pause = 0, threading.Event()
    while time.monotonic() < ends:
        use()
        times += 1
        pause.wait(0.001)  # others are to have the interpreter too
    return times


def in_eight_threads(work: Callable[[int], T]) -> list[T]:
    """Run `work(number)` in eight threads that begin together; raises what any of them raised."""
    begin = threading.Barrier(8)

    def run(number: int) -> T:
        begin.wait(DEADLINE)
        return work(number)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(run, range(8)))
