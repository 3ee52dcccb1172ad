"""The made-up kernel with devices, and what limits work with on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.kernel import writing
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.own_groups import OwnGroups
from amptalk.model.resource import POWER
from amptalk.sensors import files
from amptalk.sensors.identity import identity_of
from tests.actuators.devices.tree import all_of
from tests.actuators.kernel.machine import PID, Machine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path, 2)
    monkeypatch.setattr(writing, "os", made)
    monkeypatch.setattr(files, "os", made)
    return made


@pytest.fixture
def devices(machine: Machine) -> Machine:
    all_of(machine)
    return machine


@pytest.fixture
def hold(machine: Machine, tmp_path: Path) -> Iterator[Hold]:
    folder = JournalFolder(str(tmp_path / "run"), create=True)
    journal = Journal(folder, identity_of(machine.roots.proc, PID))
    groups = OwnGroups(machine.roots, journal, lambda: [PID])
    yield Hold(machine.roots, journal, groups, lambda: [PID], ((POWER, 50.0),), lambda: 4.0)
    folder.close()
