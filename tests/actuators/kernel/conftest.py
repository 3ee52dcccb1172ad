"""The made-up kernel, and what actuators work with on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.own_groups import OwnGroups
from amptalk.model.resource import CPU, MEMORY
from amptalk.sensors.identity import identity_of
from tests.actuators.kernel.machine import PID, Machine, machine

__all__ = ["folder", "hold", "machine"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[JournalFolder]:
    made = JournalFolder(str(tmp_path / "run"), create=True)
    yield made
    made.close()


@pytest.fixture
def hold(machine: Machine, folder: JournalFolder) -> Hold:
    """Enforcement of 1000 MB and 50 % of 4 cores, for one process."""
    journal = Journal(folder, identity_of(machine.roots.proc, PID))

    def members() -> list[int]:
        return machine.family

    groups = OwnGroups(machine.roots, journal, members)
    return Hold(machine.roots, journal, groups, members, ((MEMORY, 1000.0), (CPU, 50.0)), _four)


def _four() -> float:
    return 4.0
