"""Limits of devices on real drivers: the ACPI power meter's cap and cpufreq, set and undone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from amptalk.actuators.devices.contract import DeviceLimit
from amptalk.actuators.devices.limits import MAKERS
from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.journal.restore import restore
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.own_groups import OwnGroups
from amptalk.model.errors import ActionError
from amptalk.model.resource import POWER
from amptalk.sensors.identity import identity_of
from amptalk.sensors.roots import Roots
from tests.helpers import eventually
from tests.integration.killing import Bystander, killed_after
from tests.vm.guest.firmware import Firmware

POLICIES = sorted(Path("/sys/devices/system/cpu/cpufreq").glob("policy*"))
METER = Path("/sys/bus/acpi/devices/ACPI000D:00/power1_cap")
WATT = 1_000_000
KILLED = ("acpi_power", "cpufreq")


class Owner:
    """What limits work with, owned by this process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = JournalFolder(str(path), create=True)
        roots, pid = Roots(), os.getpid()
        journal = Journal(self.folder, identity_of(roots.proc, pid))
        groups = OwnGroups(roots, journal, lambda: [pid])
        self.hold = Hold(roots, journal, groups, lambda: [pid], ((POWER, 20.0),), lambda: 2.0)

    def begun(self, name: str) -> DeviceLimit:
        limit = MAKERS[name]("0")
        limit.begin(self.hold)
        return limit

    def undo(self) -> None:
        results = restore(self.folder, "/proc", owner=self.hold.journal.owner, deadline=5.0)
        assert results
        assert not [one for one in results if one.remains]
        assert self.folder.names() == []


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    made = Owner(tmp_path / "run")
    yield made
    restore(made.folder, "/proc", owner=made.hold.journal.owner, deadline=5.0)


def stands() -> dict[str, int]:
    """Clocks and cap that stand now."""
    files = [METER, *(policy / "scaling_max_freq" for policy in POLICIES)]
    return {str(file): int(file.read_text()) for file in files}


def fresh_cap() -> int:
    return int(METER.read_text())


def test_the_meter_is_capped_and_let_go(firmware: Firmware, owner: Owner) -> None:
    eventually(lambda: fresh_cap() == 20 * WATT, "the firmware's cap is read")
    limit = owner.begun("acpi_power")
    limit.follow(0.8)
    assert fresh_cap() == 16 * WATT
    limit.follow(0.5)
    assert fresh_cap() == 10 * WATT
    assert limit.lost() == ""
    owner.undo()
    assert fresh_cap() == 20 * WATT


def test_the_meter_is_not_capped_below_what_its_firmware_takes(
    firmware: Firmware, owner: Owner
) -> None:
    firmware.set(cap_mw=6_000)
    eventually(lambda: fresh_cap() == 6 * WATT, "the firmware's cap is read")
    owner.begun("acpi_power").follow(0.5)
    assert fresh_cap() == 5 * WATT
    owner.undo()


def test_clocks_go_to_what_the_driver_has_and_back(owner: Owner) -> None:
    before = stands()
    limit = owner.begun("cpufreq")
    for share, megahertz in ((0.9, 1500), (0.5, 1000)):
        limit.follow(share)
        for policy in POLICIES:
            assert int((policy / "scaling_max_freq").read_text()) == megahertz * 1000
            eventually(
                lambda policy=policy, most=megahertz: (  # type: ignore[misc]
                    int((policy / "scaling_cur_freq").read_text()) <= most * 1000
                ),
                "the processor is no faster",
            )
    limit.follow(1.0)
    assert stands() == before
    assert owner.folder.names() == []


def test_what_somebody_else_set_is_left(owner: Owner) -> None:
    before = stands()
    limit = owner.begun("cpufreq")
    limit.follow(0.5)
    other = POLICIES[0] / "scaling_max_freq"
    other.write_text("1500000")
    try:
        assert "was changed to '1500000'" in limit.lost()
        owner.undo()
        assert int(other.read_text()) == 1_500_000
    finally:
        other.write_text(str(before[str(other)]))
    assert stands() == before


@pytest.mark.parametrize("name", KILLED)
def test_what_a_killed_owner_leaves_is_put_back(
    name: str, firmware: Firmware, tmp_path: Path
) -> None:
    eventually(lambda: fresh_cap() == 20 * WATT, "the firmware's cap is read")
    before, changed = stands(), False
    bystander, run = Bystander(), tmp_path / "run"

    def act(hold: Hold, _pid: int) -> None:
        limit = MAKERS[name]("0")
        limit.begin(hold)
        for share in (0.8, 0.5, 1.0):
            limit.follow(share)

    try:
        for step in range(4, 60, 5):
            _, status, _ = killed_after(step, act, bystander.pid, str(run), guarded=step > 20)
            if status == 0:
                break
            assert status == -signal.SIGKILL
            changed = changed or stands() != before
            eventually(lambda: _undone(run), "all is undone")
            assert stands() == before
    finally:
        bystander.end()
    assert changed


def _undone(run: Path) -> bool:
    folder = JournalFolder(str(run), create=False)
    try:
        restore(folder, "/proc", deadline=5.0)
        return folder.names() == []
    finally:
        folder.close()


def test_what_this_machine_has_not_is_said(owner: Owner) -> None:
    for name, said in (("rapl", "no package"), ("nvml_power", "libnvidia-ml")):
        with pytest.raises(ActionError, match=said):
            owner.begun(name)
