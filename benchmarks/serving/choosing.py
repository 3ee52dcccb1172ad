"""Settings: what a search found, by scenario for the rivals, one for all scenarios of ours.

A rival may be set for the very scenario, which nobody can in the field; ours may not. The
figures come from `python benchmarks/service.py --search` on seeds that no result uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.serving.arms import ALL, OURS, SEARCHED, Arm
from benchmarks.serving.scoring import mean

FIRST_SEED = 100
"""Results use seeds from here on, a search those from 0."""
CHOSEN: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "calm": {"static batch": {"batch": 12}},
    "hard-roomy": {"static batch": {"batch": 12}},
    "neighbour": {"static batch": {"batch": 12}},
    "cache": {
        "static batch": {"total": 8.0},
        "earlyoom": {"thresholds": "10,5"},
        "drain and restart": {"at": 0.85},
    },
    "leak": {
        "static batch": {"total": 8.0},
        "earlyoom": {"thresholds": "3,1"},
        "drain and restart": {"at": 0.92},
    },
    "tight-slow": {
        "static batch": {"total": 5.0},
        "earlyoom": {"thresholds": "10,5"},
        "drain and restart": {"at": 0.92},
    },
    "tight-fast": {
        "static batch": {"total": 6.0},
        "earlyoom": {"thresholds": "5,3"},
        "drain and restart": {"at": 0.92},
    },
    "never-told": {
        "static batch": {"total": 8.0},
        "earlyoom": {"thresholds": "3,1"},
        "drain and restart": {"at": 0.92},
    },
    "never-untold": {
        "static batch": {"batch": 12},
        "earlyoom": {"thresholds": "5,3"},
        "drain and restart": {"at": 0.92},
    },
    "tight-real": {
        "static batch": {"batch": 6},
        "earlyoom": {"thresholds": "10,5"},
        "drain and restart": {"at": 0.85},
    },
}
"""By scenario, then by arm: trials of 45 s on seed 0, of ours 90 s. Others have the default."""
_DEFAULTS: Mapping[str, dict[str, Any]] = {
    "earlyoom": {"thresholds": "10,5"},
    "drain and restart": {"at": 0.85},
    "static batch": {"batch": 4},
    **{name: {"interval": 0.1, "knob": 0} for name in OURS},
}


def chosen(scenario: str, kinds: Iterable[str] = ALL) -> list[Arm]:
    """The arms of a scenario with their settings."""
    found = CHOSEN.get(scenario, {})
    return [Arm(kind, found.get(kind, _DEFAULTS.get(kind, {}))) for kind in kinds]


def candidates(kinds: Iterable[str]) -> list[Arm]:
    """Every setting that a search tries."""
    return [Arm(kind, settings) for kind in kinds for settings in SEARCHED.get(kind, ({},))]


def best_settings(trials: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The settings with the best mean goodput, by arm, over trials of one scenario."""
    found: dict[str, dict[str, list[float]]] = {}
    settings: dict[str, dict[str, Any]] = {}
    for trial in trials:
        for label, result in trial["arms"].items():
            found.setdefault(result["arm"], {}).setdefault(label, []).append(result["goodput"])
            settings[label] = result["settings"]
    return {
        kind: settings[max(by_label, key=lambda label: mean(by_label[label]))]
        for kind, by_label in found.items()
        if kind in SEARCHED
    }
