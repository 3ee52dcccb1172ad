"""SIGKILL after every change of every actuator: all is restored, or what remains is reported.

On the groups that this machine has; those of version 2 alone are in `tests/vm`. Some 500 processes:
about 25 s of the tests' time.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from amptalk.actuators.journal.changes import GROUP, Change
from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.journal.restore import restore
from amptalk.actuators.kernel.places import place_of
from amptalk.sensors.identity import identity_of, start_of
from amptalk.sensors.roots import Roots
from tests.helpers import eventually
from tests.integration.enforcing import groups_of, why_not
from tests.integration.killing import ACTUATORS, Bystander, killed_after

WHY_NOT = why_not("memory", "cpu", "pids", "freezer")
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "can be had")
WITHIN = 1.0
"""Seconds within which a guardian has undone everything."""
MOST_STEPS = 200


@pytest.fixture
def bystander() -> Iterator[Bystander]:
    made = Bystander()
    yield made
    made.end()


def check_restored(bystander: Bystander, pid: int, path: Path) -> None:
    assert groups_of(pid) == []
    assert bystander.state() == bystander.before
    assert list(path.iterdir()) == []


@pytest.mark.parametrize("name", ACTUATORS)
def test_a_guardian_undoes_it_within_a_second_after_whatever_step(
    name: str, bystander: Bystander, tmp_path: Path
) -> None:
    run, slowest = tmp_path / "run", 0.0
    for step in range(1, MOST_STEPS):
        pid, status, guardian = killed_after(
            step, ACTUATORS[name], bystander.pid, str(run), guarded=True
        )
        killed = time.monotonic()
        if status == 0:
            break
        assert status == -signal.SIGKILL
        eventually(lambda: not groups_of(pid), f"groups are gone after step {step}")  # noqa: B023
        eventually(lambda: bystander.state() == bystander.before, f"all is as before step {step}")
        slowest = max(slowest, time.monotonic() - killed)
        eventually(lambda: start_of("/proc", guardian) is None, "the guardian ends")  # noqa: B023
        check_restored(bystander, pid, run)
    assert step > 5
    assert slowest <= WITHIN


@pytest.mark.parametrize("name", ACTUATORS)
def test_the_next_start_undoes_it_after_whatever_step(
    name: str, bystander: Bystander, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    for step in range(1, MOST_STEPS):
        pid, status, _ = killed_after(step, ACTUATORS[name], bystander.pid, str(run), guarded=False)
        if status == 0:
            break
        folder = JournalFolder(str(run), create=False)
        results = restore(folder, "/proc", deadline=5.0)
        folder.close()
        assert not [result for result in results if result.remains]
        check_restored(bystander, pid, run)
    assert step > 5


@pytest.mark.parametrize("name", ACTUATORS)
def test_one_change_that_cannot_be_undone_hinders_no_other_and_is_reported(
    name: str, bystander: Bystander, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    home = Path(place_of(Roots(), os.getpid(), "memory").home)
    stuck = home / "amptalk-0-stuck"
    inner = stuck / "inner"
    inner.mkdir(parents=True)
    try:
        journal = Journal(
            JournalFolder(str(run), create=True),
            identity_of("/proc", os.getpid())._replace(start=1),
        )
        entry = journal.note(Change(GROUP, str(stuck), str(home)))
        for step in (8, 11):
            pid, status, _ = killed_after(
                step, ACTUATORS[name], bystander.pid, str(run), guarded=False
            )
            assert status in {0, -signal.SIGKILL}
            folder = JournalFolder(str(run), create=False)
            (remaining,) = [r for r in restore(folder, "/proc", deadline=5.0) if r.remains]
            assert remaining.name == entry.name
            assert str(stuck) in remaining.outcome.text
            assert folder.names() == [entry.name]
            assert groups_of(pid) == []
            assert bystander.state() == bystander.before
    finally:
        inner.rmdir()
        stuck.rmdir()
