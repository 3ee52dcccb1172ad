"""Limits for what already runs: set, read back, and put back exactly (about 10 s)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from amptalk.actuators.kernel.places import place_of
from amptalk.sensors.roots import Roots
from tests.helpers import eventually
from tests.integration.enforcing import groups_of
from tests.run.support import amptalk_run, environment
from tests.run.test_held import WHY_NOT, held

COMMAND = (sys.executable, "-m", "amptalk.cli.main")
SLEEPS = "import os, subprocess, time\nsubprocess.Popen(['sleep', '600'])\nprint(flush=True)\n"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def target() -> Iterator[int]:
    """A process with a child, in a session of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPS + "time.sleep(600)"], stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        os.killpg(process.pid, signal.SIGKILL)


def membership(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()


@contextmanager
def attached(journal: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, "attach", *arguments], env=environment(journal), stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "ENFORCED by " in line, line
        yield process
        process.kill()


@held
def test_a_process_and_its_children_are_held_and_detached_exactly(
    journal: Path, target: int
) -> None:
    child = int(Path(f"/proc/{target}/task/{target}/children").read_text())
    before = membership(target), membership(child)
    with attached(journal, str(target), "--memory", "500M", "--cpus", "50%") as process:
        assert f"/amptalk-{target}-" in membership(target)
        assert f"/amptalk-{target}-" in membership(child)
        done = amptalk_run(journal, str(target), command=[*COMMAND, "detach"])
        assert done.status == 0, done.err
        assert done.said[-1] == f"{target} is as before"
        assert process.wait(20) == 0
    assert (membership(target), membership(child)) == before
    assert not groups_of(target)


@held
def test_when_we_are_killed_the_target_lives_on_as_before(journal: Path, target: int) -> None:
    before = membership(target)
    with attached(journal, str(target), "--memory", "500M") as process:
        process.kill()
        process.wait(20)
        eventually(lambda: membership(target) == before, "all is undone")
        eventually(lambda: not groups_of(target), "its groups are gone")
    assert Path(f"/proc/{target}").exists()


@held
def test_when_the_target_ends_so_does_what_is_attached_to_it(journal: Path, target: int) -> None:
    with attached(journal, str(target), "--memory", "500M") as process:
        os.killpg(target, signal.SIGKILL)
        assert process.wait(20) == 0
    assert not groups_of(target)


@pytest.fixture
def group() -> Iterator[str]:
    """A control group of somebody else's."""
    if WHY_NOT:
        pytest.skip(WHY_NOT)
    place = place_of(Roots(), os.getpid(), "memory")
    if place.version != 1:
        pytest.skip("needs version 1 of control groups")
    folder = f"{place.home}/somebody-{os.getpid()}"
    os.mkdir(folder)
    try:
        yield folder
    finally:
        os.rmdir(folder)


def test_a_group_of_somebody_else_gets_another_limit_and_its_own_back(
    journal: Path, group: str, target: int
) -> None:
    Path(group, "cgroup.procs").write_text(str(target))
    limit = Path(group, "memory.limit_in_bytes")
    limit.write_text(str(900 << 20))
    with attached(journal, group, "--memory", "500M") as process:
        assert limit.read_text() == f"{500 << 20}\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert limit.read_text() == f"{900 << 20}\n"
    os.killpg(target, signal.SIGKILL)
    eventually(lambda: not Path(group, "cgroup.procs").read_text(), "it is empty")


@held
def test_a_dry_run_says_what_would_be_set_and_sets_nothing(journal: Path, target: int) -> None:
    before = membership(target)
    done = amptalk_run(
        journal, str(target), "--memory", "500M", "--dry-run", command=[*COMMAND, "attach"]
    )
    assert done.status == 0
    assert done.said[0].startswith(f"{target}: 2 processes, ")
    assert done.said[1].startswith("memory: its processes would be moved into a group beneath /")
    assert membership(target) == before
    assert not journal.exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["attach", "999999999"], "process 999999999 does not live"),
        (["attach", "/no/such/group"], "no control group /no/such/group is mounted here"),
        (["attach", "no-such.service"], "unit no-such.service"),
        (["attach", "1", "--pace"], "--pace cannot be given to attach"),
        (["attach", "1", "--memory", "1K"], "to cap it now would kill"),
    ],
)
def test_what_cannot_be_is_one_line(journal: Path, arguments: list[str], why: str) -> None:
    done = amptalk_run(journal, *arguments, command=COMMAND)
    assert done.status == 2
    assert len(done.err.splitlines()) == 1
    assert why in done.err


def test_detaching_from_what_is_not_attached_says_so(journal: Path, target: int) -> None:
    done = amptalk_run(journal, "detach", str(target), command=COMMAND)
    assert done.status == 1
    assert f"nothing is attached to {target}" in done.err
