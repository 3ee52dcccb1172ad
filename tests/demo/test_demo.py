"""The demonstration: a worker that really does what it is told, arms that compare, plain output."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from amptalk.demo.arms import ArmResult
from amptalk.demo.load import WORKER, Work
from amptalk.demo.main import main
from amptalk.demo.show import comparison, describe
from tests.helpers import ROOT


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


def test_the_worker_really_leaks_up_to_its_cache_limit_and_gives_back() -> None:
    with subprocess.Popen(
        [sys.executable, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdin and worker.stdout

        def serve(**request: float) -> float:
            worker.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]
            worker.stdin.flush()  # type: ignore[union-attr]
            assert worker.stdout.readline()  # type: ignore[union-attr]
            return resident_mb(worker.pid)

        base = serve()
        assert serve(cache_mb=60, cache_limit_mb=100) - base == pytest.approx(60, abs=6)
        assert serve(cache_mb=60, cache_limit_mb=100) - base == pytest.approx(100, abs=6)
        assert serve(cache_limit_mb=10) - base == pytest.approx(10, abs=6)
        worker.stdin.close()
        assert worker.wait(10) == 0


def arm(title: str, over: float, work: Work) -> ArmResult:
    return ArmResult(title, 12.0, {"memory": over}, {"memory": 400 + over}, int(over > 0), work)


def test_the_comparison_shows_both_arms_side_by_side() -> None:
    table = comparison(
        arm("only watched", 9.5, Work(300, 90, 3)), arm("handled", 0.4, Work(200, 80, 3))
    )
    assert "time over the memory limit" in table
    assert "9.5 s of 12" in table
    assert "0.4 s of 12" in table
    assert "393" in table
    assert "283" in table
    assert len({len(line) for line in table.splitlines()}) == 1


def test_events_are_told_as_sentences() -> None:
    told = describe(
        {"kind": "action", "action": "memory trim", "verdict": "no effect", "before": 410.0,
         "after": 409.0, "unit": "MB"}
    )  # fmt: skip
    assert told == "memory trim: no effect (+1 MB given back)"
    assert describe({"kind": "something else"}) is None


def test_watching_prints_plain_lines_and_saves_the_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "metrics.json"
    status = main(["--duration", "1.2", "--max-memory-mb", "4000", "--output", str(path)])
    printed = capsys.readouterr().out
    assert status == 0
    assert re.search(r"memory \d+ of 4000 MB", printed)
    assert "\x1b[" not in printed
    assert json.loads(path.read_text())["samples"]["memory_used_mb"]


def test_bad_input_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--strategy", "magic", "--duration", "1"]) == 2
    error = capsys.readouterr().err
    assert "magic" in error
    assert "dynamic" in error
    assert "Traceback" not in error


def test_under_load_a_limit_is_crossed_handled_and_both_arms_are_compared(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "examples/resource_management_demo.py", "--simulate-load",
         "--duration", "10", "--output", str(tmp_path / "m.json")],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    out = result.stdout
    assert "violation: memory over" in out
    assert "memory allocation" in out
    times = re.search(r"time over the memory limit\s+([\d.]+) s of \d+\s+([\d.]+) s of", out)
    assert times
    assert float(times[2]) < float(times[1])
    work = re.search(r"units of work\s+(\d+)\s+(\d+)", out)
    assert work
    assert int(work[2]) > 0


def test_a_reader_that_goes_away_ends_the_watch_quietly() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "amptalk.cli.main", "watch", "--json", "--interval", "0.05"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "src")},
    ) as watch:  # fmt: skip
        assert watch.stdout and watch.stderr
        line = json.loads(watch.stdout.readline())
        watch.stdout.close()
        assert watch.wait(20) == 0
        assert watch.stderr.read() == ""
    assert line["device.memory_total_mb"] > 0


def test_the_panel_on_a_terminal_redraws_itself_in_place() -> None:
    from amptalk.clock import VirtualClock
    from amptalk.demo.show import Screen
    from amptalk.limits.limits import ResourceLimits
    from amptalk.manager import ResourceManager

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    clock, terminal = VirtualClock(), Terminal()
    manager = ResourceManager(ResourceLimits(max_memory_mb=1000), clock=clock)
    screen = Screen(terminal)
    screen.arm("test")
    for _ in range(2):
        manager.tick()
        clock.advance(1.0)
        screen.show(manager)
    assert re.search(r"\x1b\[\d+A", terminal.getvalue())
    assert "of 1000 MB" in terminal.getvalue()
