"""Trials as lines of a file: appended as they end, so that a long set can be cut and continued."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving.arms import Arm

Trial = dict[str, Any]


def read(path: Path) -> list[Trial]:
    """All trials of a file, none where there is none; a last line that was cut is left out."""
    if not path.exists():
        return []
    trials = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            trials.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return trials


def append(path: Path, trial: Trial) -> None:
    """Add a trial."""
    ended = not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write(("" if ended else "\n") + json.dumps(trial, allow_nan=True) + "\n")


def done(
    trials: Sequence[Trial], scenario: str, seed: int, seconds: float, arms: Sequence[Arm]
) -> bool:
    """Whether this very trial is there: the same arms with the same settings."""
    labels = {arm.label for arm in arms}
    return any(
        (trial["scenario"], trial["seed"], trial["seconds"]) == (scenario, seed, seconds)
        and set(trial["arms"]) == labels
        for trial in trials
    )
