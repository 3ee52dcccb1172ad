"""Managers in one process, in its forks and workers, and at its end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from amptalk import (
    AdmissionTimeoutError,
    AmptalkError,
    Level,
    ResourceManager,
    create_resource_manager,
    load_metrics,
)
from tests.helpers import DEADLINE, ROOT, eventually, run_python
from tests.integration.support import ballast, events_of, own_process, ticks, used_mb


@own_process
def test_managers_of_one_process_hold_limits_of_their_own() -> None:
    with create_resource_manager(max_memory_mb=used_mb() / 2, monitoring_interval=0.05) as first:
        ticks(first, 3)  # loads what every manager loads: growth that would count as a slope below
    used = used_mb()
    limits = {"tight": used / 2, "near": used / 0.8, "wide": used * 10}
    managers = {
        name: create_resource_manager(max_memory_mb=limit, name=name, monitoring_interval=0.05)
        for name, limit in limits.items()
    }
    knobs = {
        name: manager.knob("batch", minimum=1, maximum=8) for name, manager in managers.items()
    }
    for manager in managers.values():
        manager.start_monitoring()
    eventually(lambda: knobs["tight"].value < 8, "the tight limit moves its knob")
    eventually(lambda: managers["near"].level is Level.ELEVATED, "the near one is elevated")
    assert managers["tight"].level is Level.EMERGENCY
    assert managers["wide"].level is Level.NORMAL
    assert knobs["wide"].value == 8
    assert managers["tight"].violations
    assert not managers["wide"].violations
    managers["tight"].stop_monitoring()
    ticks(managers["wide"], 2)
    assert managers["near"].running
    assert not managers["tight"].running
    for manager in managers.values():
        manager.stop_monitoring()


def answers_of_a_child(manager: ResourceManager, knob_value: float) -> dict[str, bool]:
    """What a forked child finds when it uses its parent's manager."""
    running, threads = manager.running, threading.active_count()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with manager.admit("child", memory_mb=1e6):
            pass
    manager.announce(memory_mb=1)
    manager.stop_monitoring()
    try:
        manager.start_monitoring()
        refused = False
    except AmptalkError:
        refused = True
    own = create_resource_manager(max_memory_mb=1000)
    own.start_monitoring()
    sampled = own.get_current_metrics().memory_used_mb > 1
    own.stop_monitoring()
    return {
        "not running": not running,
        "one thread": threads == 1,
        "knob kept": manager.knob("batch", minimum=1, maximum=8).value == knob_value,
        "start refused": refused,
        "own manager": sampled,
    }


@own_process
def test_ten_forks_in_a_row_under_load_leave_the_child_inert_and_the_parent_going() -> None:
    warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, from 3.12 on
    manager = create_resource_manager(max_memory_mb=used_mb() / 0.8, monitoring_interval=0.05,
                                      callback=lambda _: None, strategy="cooperative")  # fmt: skip
    knob = manager.knob("batch", minimum=1, maximum=8)
    manager.hook("drop", lambda: None)
    manager.component("asr", memory_mb=(1, 5))
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            manager.announce(memory_mb=0.1).cancel()
            manager.knob("batch", minimum=1, maximum=8)
            manager.shares()
            with (
                suppress(AdmissionTimeoutError),  # each child doubles the memory for a moment
                manager.admit("job", memory_mb=0.1, timeout=0.05),
            ):
                manager.effectiveness()

    threads = [threading.Thread(target=load) for _ in range(3)]
    with manager:
        for thread in threads:
            thread.start()
        for _ in range(10):
            read, write = os.pipe()
            child = os.fork()
            if child == 0:
                signal.alarm(int(DEADLINE))  # a deadlock ends the child by SIGALRM
                found: object = "raised"
                try:
                    found = answers_of_a_child(manager, knob.value)
                finally:
                    os.write(write, repr(found).encode())
                    os._exit(0)
            os.close(write)
            with os.fdopen(read) as pipe:
                said = pipe.read()
            assert os.waitpid(child, 0)[1] == 0
            assert said.count("True") == 5, said
            assert manager.running
            ticks(manager, 1)
        stop.set()
        for thread in threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()
        ticks(manager, 2)
    assert events_of(manager, "fault") == []


def measure_itself(results: Any) -> None:
    """A worker's body: it holds 50 MB and has a manager of its own."""
    held = ballast(50)
    with create_resource_manager(max_memory_mb=1000, monitoring_interval=0.05) as manager:
        ticks(manager, 2)
        metrics = manager.get_current_metrics()
        results.put((os.getpid(), metrics.memory_used_mb, metrics.application.processes))
    del held


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_workers_of_multiprocessing_make_managers_of_their_own(method: str) -> None:
    result = run_python(
        "import sys; from tests.integration.test_processes import run_workers\n"
        "if __name__ == '__main__': run_workers(sys.argv[1])", method,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout == "2 workers and their parent measured\n"


def run_workers(method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    results = context.Queue()
    manager = create_resource_manager(max_memory_mb=1000, monitoring_interval=0.05)
    with manager:
        workers = [context.Process(target=measure_itself, args=(results,)) for _ in range(2)]
        for worker in workers:
            worker.start()
        found = [results.get(timeout=DEADLINE) for _ in workers]
        for worker in workers:
            worker.join(DEADLINE)
            assert worker.exitcode == 0
        ticks(manager, 2)
        assert manager.history.window("memory_used_mb", 60).maximum > 100  # of both together
    assert {pid for pid, _, _ in found} == {worker.pid for worker in workers}
    assert all(50 < used < 120 and processes == 1 for _, used, processes in found), found
    sys.stdout.write("2 workers and their parent measured\n")


EVERYTHING = """
import os, sys, threading
import amptalk
cache = bytearray(b"x") * (60 << 20)
used = amptalk.ResourceManager().get_current_metrics().memory_used_mb
ready = threading.Event()
seen = []
def callback(metrics):
    seen.append(metrics)
    if len(seen) >= 5:
        ready.set()
manager = amptalk.create_resource_manager(
    max_memory_mb=used / 0.8, monitoring_interval=0.05, strategy="cooperative",
    callback=callback, record=sys.argv[1])
manager.hook("drop", lambda: None, restore=lambda: None)
manager.knob("batch", minimum=1, maximum=8, on_change=lambda value: None)
manager.component("asr", memory_mb=(1, 50), on_shrink=lambda *told: None)
manager.start_monitoring()
ready.wait(20)
while "action" not in [event["kind"] for event in manager.history.events]:
    threading.Event().wait(0.01)
print(len(seen), flush=True)
"""


def check_recording(path: Path, at_least: int) -> None:
    document = load_metrics(path)
    assert len(document) >= at_least
    used = document.samples["memory_used_mb"]
    assert all(value is not None and value > 50 for value in used)
    kinds = {event["kind"] for event in document.events}
    assert {"session", "level", "action"} <= kinds
    [action] = [event for event in document.events if event["kind"] == "action"][:1]
    assert (action["action"], action["verdict"]) == ("drop", "no effect")
    assert document.warnings == []


@pytest.mark.parametrize(
    ("end", "code"), [("", 0), ("raise SystemExit(7)", 7), ("sys.exit('no')", 1)]
)
def test_the_interpreter_ends_quietly_with_everything_active(
    end: str, code: int, tmp_path: Path
) -> None:
    path = tmp_path / "run.ring"
    result = run_python(EVERYTHING + end, str(path))
    assert result.returncode == code
    assert result.stderr == ("no\n" if code == 1 else "")
    check_recording(path, int(result.stdout))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_a_recording_up_to_its_last_ticks(
    number: signal.Signals, tmp_path: Path
) -> None:
    path = tmp_path / "run.ring"
    process = subprocess.Popen(
        [sys.executable, "-c", EVERYTHING + "sys.stdin.read()", str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert process.stdout is not None
    count = int(process.stdout.readline())
    killed = time.time()
    process.send_signal(number)
    process.communicate(timeout=DEADLINE)
    assert process.returncode == -number
    check_recording(path, count)
    last = load_metrics(path).samples["time"][-1]
    assert last is not None
    assert killed - last < 1.0
