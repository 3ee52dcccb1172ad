"""The example's whole story on a real kernel: asked, shrunk, capped, verified, undone; 15 s."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amptalk.actuators.journal.folder import ELSEWHERE
from tests.helpers import ROOT
from tests.integration.enforcing import why_not

WHY_NOT = why_not("memory")
grouped = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "can be had")


def told(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/leaky_worker.py"), *arguments],
        env={**os.environ, ELSEWHERE: str(folder / "run")}, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert list((folder / "run").iterdir()) == []
    return done.stdout


@grouped
def test_it_is_asked_shrinks_is_capped_verified_and_undone(tmp_path: Path) -> None:
    text = told(tmp_path)
    steps = [
        "the kernel holds memory: ",
        "asked:    the worker is asked to drop its cache",
        "verified: drop the cache: worked",
        "verified: guardian: worked",
        "undone:   0 control groups of ours are left",
    ]
    places = [text.find(step) for step in steps]
    assert -1 not in places, text
    assert places == sorted(places), text
    assert "asked to end, " in text


@grouped
def test_killed_half_way_everything_is_restored(tmp_path: Path) -> None:
    text = told(tmp_path, "--killed-half-way")
    assert "killed:   with SIGKILL, half-way" in text
    assert "restored: 0 control groups are left after " in text
