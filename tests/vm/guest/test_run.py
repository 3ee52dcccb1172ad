"""`amptalk run` on version 2 of control groups, as root and as a user with a delegated group."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.helpers import ROOT
from tests.run.test_held import FIRST, SECOND
from tests.vm.guest.groups import Group, Workers, idle
from tests.vm.guest.test_swap import zram  # noqa: F401 - a fixture

USER = 65534
PYTHON = "/usr/bin/python3"
"""An interpreter that every user may run, where the tests' own lies in somebody's home."""
RUN = (PYTHON, "-m", "amptalk.cli.main", "run")
GROWS = "k = []\nwhile len(k) < 40: k.append(bytearray(4 << 20))"


@pytest.fixture
def unit(workers: Workers) -> Iterator[Group]:
    """A group such as systemd delegates: the user may divide it and move processes within it."""
    group = workers.group("unit")
    for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
        os.chown(group.folder / name, USER, USER)
    yield group


def run(unit: Group, path: Path, arguments: Sequence[str], user: int) -> tuple[int, list[str]]:
    """Run it in the unit, as a user; status and what was said."""
    journal = path / f"run-{user}"
    journal.mkdir(mode=0o700)
    os.chown(journal, user, user)
    for folder in path.parents[:3]:
        folder.chmod(0o755)
    path.chmod(0o755)
    enter = f'echo $$ > {unit.folder}/cgroup.procs; exec setpriv --reuid {user} --clear-groups "$@"'
    done = subprocess.run(
        ["sh", "-c", enter, "sh", *RUN, *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, "AMPTALK_RUN_DIR": str(journal), "PYTHONPATH": str(ROOT / "src")},
        timeout=200.0,
    )  # fmt: skip
    assert os.listdir(journal) == [], done.stderr
    assert not list(unit.folder.glob("amptalk-*"))
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("user", [0, USER])
def test_limits_are_enforced_and_a_kill_at_the_limit_is_told(
    unit: Group, tmp_path: Path, user: int
) -> None:
    status, said = run(
        unit, tmp_path,
        ["--memory", "60M", "--cpus", "50%", "--", PYTHON, "-c", GROWS], user,
    )  # fmt: skip
    assert status == -9, said
    memory, cpu, *rest = said
    assert f"ENFORCED by {unit.folder}/amptalk-" in memory
    assert memory.endswith("/memory.max 60 MB (read back)")
    assert "/cpu.max " in cpu
    assert "ENFORCED" in cpu
    assert any("killed by the kernel: memory limit 60 MB reached at " in line for line in rest)


def test_a_kill_by_somebody_else_is_not_taken_for_the_kernels(unit: Group, tmp_path: Path) -> None:
    status, said = run(unit, tmp_path, ["--memory", "60M", "--", "sh", "-c", "kill -KILL $$"], USER)
    assert status == -9, said
    assert any("which somebody else sent to it: neither amptalk nor" in line for line in said)
    assert any("(0 kills at the limit of 60 MB)" in line for line in said)


def test_a_group_that_others_live_in_cannot_be_divided_and_that_is_told(
    unit: Group, workers: Workers, tmp_path: Path
) -> None:
    workers.start(idle, unit)
    status, said = run(unit, tmp_path, ["--memory", "60M", "--", "true"], USER)
    assert status == 0, said
    assert "memory 60 MB: ASKED by " in said[0]
    assert f"{unit.folder} holds other processes too" in said[0]
    assert "there is no systemd here that could give it a scope" in said[0]


PIPELINE = f"{PYTHON} -c '{FIRST}' | {PYTHON} -c '{SECOND}' | grep -q 'both held'"
"""Holds 22 and 52 MB at once."""


def test_a_pipeline_beyond_its_limit_loses_a_part_and_that_is_told(
    unit: Group, tmp_path: Path
) -> None:
    _, said = run(unit, tmp_path, ["--memory", "60M", "--", "sh", "-c", PIPELINE], USER)
    killed = "the kernel killed 1 of its processes: memory limit 60 MB reached at "
    assert any(line.startswith(f"amptalk: {killed}") for line in said), said


@pytest.mark.usefixtures("zram")
def test_with_compressed_swap_a_pipeline_beyond_its_limit_goes_on(
    unit: Group, tmp_path: Path
) -> None:
    status, said = run(unit, tmp_path, ["--memory", "60M", "--", "sh", "-c", PIPELINE], USER)
    assert status == 0, said
    assert not any("killed" in line for line in said)
    assert "/memory.max 60 MB (read back)" in said[0]
