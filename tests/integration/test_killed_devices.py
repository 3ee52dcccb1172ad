"""SIGKILL after every change to a device's file: the guardian, or the next start, puts it back.

The files are made up, the processes real; some 100 of them, about 5 s of the tests' time.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amptalk.actuators.devices.limits import MAKERS
from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.restore import restore
from amptalk.actuators.kernel import writing
from amptalk.actuators.kernel.contract import Hold
from amptalk.sensors.identity import start_of
from amptalk.sensors.roots import Roots
from tests.actuators.devices.tree import all_of, journal_is_empty, texts
from tests.helpers import eventually
from tests.integration.killing import Act, Bystander, killed_after
from tests.integration.test_killed import MOST_STEPS, WITHIN
from tests.sensors.trees import Tree


@pytest.fixture
def bystander() -> Iterator[Bystander]:
    made = Bystander()
    yield made
    made.end()


class Kernel:
    """Stands in for `os`: what is written reads with a new line at its end, as in real files."""

    def __init__(self, below: Any) -> None:
        self._below = below

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)

    def write(self, fd: int, data: bytes) -> int:
        return int(self._below.write(fd, data + b"\n")) - 1


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.setattr(writing, "os", Kernel(os))
    made = Tree(tmp_path / "devices")
    all_of(made)
    return made


def acts(name: str, tree: Tree) -> Act:
    roots = Roots(sys=str(tree.root / "sys"))

    def act(hold: Hold, _pid: int) -> None:
        module: Any = writing
        module.os = Kernel(module.os)  # it counts the steps by now
        limit = MAKERS[name]("0")
        limit.begin(hold._replace(roots=roots))
        for share in (0.8, 0.5, 1.0):
            limit.follow(share)

    return act


@pytest.mark.parametrize("name", ["acpi_power", "cpufreq", "rapl"])
@pytest.mark.parametrize("guarded", [True, False], ids=["guardian", "next start"])
def test_whatever_step_it_is_killed_after_all_is_as_before(
    name: str, guarded: bool, bystander: Bystander, tree: Tree, tmp_path: Path
) -> None:
    run, before, slowest, changed = tmp_path / "run", texts(tree), 0.0, False
    for step in range(1, MOST_STEPS):
        _, status, guardian = killed_after(
            step, acts(name, tree), bystander.pid, str(run), guarded=guarded
        )
        killed = time.monotonic()
        if status == 0:
            break
        assert status == -signal.SIGKILL
        if guarded:
            eventually(lambda: texts(tree) == before, f"all is as before step {step}")
            slowest = max(slowest, time.monotonic() - killed)
            eventually(lambda: start_of("/proc", guardian) is None, "the guardian ends")  # noqa: B023
        else:
            changed = changed or texts(tree) != before
            folder = JournalFolder(str(run), create=False)
            results = restore(folder, "/proc", deadline=5.0)
            folder.close()
            assert not [one for one in results if one.remains]
        assert texts(tree) == before
        assert journal_is_empty(run)
    assert step > 10
    assert changed is not guarded
    assert slowest <= WITHIN
