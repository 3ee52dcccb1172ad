"""Before its first instruction a program is held, and little was imported by then (about 1 s)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from amptalk.model.errors import ActionError
from amptalk.run.program import Program
from tests.integration.enforcing import why_not
from tests.run.support import amptalk_run

WHY_NOT = why_not("memory", "cpu")
held = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

LISTS = """
import sys
from amptalk.cli.main import main
from amptalk.run import program
release = program.Program.release
def listing(self):
    print(*sys.modules, file=sys.stderr)
    release(self)
program.Program.release = listing
main(["run", "--quiet", "--memory", "1G", "--cpus", "50%", "--", "true"])
"""
HEAVY = {
    "argparse", "asyncio", "dataclasses", "importlib.metadata", "inspect", "logging", "psutil",
    "opentelemetry", "select", "sqlite3", "ssl", "subprocess", "tempfile", "tomllib", "mmap",
}  # fmt: skip
LATER = {
    "amptalk.config", "amptalk.engine", "amptalk.strategies", "amptalk.actuators.journal.undo",
    "amptalk.actuators.guardian.orders", "amptalk.actuators.guardian.process",
    "amptalk.actuators.devices", "amptalk.model.sample", "amptalk.model.decision",
    "amptalk.run.asking", "amptalk.run.ending", "amptalk.run.guarding", "amptalk.run.summary",
    "amptalk.run.watching", "amptalk.sensors.procstat", "amptalk.sensors.suite",
}  # fmt: skip
"""Needed once it runs, or only where something is to be undone."""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "run"


@held
def test_what_can_wait_is_not_imported_before_it_starts(journal: Path) -> None:
    done = amptalk_run(journal, "-c", LISTS, command=(sys.executable,))
    assert done.status == 0, done.err
    loaded = set(done.err.split())
    assert "amptalk.run.holding" in loaded
    assert sorted(loaded & (HEAVY | LATER)) == []


@held
def test_its_first_instruction_is_under_the_limits(journal: Path) -> None:
    done = amptalk_run(
        journal, "--quiet", "--memory", "1G", "--cpus", "50%", "--", "cat", "/proc/self/cgroup"
    )
    ours = {
        name for line in done.out.splitlines() if "/amptalk-" in line
        for name in (line.split(":")[1] or "memory,cpu").split(",")
    }  # fmt: skip
    assert ours >= {"memory", "cpu"}, done.out


def test_it_does_not_begin_when_it_cannot_enter_its_groups(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    program = Program(
        "/bin/sh", ["sh", "-c", f"touch {mark}"], os.environ, set(),
        doors=[f"{tmp_path}/no-such-group/tasks"],
    )  # fmt: skip
    with pytest.raises(ActionError, match=r"no-such-group/tasks .* does not exist"):
        program.enter()
    program.cancel()
    assert not mark.exists()


def test_one_that_is_killed_before_it_begins_has_ended_and_no_limit_is_to_blame() -> None:
    program = Program("/bin/true", ["true"], os.environ, set())
    os.kill(program.pid, 9)
    program.enter()
    program.release()
    assert os.waitpid(program.pid, 0)[1] == 9
