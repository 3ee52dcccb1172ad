#!/usr/bin/env python3
"""Record traces at 1 Hz with the library itself, while real work runs.

    python -m benchmarks.forecasting.record NAME [--seconds 900] [--run COMMAND] [--pause 20]

COMMAND runs as a child, again and again with pauses of up to `--pause` seconds (drawn by a fixed
seed), until the time is up; without one it is the demonstration's model server, held to 240 MB and
40 % of the processors. Writes benchmarks/traces/NAME_device_cpu.csv, NAME_app_cpu.csv and
NAME_app_memory.csv: seconds from the start, value. A reading that is missing is left out.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src"))

from amptalk.create import create_resource_manager  # noqa: E402
from amptalk.demo.load import ModelServer  # noqa: E402
from amptalk.manager import ResourceManager  # noqa: E402

FOLDER = ROOT / "benchmarks" / "traces"
SERIES = {
    "device_cpu": ("device.cpu_percent", "cpu_percent"),
    "app_cpu": ("application.cpu_percent", "cpu_percent"),
    "app_memory": ("application.memory_mb", "memory_mb"),
}
"""File name's end, the library's field, the header of the value."""
LIMIT_MB = 240.0
LIMIT_CPU_PERCENT = 40.0


def serve(manager: ResourceManager, until: float) -> None:
    """Run the demonstration's model server until monotonic `until`."""
    server = ModelServer(manager, LIMIT_MB, manager.capacity.cpu_cores, seed=1)
    server.start()
    time.sleep(max(0.0, until - time.monotonic()))
    server.stop()


def repeat(command: list[str], pause: float, until: float) -> None:
    """Run a command again and again until monotonic `until`; the last run is ended."""
    pauses = random.Random(1)
    while (left := until - time.monotonic()) > 0:
        child = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            child.wait(timeout=left)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGTERM)  # with what it started
            child.wait()
        left = until - time.monotonic()
        time.sleep(max(0.0, min(left, pauses.uniform(0.0, pause))))


def record(name: str, work: Callable[[ResourceManager, float], None], seconds: float) -> list[Path]:
    """Watch while `work` runs and write one file a series."""
    manager = create_resource_manager(
        max_memory_mb=LIMIT_MB, max_cpu_percent=LIMIT_CPU_PERCENT,
        monitoring_interval=1.0, strategy="dynamic",
    )  # fmt: skip
    with manager:
        work(manager, time.monotonic() + seconds)
    written = []
    for ending, (field, header) in SERIES.items():
        rows = manager.history.values(field, seconds + 60.0)
        path = FOLDER / f"{name}_{ending}.csv"
        lines = [f"{moment - rows[0][0]:.3f},{value:.6g}" for moment, value in rows]
        path.write_text("\n".join([f"seconds,{header}", *lines]) + "\n", encoding="utf-8")
        written.append(path)
    return written


def main() -> int:
    """Record and say what was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--pause", type=float, default=20.0)
    parser.add_argument("--run", default="", metavar="COMMAND", help="what to run as a child")
    options = parser.parse_args()

    def work(manager: ResourceManager, until: float) -> None:
        if options.run:
            repeat(shlex.split(options.run), options.pause, until)
        else:
            serve(manager, until)

    for path in record(options.name, work, options.seconds):
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
