"""Independent readers on the same machine say the same: psutil, free, vmstat, nproc, ps.

Ours is read between two readings of theirs and must lie between those, so that a machine that
changes meanwhile disagrees with nobody. What is allowed beyond is said with each comparison.
It runs on any Linux; a tool that is not there is a reason to skip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from amptalk.sensors.suite import SensorSuite
from tests.helpers import eventually

MB = 2**20
PAGES_MB = 4.0
"""The kernel folds counters of pages from each CPU now and then: up to 64 pages a CPU are late."""
TRIES = 20

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def said_by(*command: str) -> str:
    """What a tool prints, in English and without the settings of this environment."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed (Debian: procps, coreutils)")
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=30, env=environment
    ).stdout


def agree(theirs: Callable[[], float], ours: Callable[[], float], beyond: float) -> None:
    """Ours lies between two readings of theirs, give or take `beyond`, in one of a few tries."""
    seen = []
    for _ in range(TRIES):
        before, mine, after = theirs(), ours(), theirs()
        if min(before, after) - beyond <= mine <= max(before, after) + beyond:
            return
        seen.append((before, mine, after))
    raise AssertionError(f"theirs, ours, theirs: {seen}")


@pytest.fixture
def device() -> Iterator[SensorSuite]:
    suite = SensorSuite("device")
    yield suite
    suite.close()


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[str]]:
    """A process that holds 60 MiB, and that works while it is told to."""
    code = (
        "import sys\nheld = b'1' * (60 << 20)\nprint('ready', flush=True)\nsys.stdin.readline()\n"
        "while True: pass"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def free(row: str, column: str) -> float:
    head, *rows = said_by("free", "-b", "-w").splitlines()
    values = next(line for line in rows if line.startswith(row)).split()[1:]
    return int(dict(zip(head.split(), values, strict=False))[column]) / MB


@pytest.mark.parametrize("field", ["total", "available"])
def test_memory_agrees_with_psutil_and_free(device: SensorSuite, field: str) -> None:
    def ours() -> float:
        return device.read()[f"device.memory_{field}_mb"]

    beyond = 0.0 if field == "total" else PAGES_MB
    agree(lambda: getattr(psutil.virtual_memory(), field) / MB, ours, beyond)
    agree(lambda: free("Mem:", field), ours, beyond)


@pytest.mark.parametrize("field", ["total", "used"])
def test_swap_agrees_with_psutil_and_free(device: SensorSuite, field: str) -> None:
    def ours() -> float:
        return device.read()[f"device.swap_{field}_mb"]

    agree(lambda: getattr(psutil.swap_memory(), field) / MB, ours, PAGES_MB)
    agree(lambda: free("Swap:", field), ours, PAGES_MB)


def test_load_agrees_with_psutil(device: SensorSuite) -> None:
    """The kernel renews it every 5 s and ours is as old as that: one renewal is allowed."""
    agree(lambda: psutil.getloadavg()[0], lambda: device.read().device.load_1m, 0.5)


def ticks() -> tuple[int, int]:
    """Busy and all clock ticks since boot as vmstat counts them."""
    found = {}
    for line in said_by("vmstat", "-s").splitlines():
        number, _, words = line.strip().partition(" ")
        if words.endswith("cpu ticks") and "guest" not in words:
            found[words.removesuffix(" cpu ticks")] = int(number)
    idle = found["idle"] + found["IO-wait"]
    return sum(found.values()) - idle, sum(found.values())


def test_cpu_agrees_with_vmstat(device: SensorSuite, worker: subprocess.Popen[str]) -> None:
    """Over the same second, with one core kept busy.

    vmstat itself works and takes about 10 ms at each end, in which ours does not count.
    """
    assert worker.stdin is not None
    worker.stdin.write("\n")
    worker.stdin.flush()
    pause = threading.Event()
    for _ in range(TRIES):
        busy, whole = ticks()
        device.read()
        pause.wait(1.0)
        mine = device.read().cpu_percent
        busy_after, whole_after = ticks()
        theirs = 100.0 * (busy_after - busy) / (whole_after - whole)
        if abs(mine - theirs) <= 5.0:
            return
    raise AssertionError(f"ours {mine}, vmstat's {theirs}")


def test_online_cpus_agree_with_getconf_and_the_usable_ones_with_nproc(
    device: SensorSuite,
) -> None:
    assert device.read().device.cpu_count == int(said_by("getconf", "_NPROCESSORS_ONLN"))
    usable = int(said_by("nproc"))
    if "cpu.max" in device.capacity.cpu_reason or "cfs_quota" in device.capacity.cpu_reason:
        assert device.capacity.cpu_cores <= usable  # nproc knows of no quota
    else:
        assert device.capacity.cpu_cores == usable


def test_a_process_agrees_with_ps_and_psutil(worker: subprocess.Popen[str]) -> None:
    suite = SensorSuite(pid=worker.pid)
    theirs = psutil.Process(worker.pid)

    def resident() -> float:
        return int(said_by("ps", "-o", "rss=", "-p", str(worker.pid))) / 1024

    def exact() -> float:
        return suite.refine_memory().application.pss_mb

    try:
        agree(resident, lambda: suite.read().application.rss_mb, PAGES_MB)
        agree(lambda: theirs.memory_info().rss / MB, lambda: suite.read().application.rss_mb,
              PAGES_MB)  # fmt: skip
        agree(lambda: theirs.memory_full_info().pss / MB, exact, PAGES_MB)
        assert suite.read().application.anonymous_mb > 60
        assert suite.read().application.processes == 1
    finally:
        suite.close()


def test_cpu_time_of_a_process_agrees_with_psutil(worker: subprocess.Popen[str]) -> None:
    """Their counter moves in steps of 10 ms, at both ends of half a second: 0.04 cores."""
    suite = SensorSuite(pid=worker.pid)
    process = psutil.Process(worker.pid)
    assert worker.stdin is not None
    worker.stdin.write("\n")
    worker.stdin.flush()

    def spent() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    pause = threading.Event()
    try:
        eventually(lambda: spent() > 0.1, "the worker works")
        for _ in range(TRIES):
            suite.read()
            before, begun = spent(), time.monotonic()
            pause.wait(0.5)
            mine = suite.read().application.cpu_cores
            theirs = (spent() - before) / (time.monotonic() - begun)
            if abs(mine - theirs) <= 0.05:
                return
        raise AssertionError(f"ours {mine}, psutil's {theirs}")
    finally:
        suite.close()
