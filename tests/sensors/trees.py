"""Made-up `/proc` and `/sys` trees, a suite on them, and waiting by deadline."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from amptalk.clock import VirtualClock
from amptalk.model.sample import FIELDS, Sample
from amptalk.sensors import files, processes
from amptalk.sensors.roots import Roots
from amptalk.sensors.suite import SensorSuite

PID = 4242
PAGE = os.sysconf("SC_PAGE_SIZE")

STAT = """cpu  200 0 100 1600 100 0 0 0 50 0
cpu0 100 0 50 800 50 0 0 0 25 0
cpu1 100 0 50 800 50 0 0 0 25 0
intr 12345 1 2 3
ctxt 99
"""
MEMINFO = """MemTotal:        8000000 kB
MemFree:         1000000 kB
MemAvailable:    6000000 kB
Buffers:          100000 kB
Cached:          2000000 kB
SwapCached:            0 kB
SwapTotal:       2000000 kB
SwapFree:        1500000 kB
Shmem:            300000 kB
SReclaimable:     200000 kB
HugePages_Total:       0
"""
VMSTAT = """nr_free_pages 12345
workingset_refault_anon 10
workingset_refault_file 20
nr_dirty 3
pswpin 5
pswpout 7
pgalloc_dma 0
pgmajfault 100
"""
SWAPS_HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
SWAPS = SWAPS_HEAD + "/dev/mmcblk0p3                          partition\t2000000\t\t500000\t\t-2\n"
ROLLUP = """00400000-7fff0000 ---p 00000000 00:00 0                          [rollup]
Rss:              102400 kB
Pss:              100000 kB
Pss_Anon:          60000 kB
Pss_File:          30000 kB
Pss_Shmem:         10000 kB
Anonymous:         71680 kB
Swap:               2000 kB
SwapPss:            1000 kB
"""


def psi(some: int, full: int | None = 0) -> str:
    text = f"some avg10=0.00 avg60=0.00 avg300=0.00 total={some}\n"
    return text if full is None else text + f"full avg10=0.00 avg60=0.00 avg300=0.00 total={full}\n"


def stat_line(
    pid: int, parent: int = 1, *, utime: int = 0, cutime: int = 0, start: int = 1000
) -> str:
    return (
        f"{pid} (a ) strange (name) S {parent} 1 1 0 -1 0 0 0 0 0"
        f" {utime} 0 {cutime} 0 20 0 1 0 {start} 0 0\n"
    )


class Tree:
    """A folder with `proc` and `sys` in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.roots = Roots(str(root / "proc"), str(root / "sys"), str(root / "dev"))
        self.clock = VirtualClock()

    def put(self, path: str, text: str) -> None:
        """Write a file, in place, so that kept descriptors see it."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def remove(self, path: str) -> None:
        (self.root / path).unlink()

    def process(
        self,
        pid: int,
        parent: int = 1,
        *,
        resident_mb: float = 100,
        shared_mb: float = 30,
        children: tuple[int, ...] = (),
        utime: int = 0,
        cutime: int = 0,
        start: int = 1000,
        rollup: str | None = ROLLUP,
    ) -> None:
        pages = [int(mb * 2**20 / PAGE) for mb in (resident_mb * 2, resident_mb, shared_mb)]
        self.put(f"proc/{pid}/statm", " ".join(map(str, pages)) + " 1 0 1 0\n")
        line = stat_line(pid, parent, utime=utime, cutime=cutime, start=start)
        self.put(f"proc/{pid}/stat", line)
        listed = "".join(f"{child} " for child in children)
        self.put(f"proc/{pid}/task/{pid}/children", listed)
        if rollup is not None:
            self.put(f"proc/{pid}/smaps_rollup", rollup)

    def cgroups(self, membership: str, mountinfo: str) -> None:
        self.put(f"proc/{PID}/cgroup", membership)
        self.put("proc/self/mountinfo", mountinfo)

    def suite(self, scope: str = "application") -> SensorSuite:
        return SensorSuite(scope, self.clock, self.roots, pid=PID)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A small healthy machine, outside of control groups, with one process."""
    # Time is virtual here, but the cost of renewing the membership is real: do not wait for it.
    monkeypatch.setattr(processes, "_HURRY", 0.0)
    made = Tree(tmp_path)
    made.put("proc/stat", STAT)
    made.put("proc/meminfo", MEMINFO)
    made.put("proc/swaps", SWAPS)
    made.put("proc/vmstat", VMSTAT)
    made.put("proc/pressure/cpu", psi(1000))
    made.put("proc/pressure/memory", psi(2000, 500))
    made.put("proc/pressure/io", psi(3000))
    made.process(PID)
    made.cgroups("0::/\n", "30 20 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    made.put("sys/fs/cgroup/cpu.stat", "usage_usec 1\n")
    return made


@contextmanager
def opened(suite: SensorSuite) -> Iterator[SensorSuite]:
    try:
        yield suite
    finally:
        suite.close()


def check_reasons(sample: Sample) -> None:
    """Every nan has a reason and every reason belongs to a nan."""
    missing = {field.name for field, value in zip(FIELDS, sample.row, strict=True)
               if math.isnan(value)}  # fmt: skip
    assert missing == set(sample.missing)
    assert all(sample.missing.values())
    assert not set(sample.provenance) & missing


def failing(monkeypatch: pytest.MonkeyPatch, path: str, number: int) -> None:
    """Make reading `path` fail with an errno, through a kept descriptor or a fresh one."""
    real, real_read = os.pread, os.read

    def refuse(fd: int) -> None:
        if fd >= 0 and os.readlink(f"/proc/self/fd/{fd}") == path:
            raise OSError(number, os.strerror(number))

    def pread(fd: int, size: int, offset: int) -> bytes:
        refuse(fd)
        return real(fd, size, offset)

    def read(fd: int, size: int) -> bytes:
        refuse(fd)
        return real_read(fd, size)

    monkeypatch.setattr(files, "_pread", pread)
    monkeypatch.setattr(os, "read", read)


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Poll until a condition holds; fail after a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the deadline has passed"
        time.sleep(0.002)
