#!/usr/bin/env python3
"""What a faulty file costs a sample: healthy and worst, on the made-up machines of the tests.

    python benchmarks/sensor_faults.py [--quick]

Every file that the sensors open is given every fault, as in tests/sensors/faults, and the CPU time
of the samples that meet it is taken (the smallest of three, since machines are shared). Files are
served from memory by the tests' stand-in for `os`, whose own cost is in both columns; 10 MB long
files are what costs most, since up to 1 MiB of each list is read.

- tick: nothing but what is read each second; "looking" is the round in which sensors are looked
  for anew, which a running manager does once a minute
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from amptalk.sensors import files, processes  # noqa: E402
from amptalk.sensors import suite as suite_module  # noqa: E402
from amptalk.sensors.roots import Roots  # noqa: E402
from amptalk.sensors.suite import SensorSuite  # noqa: E402
from tests.sensors.faults.disk import Disk  # noqa: E402
from tests.sensors.faults.kinds import faults  # noqa: E402
from tests.sensors.faults.machines import MACHINES  # noqa: E402
from tests.sensors.trees import PID  # noqa: E402


def cost_us(disk: Disk, suite: SensorSuite, seconds: float) -> float:
    """CPU µs of one sample, `seconds` after the last one."""
    disk.clock.advance(seconds)
    begun = time.thread_time_ns()
    suite.read()
    return (time.thread_time_ns() - begun) / 1000.0


def least(measure: Callable[[], float], times: int = 3) -> float:
    """The smallest of a few measurements: what disturbed the others is not ours."""
    return min(measure() for _ in range(times))


def measure(name: str, *, quick: bool) -> None:
    """Print one machine's healthy and worst samples."""
    machine = MACHINES[name]()
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(Path(folder), machine.files, machine.links)
        files.os, files._pread = disk, disk.pread
        roots = Roots(f"{folder}/proc", f"{folder}/sys")
        suite = SensorSuite(machine.scope, disk.clock, roots, pid=PID, threads=False)
        for _ in range(30):
            suite.read()
            disk.clock.advance(5)
        healthy = {
            what: statistics.median(cost_us(disk, suite, seconds) for _ in range(60))
            for what, seconds in (("tick", 1.0), ("looking", 5.0))
        }
        worst = dict.fromkeys(healthy, (0.0, ""))
        cases = 0
        for path in sorted(disk.asked)[:: 4 if quick else 1]:
            if not Path(path).exists():
                continue
            for kind, fault in faults(disk, path).items():
                cases += 1
                with fault():
                    for what, seconds in (("looking", 5.0), ("tick", 1.0)):
                        spent = least(lambda at=seconds: cost_us(disk, suite, at))
                        worst[what] = max(
                            worst[what], (spent, f"{path[len(folder) + 1 :]}: {kind}")
                        )
                for _ in range(4):
                    cost_us(disk, suite, 5.0)
        suite.close()
    for what, usual in healthy.items():
        spent, where = worst[what]
        print(f"{name:22} {what:8} {usual:8.0f} {spent:8.0f} {spent - usual:8.0f}  {where}")
    print(f"{'':22} {cases} faults")


def main() -> None:
    """Print a table for every machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="every fourth file only")
    quick = parser.parse_args().quick
    suite_module._SLOW = 5.0
    processes._HURRY = 0.0
    print(f"{'CPU µs of a sample':31} {'healthy':>8} {'worst':>8} {'more':>8}  by")
    for name in MACHINES:
        measure(name, quick=quick)


if __name__ == "__main__":
    main()
