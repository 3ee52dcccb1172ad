"""What the valid trials of a scenario come to. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from benchmarks.serving.arms import CEILING, CEILING_AGAIN, OURS, RIVALS
from benchmarks.serving.scoring import gap_closed, mean, valid

Trial = Mapping[str, Any]


class Against(NamedTuple):
    """One arm of ours in one scenario against the best other arm."""

    ratio: float
    """Mean goodput over that of the rival with the best mean."""
    lowest: float
    highest: float
    """The same trial by trial: the least and the greatest."""
    gap: float
    """Share of the gap between that rival and the ceiling that is closed; median of the trials."""
    classes: tuple[str, ...]
    """Classes of requests in which ours is below the best rival of that class by over a point."""
    actions: float
    """Actions a trial, of any kind."""


class ScenarioSummary(NamedTuple):
    """A scenario over its valid trials."""

    scenario: str
    valid: int
    trials: int
    arms: dict[str, dict[str, float]]
    """Means of the figures by arm."""
    best: str
    """The rival with the best mean goodput; empty when there is no valid trial."""
    ours: dict[str, Against]
    noise: float
    """Mean difference in percent of goodput between the ceiling and its copy."""


def summarise(scenario: str, trials: Sequence[Trial]) -> ScenarioSummary:
    """Sum up the trials of a scenario; those in which the ceiling fails are left out."""
    own = [_by_kind(trial) for trial in trials if trial["scenario"] == scenario]
    good = [trial for trial in own if valid(trial, CEILING)]
    if not good:
        return ScenarioSummary(scenario, 0, len(own), {}, "", {}, math.nan)
    kinds = list(good[0]["arms"])
    arms = {kind: _means([trial["arms"][kind] for trial in good]) for kind in kinds}
    rivals = [kind for kind in RIVALS if kind in arms]
    best = max(rivals, key=lambda kind: arms[kind]["goodput"], default="")
    ours = {kind: _against(kind, best, good, arms) for kind in OURS if kind in arms and best}
    noise = math.nan
    if CEILING_AGAIN in arms:
        noise = mean(
            abs(t["arms"][CEILING]["goodput"] - t["arms"][CEILING_AGAIN]["goodput"]) for t in good
        )
    return ScenarioSummary(scenario, len(good), len(own), arms, best, ours, noise)


def _by_kind(trial: Trial) -> dict[str, Any]:
    """The trial with its results by the kind of the arm."""
    return {**trial, "arms": {result["arm"]: result for result in trial["arms"].values()}}


def _means(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    found = {
        key: mean(result[key] for result in results)
        for key in ("goodput", "kills", "restarts", "p50", "p99", "recovery", "cpu")
    }
    for name in results[0]["classes"]:
        found[f"class {name}"] = mean(result["classes"].get(name, math.nan) for result in results)
    found["actions"] = mean(float(sum(result["actions"].values())) for result in results)
    return found


def _against(
    kind: str, best: str, trials: Sequence[Trial], arms: Mapping[str, Mapping[str, float]]
) -> Against:
    ratios = [
        trial["arms"][kind]["goodput"] / trial["arms"][best]["goodput"]
        for trial in trials
        if trial["arms"][best]["goodput"]
    ]
    gaps = [
        gap_closed(*(trial["arms"][name]["goodput"] for name in (kind, best, CEILING)))
        for trial in trials
    ]
    gaps = [gap for gap in gaps if not math.isnan(gap)]
    below = [
        name.removeprefix("class ")
        for name in arms[kind]
        if name.startswith("class ")
        and arms[kind][name] < max(arms[rival][name] for rival in RIVALS if rival in arms) - 1.0
    ]
    return Against(
        arms[kind]["goodput"] / arms[best]["goodput"] if arms[best]["goodput"] else math.nan,
        min(ratios, default=math.nan),
        max(ratios, default=math.nan),
        median(gaps) if gaps else math.nan,
        tuple(below),
        arms[kind]["actions"],
    )
