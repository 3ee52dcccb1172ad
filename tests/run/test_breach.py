"""What is done about a breach: told, ended, started anew (about 12 s)."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.run.support import amptalk_run

DEAF = """
import sys, time
kept = [bytearray(1 << 20) for _ in range(60)]
sys.stdin.read()
time.sleep(0.5)
"""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "run"


def test_time_that_is_over_ends_the_program_and_all_that_it_started(journal: Path) -> None:
    begun = time.monotonic()
    done = amptalk_run(
        journal, "--wall-time", "500ms", "--on-breach", "stop", "--", "sh", "-c",
        "sleep 600 | sleep 600",
    )  # fmt: skip
    assert done.status == -signal.SIGTERM
    assert time.monotonic() - begun < 30
    assert done.said[0].startswith("wall time 0.5 s: ENFORCED by ending the program: SIGTERM")
    assert "ended by amptalk (SIGTERM) at " in done.said[1]
    assert done.said[1].endswith(": wall time 0.5 s is over")


def test_a_warning_is_only_told(journal: Path) -> None:
    done = amptalk_run(journal, "--wall-time", "200ms", "--", "cat", until="is over")
    assert done.status == 0
    assert done.said[0] == "wall time 0.2 s: WATCH ONLY (--on-breach stop would end it)"
    assert done.said[1] == "wall time 0.2 s is over"


def test_a_program_that_is_started_anew_is_not_so_for_ever(journal: Path, tmp_path: Path) -> None:
    flag = tmp_path / "second"
    code = f"test -e {flag} && exit 7; touch {flag}; exec sleep 600"
    done = amptalk_run(
        journal, "--json", "--wall-time", "2s", "--on-breach", "restart", "--", "sh", "-c", code
    )  # fmt: skip
    assert done.status == 7
    assert done.json["starts"] == 2
    assert "started anew in 1 s" in done.json["notes"][0]


def test_the_metrics_of_a_run_are_kept(journal: Path, tmp_path: Path) -> None:
    from amptalk import load_metrics

    file = tmp_path / "run.json"
    done = amptalk_run(
        journal, "--quiet", "--memory", "500M", "--wall-time", "400ms", "--interval", "0.1",
        "--metrics", str(file), "--", sys.executable, "-c", DEAF, until="is over",
    )  # fmt: skip
    assert done.status == 0
    document = load_metrics(file)
    assert max(value or 0.0 for value in document.samples["memory_used_mb"]) >= 60
    assert document.config["limits"] == {"memory": 500.0}


def test_a_recording_survives_and_shows_the_program(journal: Path, tmp_path: Path) -> None:
    from amptalk import load_metrics

    file = tmp_path / "run.ring"
    done = amptalk_run(
        journal, "--quiet", "--wall-time", "400ms", "--record", str(file), "--interval", "0.1",
        "--", "cat", until="is over",
    )  # fmt: skip
    assert done.status == 0
    assert len(load_metrics(file).samples["time"]) >= 2
