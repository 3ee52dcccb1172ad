"""The arms: ways to run the same service, and how each is started and watched.

All are started again 0.1 s after they ended. `settings` of an arm are what is searched:
of a static batch how many requests or which total of their sizes, of earlyoom its two
thresholds, of drain and restart where it begins, of ours the sampling interval and whether a
knob paces the batch beside admission.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.serving.groups import MemoryGroup
from benchmarks.serving.scenarios import LARGEST_BATCH, Scenario

RESTART_PAUSE = 0.1
MEMINFO = "meminfo"
CEILING_FACTOR = 4.0
ROOT = Path(__file__).resolve().parents[2]
CEILING, CEILING_AGAIN = "ceiling", "ceiling again"
CAP, EARLYOOM, DRAIN, STATIC = "cap and restart", "earlyoom", "drain and restart", "static batch"
RIVALS = (CAP, EARLYOOM, DRAIN, STATIC)
OURS = ("dynamic", "predictive", "adaptive", "predictive+adaptive")
ALL = (CEILING, CEILING_AGAIN, *RIVALS, *OURS)
SEARCHED: Mapping[str, tuple[dict[str, Any], ...]] = {
    EARLYOOM: ({"thresholds": "10,5"}, {"thresholds": "5,3"}, {"thresholds": "3,1"}),
    DRAIN: ({"at": 0.75}, {"at": 0.85}, {"at": 0.92}),
    STATIC: (
        *({"batch": size} for size in (3, 4, 5, 6, 8, 12)),
        *({"total": size} for size in (3.0, 4.0, 5.0, 6.0, 8.0, 12.0)),
    ),
    **{
        name: tuple({"interval": every, "knob": knob} for every in (0.1, 0.25) for knob in (0, 1))
        for name in OURS
    },
}
"""What a search tries of each arm; an arm that is not here has nothing to be set."""


class Arm(NamedTuple):
    """One way to run the service."""

    kind: str
    settings: dict[str, Any]

    @property
    def label(self) -> str:
        """The kind with its settings."""
        told = " ".join(f"{key}={value}" for key, value in self.settings.items())
        return f"{self.kind} {told}".strip()

    def budget(self, scenario: Scenario) -> float:
        """MB of the hard limit."""
        uncapped = self.kind in (CEILING, CEILING_AGAIN)
        return scenario.budget * (CEILING_FACTOR if uncapped else 1.0)

    def control(self, learned: Path) -> dict[str, Any]:
        """What the service is told of how to decide; `learned` is its file across restarts."""
        if self.kind in OURS:
            return {"strategy": self.kind, "learned": str(learned), **self.settings}
        return {
            "batch": self.settings.get("batch", LARGEST_BATCH),
            "total": self.settings.get("total", float("inf")),
        }

    def drains_at(self, scenario: Scenario) -> float:
        """MB at which the service is asked to end; `inf` for never."""
        return scenario.budget * self.settings["at"] if self.kind == DRAIN else float("inf")


def command(
    arm: Arm, scenario: Scenario, seconds: float, group: MemoryGroup, folder: Path
) -> list[str]:
    """The command line that starts the service of an arm in its group.

    earlyoom looks at `/proc/meminfo` and at every process, so it gets a process and a mount
    namespace of its own, in which that file tells the group's figures, from `folder`.
    """
    config = {
        "scenario": scenario.name,
        "control": arm.control(folder / "learned.json"),
        "left_behind": scenario.left_behind(seconds),
    }
    service = [sys.executable, "-m", "benchmarks.serving.process", json.dumps(config)]
    inside = ["sh", "-c", 'echo 0 > "$0"; exec "$@"', str(group.entrance), *service]
    if arm.kind != EARLYOOM:
        return inside
    prepare = (
        'mount --bind "$0" /proc/meminfo || exit 1\n'
        'earlyoom -m "$1" -r 0 > /dev/null 2>&1 &\n'
        'shift; "$@"'
    )
    namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
    return [
        *namespace,
        "sh",
        "-c",
        prepare,
        str(folder / MEMINFO),
        arm.settings["thresholds"],
        *inside,
    ]


def meminfo_text(budget_mb: float, used_mb: float) -> str:
    """What `/proc/meminfo` says of a group, always of the same length."""
    total, free = int(budget_mb * 1024), int(max(0.0, budget_mb - used_mb) * 1024)
    rows = {"MemTotal": total, "MemFree": free, "MemAvailable": free, "Buffers": 0, "Cached": 0,
            "AnonPages": total - free, "SwapTotal": 0, "SwapFree": 0}  # fmt: skip
    return "".join(f"{name + ':':<16}{value:>8} kB\n" for name, value in rows.items())
