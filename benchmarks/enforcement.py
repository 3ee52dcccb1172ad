"""Real pressure against `handling="enforce"`: memory ramps, and calls that keep the GIL.

Needs version 1 of control groups, in which it may make some, and free memory of three times the
rate of the fastest ramp. What it makes it removes.
"""

from __future__ import annotations

import argparse
import platform
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks.enforcing.ramp import INTERPRETERS, LOOKAHEAD, Ramp, Result, unavailable  # noqa: E402

SLOWEST, FASTEST = 0.1 * 1024, 1024.0
SECONDS = 2.0
"""Seconds that a ramp would take to its limit."""
OUTCOMES = ("gone", "shrunk", "held")
AT_ONCE = 12
"""Applications that may still wait for work to be admitted while the next ramp runs."""


def main() -> int:
    """Measure, and print a report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ramps", type=int, default=50)
    parser.add_argument("--gil", type=int, default=20, help="ramps while the GIL is kept")
    parser.add_argument("--quick", action="store_true", help="a few of each, to see that it runs")
    parser.add_argument("--out", type=Path, help="write the report here")
    options = parser.parse_args()
    why = unavailable()
    if why:
        print(f"enforcement: skipped: {why}")
        return 0
    if options.quick:
        options.ramps, options.gil = 2, 1
    text = "\n".join([
        "# Enforcement under real pressure", "",
        f"`benchmarks/enforcement.py`, {time.strftime('%Y-%m-%d')}, {platform.machine()}, Linux "
        f"{platform.release()}, Python {platform.python_version()}.", "",
        *_section("Memory ramps", run(options.ramps, gil=False)), "",
        *_section("The same while the application keeps the GIL for 500 ms at a time",
                  run(options.gil, gil=True)),
    ])  # fmt: skip
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 0


def run(count: int, *, gil: bool) -> list[Result]:
    """Run ramps one after another; only their waiting for admission overlaps."""
    chance = random.Random(6)
    results: list[Result] = []
    waiting: list[Ramp] = []
    for number in range(count):
        rate = chance.uniform(SLOWEST, FASTEST)
        limit = max(200.0, SECONDS * rate)
        ramp = Ramp(rate, limit, "heeds" if number % 2 else "deaf", gil=gil)
        ramp.wait()
        waiting.append(ramp)
        if len(waiting) >= AT_ONCE:
            results.append(waiting.pop(0).result())
        print(f"{number + 1}/{count}", file=sys.stderr, flush=True)
    return results + [ramp.result() for ramp in waiting]


def _section(title: str, results: list[Result]) -> list[str]:
    if not results:
        return []
    reactions = sorted(r.reaction for r in results if r.reaction is not None)
    admitted = [r.admitted for r in results if r.admitted is not None]
    fitting = [r for r in results if r.cap - INTERPRETERS >= r.rate * LOOKAHEAD]
    outcomes = {
        name: sum(r.outcome == name for r in results) for name in ("gone", "shrunk", "held")
    }
    rows = [
        ("ramps, MB/s", f"{len(results)}, {min(r.rate for r in results):.0f} to "
                        f"{max(r.rate for r in results):.0f}"),
        ("with half a second of growth before the cap", f"{len(fitting)}"),
        ("killed by the kernel, of these", f"{sum(r.kernel_kills > 0 for r in fitting)}"),
        ("the hog", ", ".join(f"{outcomes[name]} {name}" for name in OUTCOMES)),
        ("reaction, s: median, p99, worst", _spread(reactions)),
        ("shrunk before that much was used", f"{len(results) - len(reactions)}"),
        ("nearest to the cap, MB", f"{min(r.cap - r.highest for r in results):.0f}"),
        ("the neighbour lives and answers", f"{sum(r.neighbour for r in results)}"),
        ("events of the guardian: none, one, more", _counts(results)),
        ("of these it names the hog", str(sum(r.named for r in results if r.events == 1))),
        ("new work admitted after, s: median, worst",
         f"{sorted(admitted)[len(admitted) // 2]:.1f}, {max(admitted):.1f}" if admitted else "-"),
        ("never admitted", f"{len(results) - len(admitted)}"),
    ]  # fmt: skip
    return [f"## {title}", "", "| | |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)]


def _spread(values: list[float]) -> str:
    if not values:
        return "-"
    at = [values[len(values) // 2], values[int(0.99 * (len(values) - 1) + 0.5)], values[-1]]
    return ", ".join(f"{value:.3f}" for value in at)


def _counts(results: list[Result]) -> str:
    few = [sum(r.events == n for r in results) for n in (0, 1)]
    return f"{few[0]}, {few[1]}, {len(results) - sum(few)}"


if __name__ == "__main__":
    sys.exit(main())
