"""Do limits hold: `amptalk run` beside prlimit, cpulimit, a bare control group and earlyoom.

CPU at 25, 50 and 80 % of capacity (one process, several, forks), memory (leak, step, forks, mapped
file, shared memory, in C, in a pipeline), and what a start and a second of running cost. As root
the kernel holds limits; `--pace` is tried as an ordinary user. What a peer cannot do is left out.
Everything runs one after another in one run. The machine is shared: the load is printed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks.running.cost import costs  # noqa: E402
from benchmarks.running.cpu import SHARES, cpu_rows  # noqa: E402
from benchmarks.running.memory import memory_rows  # noqa: E402
from benchmarks.running.peers import LIMIT_MB, unavailable  # noqa: E402


def main() -> int:
    """Measure, and print a report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each CPU run")
    parser.add_argument("--quick", action="store_true", help="a few of each, to see that it runs")
    parser.add_argument("--parts", nargs="+", default=["cpu", "memory", "cost"])
    parser.add_argument("--out", type=Path, help="write the report here")
    options = parser.parse_args()
    why = unavailable()
    if why:
        print(f"run: skipped: {why}")
        return 0
    seconds = 1.0 if options.quick else options.seconds
    shares = SHARES[1:2] if options.quick else SHARES
    parts: dict[str, tuple[str, Callable[[], list[str]]]] = {
        "cpu": ("CPU: percent of capacity used", lambda: cpu_rows(shares, seconds)),
        "memory": (
            f"Memory: what became of a program with a limit of {LIMIT_MB} MB",
            lambda: memory_rows(quick=options.quick),
        ),
        "cost": ("Cost", lambda: costs(quick=options.quick)),
    }
    lines = [
        "# `amptalk run` beside its peers",
        "",
        f"`benchmarks/run.py`, {time.strftime('%Y-%m-%d')}, {platform.machine()}, "
        f"{len(os.sched_getaffinity(0))} CPUs, Linux {platform.release()}, Python "
        f"{platform.python_version()}.",
    ]
    for part, (title, rows) in parts.items():
        if part in options.parts:
            load = os.getloadavg()[0]
            lines += ["", f"## {title}", "", f"Load {load:.1f} at the beginning.", "", *rows()]
    text = "\n".join(lines)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    os.environ.pop("AMPTALK_RUN_DIR", None)
    sys.exit(main())
