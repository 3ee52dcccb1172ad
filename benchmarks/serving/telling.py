"""The tables, as Markdown. What is missed stands in bold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.serving.arms import ALL, OURS
from benchmarks.serving.scenarios import BY_NAME, LARGEST_BATCH
from benchmarks.serving.summary import Against, ScenarioSummary

TARGETS: Mapping[str, float] = {"tight-slow": 1.25, "never-told": 1.2}
"""Goodput over that of the best other arm; in all other scenarios `FLOOR`."""
FLOOR = 0.98
GAP = 0.5
GAP_SCENARIOS = ("cache", "tight-slow", "never-told")
"""Those with a gap to be closed."""
CALM = ("calm", "hard-roomy", "neighbour")
"""Nothing is wrong with memory: nothing is to be done."""


def rows(table: Sequence[Sequence[str]]) -> str:
    """A Markdown table of a heading and rows."""
    heading, *rest = ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([heading, "|" + "---|" * len(table[0]), *rest]) + "\n"


def goodput_table(summaries: Sequence[ScenarioSummary]) -> str:
    """Goodput by scenario and arm, the best other arm in italics."""
    kinds = [kind for kind in ALL if any(kind in one.arms for one in summaries)]
    table = [["scenario", "valid", "F / P", *kinds, "A/A"]]
    for one in summaries:
        cells = []
        for kind in kinds:
            found = one.arms.get(kind)
            cells.append("–" if found is None else _marked(found["goodput"], kind == one.best))
        scenario = BY_NAME[one.scenario]
        pressure = f"{scenario.pressure(1):.2f} / {scenario.pressure(LARGEST_BATCH):.2f}"
        table.append([one.scenario, f"{one.valid} of {one.trials}", pressure, *cells,
                      number(one.noise)])  # fmt: skip
    return rows(table)


def ratio_table(summaries: Sequence[ScenarioSummary]) -> str:
    """Ours over the best other arm, with the range over the trials and the gap closed."""
    kinds = [kind for kind in OURS if any(kind in one.ours for one in summaries)]
    table = [["scenario", "target", "best other", *kinds]]
    for one in summaries:
        target = TARGETS.get(one.scenario, FLOOR)
        cells = [_ratio(one.ours[kind], target) if kind in one.ours else "–" for kind in kinds]
        table.append([one.scenario, f"≥ {target:g}", one.best or "–", *cells])
    table.append(["median gap closed", f"≥ {GAP:g}", ", ".join(GAP_SCENARIOS),
                  *(_gap(summaries, kind) for kind in kinds)])  # fmt: skip
    return rows(table)


def detail_table(one: ScenarioSummary) -> str:
    """Everything that was measured of each arm in a scenario, as means of its trials."""
    classes = sorted({key for found in one.arms.values() for key in found if "class" in key})
    heads = ["goodput", *classes, "kills", "restarts", "p50", "p99", "recovery", "cpu", "actions"]
    table = [["arm", *(_HEADS.get(head, f"{head} %") for head in heads)]]
    for kind, found in one.arms.items():
        cells = []
        for head in heads:
            text = number(found.get(head, math.nan))
            killed = kind in OURS and head == "kills" and found[head] > 0
            calm = kind in OURS and head == "actions" and one.scenario in CALM and found[head] > 0
            cells.append(f"**{text}**" if killed or calm else text)
        table.append([kind, *cells])
    return rows(table)


_HEADS = {"kills": "kernel kills", "restarts": "restarts", "p50": "p50 ms", "p99": "p99 ms",
          "recovery": "recovery s", "cpu": "CPU s", "actions": "actions"}  # fmt: skip


def number(value: float) -> str:
    """A figure in as many digits as it deserves, `–` for none."""
    if math.isnan(value):
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _marked(value: float, is_best: bool) -> str:
    return f"*{number(value)}*" if is_best else number(value)


def _ratio(found: Against, target: float) -> str:
    text = f"{found.ratio:.2f}"
    if found.ratio < target:
        text = f"**{text}**"
    text += f" ({found.lowest:.2f}–{found.highest:.2f})"
    if not math.isnan(found.gap):
        text += f", gap {found.gap:.2f}"
    if found.classes:
        text += f", **below in {', '.join(found.classes)}**"
    return text


def _gap(summaries: Sequence[ScenarioSummary], kind: str) -> str:
    gaps = [
        one.ours[kind].gap
        for one in summaries
        if one.scenario in GAP_SCENARIOS and kind in one.ours
        and not math.isnan(one.ours[kind].gap)
    ]  # fmt: skip
    if not gaps:
        return "–"
    found = median(gaps)
    return f"{found:.2f}" if found >= GAP else f"**{found:.2f}**"
