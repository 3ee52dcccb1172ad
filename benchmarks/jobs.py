#!/usr/bin/env python3
"""Named jobs: what the manager says they take against what real jobs take.

    python benchmarks/jobs.py [--quick] [--out FILE] [--only KIND ...] [--keep JSON]

Runs each kind of `real_jobs.py` in processes of its own: one for 205 runs, four for 5 runs with
other seeds. The text recognition needs the extra `models`; without it, it is left out with a word.

- error: of the learned 95th-percentile peak against that of the runs after the fifth, by size
  (in proportion, to 5 MB at least): median over sizes and seeds, and the largest of the seeds'
- under: share of the 200 runs after the fifth that took more than was set aside for them
- over: how much more was set aside than taken, median of those runs; `ideal` is what knowing
  the true 95th percentile of each size would set aside
- rivals: the same for simple rules, which get the peaks as the kernel tells them and, where
  marked "/ size", take them in proportion to the declared size
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from real_jobs import KINDS  # noqa: E402

Row = dict[str, Any]
TOGETHER = "together"
KNOWN_AFTER = 5
SMALL_MB = 5.0
"""Errors are taken of this at least: counters of the kernel are unsure by half a MB."""
WINDOW = 40
TARGETS = "error ≤ 10 %, under ≤ 5 %, over ≤ 25 %"


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(percent / 100.0 * len(values)) - 1)]


RIVALS: dict[str, Callable[[list[float]], float]] = {
    "max seen": max,
    "mean + 2 sd": lambda seen: statistics.fmean(seen) + 2.0 * statistics.pstdev(seen),
    "last peak": lambda seen: seen[-1],
    "p95 × 1.15": lambda seen: 1.15 * percentile(seen, 95.0),
}


def run(kind: str, runs: int, seed: int, *more: str) -> list[Row]:
    """Run a kind of job in a process of its own."""
    command = [sys.executable, str(ROOT / "benchmarks" / "real_jobs.py"), kind]
    command += ["--runs", str(runs), "--seed", str(seed), *more]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return [json.loads(line) for line in done.stdout.splitlines()]


def errors(row: Row, truth: dict[float, float]) -> list[float]:
    """Relative errors of what was told of each size after some runs."""
    return [abs(p95 - truth[size]) / max(truth[size], SMALL_MB) for size, p95 in row["told"]]


def over(reserved: float, took: float) -> float:
    """Share that was set aside in vain."""
    return reserved / max(took, SMALL_MB) - 1.0


def rival(rule: Callable[[list[float]], float], rows: list[Row], *, by_size: bool) -> Row:
    """How a simple rule does on the same runs."""
    seen: list[float] = []
    under, spare = 0, []
    for number, row in enumerate(rows):
        scale = row["size"] if by_size else 1.0
        if number >= KNOWN_AFTER:
            reserved = rule(seen[-WINDOW:]) * scale
            under += row["took"] > reserved
            spare.append(over(reserved, row["took"]))
        seen.append(max(0.0, row["took"]) / scale)
    return {"under": under / len(spare), "over": statistics.median(spare)}


def measure(kind: str, runs: int, seeds: int) -> Row:
    """All figures of one kind."""
    rows = run(kind, KNOWN_AFTER + runs, 0)
    later = rows[KNOWN_AFTER:]
    by_size: dict[float, list[float]] = {}
    for row in later:
        by_size.setdefault(row["size"], []).append(row["took"])
    truth = {size: percentile(took, 95.0) for size, took in by_size.items()}
    fifth = [rows[KNOWN_AFTER - 1]]
    fifth += [run(kind, KNOWN_AFTER, seed)[-1] for seed in range(1, seeds)]
    for row in fifth:
        row["told"] = [(size, p95) for size, p95 in row["told"] if size in truth]
    each = [errors(row, truth) for row in fifth]
    figures: Row = {
        "error": statistics.median([error for found in each for error in found]),
        "worst": max(statistics.median(found) for found in each),
        "under": sum(row["took"] > row["reserve"] for row in later) / len(later),
        "over": statistics.median([over(row["reserve"], row["took"]) for row in later]),
        "ideal": statistics.median([over(truth[row["size"]], row["took"]) for row in later]),
        "largest": max(row["took"] for row in later),
        "runs": len(later),
    }
    declared = KINDS[kind].declared
    figures["rivals"] = {
        name + (" / size" if by_size else ""): rival(rule, rows, by_size=by_size)
        for by_size in ((False, True) if declared else (False,))
        for name, rule in RIVALS.items()
    }
    for name in ("seconds", "cpu"):
        known = [row for row in later if row[f"p95_{name}"]]
        figures[name] = {
            "under": sum(row[name] > row[f"p95_{name}"] for row in known) / len(known),
            "over": statistics.median([row[f"p95_{name}"] / row[name] - 1.0 for row in known]),
        }
    return figures


def together(runs: int, limit: float) -> Row:
    """Three threads with mixed jobs below a limit that lets one or two of them run at once."""
    rows = run("together", runs, 0, "--limit", str(limit))
    later = [row for row in rows[runs // 4 : runs] if row["reserve"]]
    return {
        "limit": limit,
        "highest": max(row["highest"] for row in rows[runs // 4 : runs]),
        "under": sum(row["took"] > row["reserve"] for row in later) / len(later),
        "over": statistics.median([over(row["reserve"], row["took"]) for row in later]),
        "waited": rows[-1]["waited"]["waited"] / runs,
        "runs": len(later),
    }


def mark(value: float, most: float) -> str:
    """A share in percent, bold where it misses its target."""
    text = f"{100.0 * value:.1f}"
    return text if value <= most else f"**{text}**"


def report(found: dict[str, Row], overlap: Row, missing: dict[str, str]) -> str:
    """The tables, as Markdown."""
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}"
    lines = [
        "# Named jobs: what they take against what was learned", "",
        f"`benchmarks/jobs.py`, {time.strftime('%Y-%m-%d')}, {machine}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}. "
        f"Targets: {TARGETS}; what misses one is bold. In percent.", "",
        "| job | largest MB | error after 5 | of the worst seed | under | over | ideal over |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for kind, row in found.items():
        lines.append(
            f"| {kind}: {KINDS[kind].about} | {row['largest']:.0f} | {mark(row['error'], 0.1)} | "
            f"{100 * row['worst']:.1f} | {mark(row['under'], 0.05)} | {mark(row['over'], 0.25)} | "
            f"{100 * row['ideal']:.1f} |"
        )
    lines += [f"| {kind} | {why} |" for kind, why in missing.items()]
    lines += [
        "", f"Mixed jobs on three threads, limit {overlap['limit']:.0f} MB: highest "
        f"{overlap['highest']:.0f} MB; {100 * overlap['waited']:.0f} % waited; under "
        f"{mark(overlap['under'], 0.05)}, over {mark(overlap['over'], 0.25)}, against what each "
        f"allocated ({overlap['runs']} runs after the first quarter).", "",
        "Rivals on the same runs, under / over:", "",
    ]  # fmt: skip
    names = list(dict.fromkeys(name for row in found.values() for name in row["rivals"]))
    lines += ["| job | ours | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for kind, row in found.items():
        cells = [f"{100 * row['under']:.1f} / {100 * row['over']:.0f}"]
        for name in names:
            one = row["rivals"].get(name)
            cells.append(f"{100 * one['under']:.1f} / {100 * one['over']:.0f}" if one else "")
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    lines += [
        "", "Time and CPU time: runs beyond the learned 95th percentile / how far it is above a "
        "run in the median. The machine does other things meanwhile.", "",
        "| job | seconds | CPU seconds |", "|---|---|---|",
    ]  # fmt: skip
    for kind, row in found.items():
        cells = [
            f"{100 * row[n]['under']:.1f} / {100 * row[n]['over']:.0f}" for n in ("seconds", "cpu")
        ]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few runs without the model")
    parser.add_argument("--out", type=Path, metavar="FILE", help="keep the tables")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND")
    parser.add_argument("--keep", type=Path, metavar="JSON", help="figures; what it has is not run")
    options = parser.parse_args()
    kinds = ["fixed", "spike"] if options.quick else options.only
    runs, seeds = (12, 1) if options.quick else (200, 5)
    missing = {
        kind: f"needs {KINDS[kind].needs}: pip install amptalk[models]"
        for kind in kinds
        if KINDS[kind].needs and importlib.util.find_spec(KINDS[kind].needs) is None
    }
    found: dict[str, Row] = {}
    if options.keep and options.keep.exists():
        found = json.loads(options.keep.read_text(encoding="utf-8"))
    for kind in [*kinds, TOGETHER]:
        if kind in missing or kind in found:
            continue
        found[kind] = (
            together(24 if options.quick else 240, 400.0)
            if kind == TOGETHER
            else measure(kind, runs, seeds)
        )
        if options.keep:
            options.keep.write_text(json.dumps(found, indent=1), encoding="utf-8")
        print(f"{kind} done", file=sys.stderr, flush=True)
    overlap = found.pop(TOGETHER)
    text = report({kind: found[kind] for kind in KINDS if kind in found}, overlap, missing)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
