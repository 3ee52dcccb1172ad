"""Several processes that take and give back at the same time, and how long each waited."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.dividing.ways import Way


class Crowd(NamedTuple):
    """What came of a number of processes."""

    p50: float
    """Microseconds of an acquire."""
    p99: float
    worst: float
    jain: float
    """Jain's index of fairness over how often each got its turn: 1 is even, 1/n one for all."""
    per_second: float
    """Acquires of all of them together."""


def crowd(
    open_way: Callable[[Path, int], Way], folder: Path, workers: int, think: float, seconds: float
) -> Crowd:
    """Run so many processes, each with `think` seconds between its turns."""
    begin = time.monotonic() + 0.5 + 0.1 * workers
    pids = [_fork(open_way, folder, number, (begin, seconds, think)) for number in range(workers)]
    for pid in pids:
        _, status = os.waitpid(pid, 0)
        if status:
            raise RuntimeError(f"a worker ended with status {status}")
    found = [json.loads((folder / f"worker-{number}").read_text()) for number in range(workers)]
    return summary(found, seconds)


def summary(waits: Sequence[Sequence[float]], seconds: float) -> Crowd:
    """Figures of the waits of each worker, in seconds."""
    ordered = sorted(wait for each in waits for wait in each)
    counts = [len(each) for each in waits]
    jain = sum(counts) ** 2 / (len(counts) * sum(count**2 for count in counts))
    return Crowd(
        percentile(ordered, 0.5) * 1e6, percentile(ordered, 0.99) * 1e6, ordered[-1] * 1e6, jain,
        len(ordered) / seconds,
    )  # fmt: skip


def percentile(ordered: Sequence[float], part: float) -> float:
    """Of ordered values."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _fork(
    open_way: Callable[[Path, int], Way],
    folder: Path,
    number: int,
    timing: tuple[float, float, float],
) -> int:
    pid = os.fork()
    if pid:
        return pid
    done = False
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        waits = _work(open_way(folder, number), *timing)
        (folder / f"worker-{number}").write_text(json.dumps(waits))
        done = True
    finally:  # a fork must never run on in its parent's code
        if not done:
            sys.excepthook(*sys.exc_info())
        os._exit(not done)


def _work(way: Way, begin: float, seconds: float, think: float) -> list[float]:
    clock, waits = time.perf_counter, []
    time.sleep(max(0.0, begin - time.monotonic()))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        started = clock()
        way.acquire()
        waits.append(clock() - started)
        way.release()
        if think:
            time.sleep(think)
    return waits
