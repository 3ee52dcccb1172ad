#!/usr/bin/env python3
"""What watching costs, against the kernel's own floor and against psutil, in one interleaved run.

    python benchmarks/sampling.py [--quick] [--json FILE]

Costs are processor time, not wall time; rounds are interleaved and medians
quoted, because machines are shared and noisy. Read the ratios, not the digits.

- floor: a C loop that reads, with pread on open descriptors, exactly the files
  that one of our samples reads (and, shown beside it, opens and closes them too)
- sample: `SensorSuite.read`
- tick: sample, history, five limits, strategy `dynamic`, acting, telling
- psutil: the calls that give what our sample gives, as far as psutil can

Time is stepped by one second a call, so that slow cadences (descendants every
5 s, exact memory every 60 s) fall due as they do in a run at 1 Hz: the median is a
call without such work, the mean carries its share of it.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from amptalk.clock import VirtualClock  # noqa: E402
from amptalk.create import create_resource_manager  # noqa: E402
from amptalk.history.history import History  # noqa: E402
from amptalk.model.sample import FIELDS, Sample  # noqa: E402
from amptalk.sensors.suite import SensorSuite  # noqa: E402

FIVE_LIMITS = {
    "max_memory_mb": 1000,
    "max_cpu_percent": 80,
    "max_gpu_memory_mb": 1000,
    "max_power_watts": 100,
    "max_temp_celsius": 80,
}
FLOOR_IN_C = r"""
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
static char buffer[1 << 17];
static double cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}
/* CPU microseconds for reading all files once: kept open, or opened and closed each time */
double floor_us(const char **paths, int files, int rounds, int reopen) {
    int fd[64];
    for (int i = 0; i < files; i++) fd[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
    double begun = cpu_us();
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < files; i++) {
            if (reopen) { close(fd[i]); fd[i] = open(paths[i], O_RDONLY | O_CLOEXEC); }
            if (pread(fd[i], buffer, sizeof buffer, 0) < 0) return -1;
        }
    double spent = (cpu_us() - begun) / rounds;
    for (int i = 0; i < files; i++) close(fd[i]);
    return spent;
}
"""


class Floor:
    """The C loop, compiled on the spot; `None` where there is no compiler."""

    def __init__(self, paths: tuple[str, ...], folder: str) -> None:
        source, library = Path(folder, "floor.c"), Path(folder, "floor.so")
        source.write_text(FLOOR_IN_C, encoding="utf-8")
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise RuntimeError("no C compiler: install gcc to measure the floor")
        subprocess.run(
            [compiler, "-O2", "-shared", "-fPIC", str(source), "-o", str(library)], check=True
        )
        self._call = ctypes.CDLL(str(library)).floor_us
        self._call.restype = ctypes.c_double
        self._paths = (ctypes.c_char_p * len(paths))(*[path.encode() for path in paths])

    def cost(self, rounds: int, *, reopen: bool = False) -> float:
        """CPU µs to read every file once."""
        return float(self._call(self._paths, len(self._paths), rounds, int(reopen)))


def calls(function: Callable[[], object], count: int) -> list[float]:
    """CPU µs of each of `count` calls, the timer's own cost taken off."""
    clock = time.thread_time_ns
    timer = min(-(clock() - clock()) for _ in range(50))
    costs = []
    for _ in range(count):
        begun = clock()
        function()
        costs.append((clock() - begun - timer) / 1000.0)
    return costs


def psutil_sample(*, temperatures: bool) -> Callable[[], None]:
    """What psutil offers of our sample, with its state kept between calls.

    Descendants are looked for in every fifth call, as ours are at 1 Hz.
    """
    import psutil

    own = psutil.Process()
    turn = itertools.count()

    def read() -> None:
        psutil.cpu_percent(percpu=True)
        psutil.virtual_memory()
        psutil.swap_memory()
        psutil.getloadavg()
        with own.oneshot():
            own.cpu_times()
            own.memory_info()
        if next(turn) % 5 == 0:
            own.children(recursive=True)
        if temperatures:
            psutil.sensors_temperatures()

    return read


def warm_and_cold(quick: bool) -> dict[str, dict[str, float]]:
    """CPU µs of one call of each contender."""
    clock = VirtualClock()
    suite = SensorSuite("application", clock)
    manager = create_resource_manager(**FIVE_LIMITS, strategy="dynamic", clock=clock)

    def sample() -> None:
        clock.advance(1.0)
        suite.read()

    def tick() -> None:
        clock.advance(1.0)
        manager.tick()

    contenders: dict[str, Callable[[], object]] = {
        "our sample": sample,
        "our whole tick": tick,
        "psutil": psutil_sample(temperatures=False),
        "psutil with temperatures": psutil_sample(temperatures=True),
    }
    rounds, size, colds = (5, 60, 6) if quick else (15, 120, 30)
    costs: dict[str, list[float]] = {name: [] for name in contenders}
    cold: dict[str, list[float]] = {name: [] for name in contenders}
    floors: dict[str, list[float]] = {"floor": [], "floor, reopened": []}
    with tempfile.TemporaryDirectory() as folder:
        floor = Floor(suite.files_read(), folder)
        for function in contenders.values():
            calls(function, 30)
        for _ in range(rounds):
            floors["floor"].append(floor.cost(200))
            floors["floor, reopened"].append(floor.cost(200, reopen=True))
            for name, function in contenders.items():
                costs[name] += calls(function, size)
        cold_floor = []
        for _ in range(colds):
            for name, function in contenders.items():
                time.sleep(0.25)
                cold[name] += calls(function, 1)
            time.sleep(0.25)
            cold_floor.append(floor.cost(1))
    result = {
        name: {"median": statistics.median(values), "mean": statistics.median(values)}
        for name, values in floors.items()
    }
    result["floor"]["cold"] = statistics.median(cold_floor)
    for name, values in costs.items():
        result[name] = {
            "median": statistics.median(values),
            "mean": statistics.fmean(sorted(values)[: int(len(values) * 0.995)]),
            "cold": statistics.median(cold[name]),
        }
    result["floor"]["files"] = len(suite.files_read())
    return result


START = """
import os, sys, time
PAGE = os.sysconf('SC_PAGE_SIZE') / 2**20
def rss(): return int(open('/proc/self/statm').read().split()[1]) * PAGE
base, begun = rss(), time.perf_counter()
sys.path.insert(0, {src!r})
from amptalk import create_resource_manager
manager = create_resource_manager(max_memory_mb=1000, max_cpu_percent=80, max_gpu_memory_mb=1000,
                                  max_power_watts=100, max_temp_celsius=80, strategy="dynamic")
manager.start_monitoring()
manager.get_current_metrics()
print((time.perf_counter() - begun) * 1000, rss() - base)
"""
IDLE = """
import sys, time
sys.path.insert(0, {src!r})
{prepare}
time.sleep(2)
cpu, wall = time.process_time(), time.monotonic()
{wait}
print((time.process_time() - cpu) * 1000 / (time.monotonic() - wall))
"""
MANAGED = (
    "from amptalk import create_resource_manager\n"
    f"create_resource_manager(**{FIVE_LIMITS!r}, strategy='dynamic').start_monitoring()"
)


def python(code: str) -> subprocess.Popen[str]:
    """Start code in a bare interpreter."""
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.Popen(
        [sys.executable, "-I", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=environment,
    )  # fmt: skip


def start_up(quick: bool) -> dict[str, float]:
    """Wall ms and MiB from a bare interpreter to the first sample, in fresh processes."""
    times, sizes = [], []
    for _ in range(4 if quick else 15):
        out = python(START.format(src=str(ROOT / "src"))).communicate()[0].split()
        times.append(float(out[0]))
        sizes.append(float(out[1]))
    return {"ms": statistics.median(times[1:]), "mib": statistics.median(sizes[1:])}


def idle(quick: bool) -> dict[str, float]:
    """CPU ms a second of a manager at 1 Hz, beside a bare loop that only sleeps, side by side."""
    seconds = 6 if quick else 60
    bare = python(IDLE.format(src="", prepare="", wait=f"for _ in range({seconds}): time.sleep(1)"))
    ours = python(
        IDLE.format(src=str(ROOT / "src"), prepare=MANAGED, wait=f"time.sleep({seconds})")
    )
    return {
        "manager": float(ours.communicate()[0]),
        "bare loop": float(bare.communicate()[0]),
    }


def history_mib() -> float:
    """MiB of a history in which 30 series live and every tier is full."""
    history = History(1.0)
    live = 30
    nan = float("nan")
    values = (1.5,) * live + (nan,) * (len(FIELDS) - live)
    now = 0.0
    for spacing, count in ((600.0, 4400), (10.0, 8800), (1.0, 3700)):
        for _ in range(count):
            now += spacing
            history.append(Sample(now, now, values))
    return history.memory_bytes() / 2**20


def main() -> int:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a smoke test")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures")
    options = parser.parse_args()
    cost = warm_and_cold(options.quick)
    start = start_up(options.quick)
    rate = idle(options.quick)
    size = history_mib()
    floor = cost["floor"]["median"]
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}, "
          f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    print(
        f"\n{'CPU µs a call':28s} {'median':>8s} {'÷ floor':>8s} "
        f"{'mean':>8s} {'÷ floor':>8s} {'cold':>8s}"
    )
    for name, row in cost.items():
        label = f"{name} ({row['files']:.0f} files)" if "files" in row else name
        print(f"{label:28s} {row['median']:8.1f} {row['median'] / floor:8.2f} {row['mean']:8.1f} "
              f"{row['mean'] / floor:8.2f} {row.get('cold', float('nan')):8.1f}")  # fmt: skip
    rows = (
        ("sample, warm ÷ floor", cost["our sample"]["median"] / floor, 1.8, ""),
        ("whole tick with its slow work ÷ floor", cost["our whole tick"]["mean"] / floor, 6.0, ""),
        ("manager at 1 Hz", rate["manager"], 0.6, "ms CPU/s"),
        ("start and first sample", start["ms"], 40.0, "ms"),
        ("memory over bare Python", start["mib"], 6.0, "MiB"),
        ("history, 30 series, all tiers full", size, 7.0, "MiB"),
    )
    print(f"\n{'':40s} {'measured':>9s} {'target':>8s}")
    for name, measured, target, unit in rows:
        mark = "" if measured <= target else "  MISSED"
        print(f"{name:40s} {measured:9.2f} {'≤ ' + format(target, 'g'):>8s} {unit}{mark}")
    print(f"(a bare loop that only sleeps: {rate['bare loop']:.2f} ms CPU/s)")
    if options.json:
        whole = {
            "machine": platform.platform(),
            "python": platform.python_version(),
            "cost_us": cost,
            "start": start,
            "idle_ms_per_s": rate,
            "history_mib": size,
        }
        options.json.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
