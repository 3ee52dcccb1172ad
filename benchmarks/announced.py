#!/usr/bin/env python3
"""What `predictive` makes of known demand, and of none: warned, averted, lost, by machine.

    python benchmarks/announced.py [--quick] [--write]

Three tables, everything from seeds that no constant was chosen on:

- warnings: announced and admitted loads on the made-up machines of tests/strategies/loads.py, of
  which some would cross the limit and some not; the strategy is only listened to, so the truth is
  known. How it is counted is said in tests/strategies/counting.py
- control: the same loads with the strategy in control, beside `dynamic`, which does not hear of
  them, and no control
- nothing announced: the plants of tests/strategies/plants.py, where history teaches little and the
  aim is to be no worse than `dynamic`

`--write` puts the tables into benchmarks/results/announced.md.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from amptalk.model.decision import Strategy  # noqa: E402
from amptalk.strategies.dynamic import Dynamic  # noqa: E402
from amptalk.strategies.predictive import Predictive  # noqa: E402
from tests.strategies.counting import Held, Warned, count_held, count_warnings  # noqa: E402
from tests.strategies.loads import MACHINES  # noqa: E402
from tests.strategies.plants import PLANTS, Noisy, Periodic, Steady, run  # noqa: E402

FIRST_SEED = 1000
RESULTS = ROOT / "benchmarks" / "results" / "announced.md"


def warnings(seeds: range) -> list[str]:
    """Recall and precision of warnings, by machine and in all."""
    rows = [
        "| machine | by loads: warned of | own work grown: warned of | not known before | false of "
        "quiet | recall | recall of all | precision | lead |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    total = Warned()
    for machine in MACHINES:
        counted = count_warnings(machine, Predictive, seeds)
        total += counted
        rows.append(_warned(machine.__name__, counted))
    return [*rows, _warned("**all**", total)]


def _warned(name: str, one: Warned) -> str:
    grown = one.grown_warned + one.grown_missed
    return (
        f"| {name} | {one.warned} of {one.warned + one.missed} | {one.grown_warned} of {grown} | "
        f"{one.unknown} | {one.false} of {one.false + one.quiet} | {one.recall:.3f} | "
        f"{one.recall_of_all:.3f} | {one.precision:.3f} | {one.median_lead:.0f} s |"
    )


def control(seeds: range) -> list[str]:
    """What control averts and costs, by machine and strategy."""
    rows = [
        "| machine | strategy | averted of all | averted of those at the beginning, announced 5 s "
        "before | cut for nothing | over % | lost % |",
        "|---|---|---|---|---|---|---|",
    ]
    strategies: dict[str, Callable[[], Strategy | None]] = {
        "none": lambda: None, "dynamic": Dynamic, "predictive": Predictive,
    }  # fmt: skip
    totals = dict.fromkeys(strategies, Held())
    for machine in MACHINES:
        for name, make in strategies.items():
            counted = count_held(machine, make, seeds)
            totals[name] += counted
            rows.append(_held(machine.__name__, name, counted))
    return rows + [_held("**all**", name, counted) for name, counted in totals.items()]


def _held(name: str, strategy: str, one: Held) -> str:
    return (
        f"| {name} | {strategy} | {one.averted} of {one.breaches} | "
        f"{one.averted_at_once} of {one.at_once} | {one.cut_for_nothing} of {one.quiet} | "
        f"{100.0 * one.over / one.seconds:.2f} | {one.lost:.2f} |"
    )


def unannounced(seeds: range) -> list[str]:
    """Time over and work lost beside `dynamic`, where nothing is announced."""
    rows = [
        "| plant | dynamic: over %, lost % | predictive: over %, lost % | cost, ratio |",
        "|---|---|---|---|",
    ]
    costs: list[list[float]] = [[], []]
    for plant in (*PLANTS, Noisy, Periodic, Steady):
        cells = []
        for make, all_costs in zip((Dynamic, Predictive), costs, strict=True):
            scores = [run(plant, make(), seed) for seed in seeds]
            over, lost = fmean(s.over for s in scores), fmean(s.lost for s in scores)
            cells.append(f"{over:.2f}, {lost:.2f}")
            all_costs.append(over + max(0.0, lost))
        ours, theirs = costs[1][-1], costs[0][-1]
        ratio = f"{ours / theirs:.2f}" if theirs > 0.05 else "-"
        rows.append(f"| {plant.__name__} | {cells[0]} | {cells[1]} | {ratio} |")
    dynamic, predictive = map(fmean, costs)
    return [
        *rows,
        f"| **mean cost** | {dynamic:.2f} | {predictive:.2f} | {predictive / dynamic:.2f} |",
    ]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed instead of nine")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + (1 if options.quick else 9))
    lines = [
        "# Known demand: warned, averted, lost",
        "",
        f"`python benchmarks/announced.py`, {time.strftime('%Y-%m-%d')}, Python "
        f"{platform.python_version()}, seeds {seeds[0]}-{seeds[-1]}. Nothing here is a timing.",
    ]
    for title, table in (
        ("Warnings of breaches that announced or admitted work causes", warnings),
        ("In control", control),
        ("Nothing announced", unannounced),
    ):
        lines += ["", f"## {title}", "", *table(seeds)]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
