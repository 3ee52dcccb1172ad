"""The tables of the benchmark, as Markdown. Cells are % of the time over / % of the work lost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from controlling.cost import REFERENCE
from controlling.running import COMBINED, Figures, Outcome, Table

REGRET = 1.1
"""A combination may cost this many times what its best part costs …"""
TRIFLE = 0.1
"""… and this many points are no difference."""


def rows(table: Sequence[Sequence[str]]) -> str:
    """A Markdown table of a heading and rows."""
    heading, *rest = ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([heading, "|" + "---|" * len(table[0]), *rest]) + "\n"


def pair(figures: Figures) -> str:
    """Time over / work lost."""
    return f"{figures.over:.1f} / {figures.lost:.1f}"


def means(outcomes: Iterable[Outcome]) -> tuple[float, float]:
    """Mean time over and work lost over plants."""
    middles = [outcome.median for outcome in outcomes]
    return fmean(m.over for m in middles), fmean(m.lost for m in middles)


def main_table(table: Table, strategies: Sequence[str], cost: dict[str, float]) -> str:
    """The baseline plants: everything that is asked of a controller in one row each."""
    plants = list(table)
    head = [
        "strategy", *plants, "mean", "settling memory, queue s", "peak thermal, memory %",
        "changes/min", "decision",
    ]  # fmt: skip
    lines = [head]
    for name in strategies:
        found = [table[plant][name] for plant in plants]
        over, lost = means(found)
        memory, queue = table["memory"][name].median, table["queue"][name].median
        ratio = f"{cost[name] / cost[REFERENCE]:.1f} ×" if name in cost else "–"
        lines.append(
            [
                name, *(pair(one.median) for one in found), f"{over:.1f} / {lost:.1f}",
                f"{seconds(memory.settling)}, {seconds(queue.settling)}",
                f"{table['thermal'][name].median.peak:.1f}, {memory.peak:.1f}",
                f"{max(one.median.travel for one in found):.2f}", ratio,
            ]
        )  # fmt: skip
    return rows(lines)


def plain_table(table: Table, strategies: Sequence[str]) -> str:
    """Time over / work lost (worst overshoot) by plant and strategy."""
    lines = [["strategy", *table]]
    for name in strategies:
        cells = [
            f"{pair(one.median)} ({one.median.peak:.0f})"
            if (one := table[plant].get(name))
            else "–"
            for plant in table
        ]
        lines.append([name, *cells])
    return rows(lines)


def varied_table(table: Table, strategies: Sequence[str]) -> str:
    """By plant and kind of change, and every case with more time over than AIMD."""
    groups: dict[str, list[str]] = {}
    for case in table:
        plant, change = case.split(" ", 1)
        kind = "one parameter" if "=" in change else change.rstrip(" 0123456789.s")
        groups.setdefault(f"{plant}: {kind}", []).append(case)
        groups.setdefault("all", []).append(case)
    lines = [["changed", "cases", *strategies]]
    for group in [*(name for name in groups if name != "all"), "all"]:
        cells = []
        for strategy in strategies:
            over, lost = means(table[case][strategy] for case in groups[group])
            cells.append(f"{over:.1f} / {lost:.1f}")
        lines.append([group, str(len(groups[group])), *cells])
    return rows(lines)


def worse_than(table: Table, strategy: str, rival: str) -> list[str]:
    """The plants on which a strategy is over for longer than a rival, with both figures."""
    found = []
    for plant, outcomes in table.items():
        ours, theirs = outcomes[strategy].median.over, outcomes[rival].median.over
        if ours > theirs + TRIFLE:
            found.append(f"{plant} {ours:.1f} against {theirs:.1f}")
    return found


def combining_table(table: Table) -> str:
    """What each combination costs (time over + work lost), and its best part in brackets."""
    lines = [["plant", *COMBINED]]
    for plant, outcomes in table.items():
        cells = []
        for name in COMBINED:
            cost, best, part = regret(outcomes, name)
            text = f"{cost:.2f} ({part} {best:.2f})"
            cells.append(f"**{text}**" if costs_more(cost, best) else text)
        lines.append([plant, *cells])
    return rows(lines)


def regret(outcomes: Mapping[str, Outcome], name: str) -> tuple[float, float, str]:
    """Cost of a combination, of its best part, and which that is."""
    costs = {part: outcomes[part].median.cost for part in name.split("+")}
    best = min(costs, key=lambda part: costs[part])
    return outcomes[name].median.cost, costs[best], best


def costs_more(cost: float, best: float) -> bool:
    """Whether combining cost more than the tolerated part of the best."""
    return cost > REGRET * best + TRIFLE


def seconds(value: float) -> str:
    """Seconds, or that it never settled."""
    return "never" if math.isinf(value) else f"{value:.0f}"
