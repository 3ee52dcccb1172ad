"""Each limit of a device that is a file: found, lowered, refused, put back, by whoever comes."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.devices.contract import FLOOR, FileLimit, Setting, lowered
from amptalk.actuators.devices.files import DevicePower, Frequency, ProcessorPower
from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.restore import restore
from amptalk.actuators.kernel.contract import Hold
from amptalk.model.errors import ActionError
from tests.actuators.devices.tree import (
    FILES,
    FULL,
    METER,
    MHZ,
    RAPL,
    WATT,
    journal_is_empty,
    meter,
    policy,
    texts,
    zone,
)
from tests.actuators.kernel.machine import Fault, Machine

LIMITS: dict[str, type[FileLimit]] = {
    "cpufreq": Frequency, "rapl": ProcessorPower, "acpi_power": DevicePower,
}  # fmt: skip
NAMES = pytest.mark.parametrize("name", LIMITS)


@given(
    st.integers(1, 10**9), st.floats(0.0, 1.0), st.integers(1, 10**6), st.floats(0.0, 1.0),
    st.lists(st.integers(1, 10**9), max_size=5),
)  # fmt: skip
def test_never_below_half_below_the_least_or_above_what_stood(
    full: int, least: float, step: int, share: float, choices: list[int]
) -> None:
    for offered in ((), tuple({*choices, full})):
        setting = Setting("", full, int(least * full), step, offered)
        value = lowered(setting, share)
        assert max(FLOOR * full, setting.least) <= value <= full
        assert value in offered or value % step == 0 or value == full


def test_every_policy_goes_to_a_clock_that_it_lists(devices: Machine, hold: Hold) -> None:
    limit = Frequency()
    limit.begin(hold)
    limit.follow(0.8)
    assert devices.text(FILES["cpufreq"]) == str(1500 * MHZ)
    assert devices.text(FILES["cpufreq"].replace("policy0", "policy1")) == str(1500 * MHZ)
    limit.follow(0.5)
    assert devices.text(FILES["cpufreq"]) == str(1000 * MHZ)


def test_a_driver_that_lists_no_clocks_gets_whole_megahertz(machine: Machine, hold: Hold) -> None:
    policy(machine, 0)
    limit = Frequency()
    limit.begin(hold)
    limit.follow(0.733)
    assert machine.text(FILES["cpufreq"]) == str(1466 * MHZ)


def test_the_package_is_limited_to_a_share_of_what_it_does_not_of_what_it_was_allowed(
    devices: Machine, hold: Hold
) -> None:
    limit = ProcessorPower()
    assert limit.begin(hold).endswith(str(66 * WATT))
    limit.follow(0.8)
    assert devices.text(FILES["rapl"]) == str(52 * WATT)
    assert devices.text(f"{RAPL}/constraint_1_power_limit_uw") == str(200 * WATT)
    limit.follow(1.0)
    assert devices.text(FILES["rapl"]) == str(125 * WATT)


def test_a_zone_that_limits_nothing_is_left(machine: Machine, hold: Hold) -> None:
    zone(machine, enabled="0")
    with pytest.raises(ActionError, match="not enabled, so a limit in it does nothing"):
        ProcessorPower().begin(hold)
    zone(machine, name="psys")
    with pytest.raises(ActionError, match="no package"):
        ProcessorPower().begin(hold)


def test_a_meter_that_is_not_capped_yet_is_capped_from_what_it_may(
    machine: Machine, hold: Hold
) -> None:
    meter(machine, cap=0)
    limit = DevicePower()
    limit.begin(hold)
    limit.follow(0.5)
    assert machine.text(FILES["acpi_power"]) == str(30 * WATT)


@NAMES
def test_without_a_device_it_says_so(machine: Machine, hold: Hold, name: str) -> None:
    limit = LIMITS[name]()
    with pytest.raises(ActionError):
        limit.begin(hold)
    with pytest.raises(ActionError, match="no device was found"):
        limit.follow(0.5)


@NAMES
def test_who_may_not_write_is_told_at_the_start(
    devices: Machine, hold: Hold, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(ActionError, match="may not be written by this user: it needs root"):
        LIMITS[name]().begin(hold)


@NAMES
def test_it_is_put_back_at_the_full_share(
    devices: Machine, hold: Hold, name: str, tmp_path: Path
) -> None:
    before = texts(devices)
    limit = LIMITS[name]()
    limit.begin(hold)
    assert texts(devices) == before, "looking changes nothing"
    for share in (0.9, 0.5, 0.7):
        limit.follow(share)
        assert int(devices.text(FILES[name])) <= share * FULL[name]
        assert limit.lost() == ""
    assert limit.follow(1.0) == "as before"
    assert texts(devices) == before
    assert journal_is_empty(tmp_path / "run")


@NAMES
def test_what_somebody_else_changed_is_told_and_left(
    devices: Machine, hold: Hold, name: str
) -> None:
    limit = LIMITS[name]()
    limit.begin(hold)
    limit.follow(0.5)
    other = str(FULL[name] - 100_000)
    devices.put(FILES[name], other + "\n")
    assert f"was changed to '{other}'" in limit.lost()
    limit.follow(1.0)
    assert devices.text(FILES[name]) == other


@NAMES
def test_whoever_comes_after_the_owner_puts_it_back(
    devices: Machine, hold: Hold, name: str, tmp_path: Path
) -> None:
    before = texts(devices)
    limit = LIMITS[name]()
    limit.begin(hold)
    limit.follow(0.5)
    assert texts(devices) != before
    devices.end(hold.journal.owner.pid)
    results = restore(JournalFolder(str(tmp_path / "run"), create=False), devices.roots.proc)
    assert results
    assert not [one for one in results if one.remains]
    assert texts(devices) == before
    assert journal_is_empty(tmp_path / "run")


REFUSED = {
    "EACCES": Fault(errno.EACCES),
    "EBUSY": Fault(errno.EBUSY),
    "EAGAIN": Fault(errno.EAGAIN),
    "EINVAL": Fault(errno.EINVAL),
    "EACCES when opened": Fault(errno.EACCES, at="open"),
    "short write": Fault(short=True),
    "short read": Fault(short=True, at="read"),
    "wrong read-back": Fault(lies=True),
    "EIO when read": Fault(errno.EIO, at="read"),
}


@NAMES
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_is_not_held_and_goes_later(
    devices: Machine, hold: Hold, name: str, kind: str, tmp_path: Path
) -> None:
    before = texts(devices)
    limit = LIMITS[name]()
    limit.begin(hold)
    devices.faults[Path(FILES[name]).name] = REFUSED[kind]
    with pytest.raises(ActionError, match=Path(FILES[name]).name):
        limit.follow(0.5)
    devices.faults.clear()
    assert texts(devices) == before
    assert journal_is_empty(tmp_path / "run")
    limit.follow(0.5)
    assert texts(devices) != before


@NAMES
def test_a_device_that_vanishes_is_told_and_undone_without_it(
    devices: Machine, hold: Hold, name: str, tmp_path: Path
) -> None:
    limit = LIMITS[name]()
    limit.begin(hold)
    limit.follow(0.8)
    devices.faults[FILES[name]] = Fault(vanishes=True)
    if name == "cpufreq":
        assert "gone" in limit.follow(0.5), "the other policy is lowered"
    else:
        with pytest.raises(ActionError, match="gone"):
            limit.follow(0.5)
    limit.follow(1.0)
    assert journal_is_empty(tmp_path / "run")


@NAMES
def test_what_hangs_is_in_the_journal_meanwhile(
    devices: Machine, hold: Hold, name: str, tmp_path: Path
) -> None:
    answer = threading.Event()
    limit = LIMITS[name]()
    limit.begin(hold)
    devices.faults[FILES[name]] = Fault(hangs=answer)
    thread = threading.Thread(target=limit.follow, args=(0.5,))
    thread.start()
    try:
        while journal_is_empty(tmp_path / "run"):
            assert thread.is_alive()
    finally:
        answer.set()
        thread.join(20.0)
    assert int(devices.text(FILES[name])) <= 0.5 * FULL[name]


def test_one_device_that_refuses_hinders_no_other(devices: Machine, hold: Hold) -> None:
    devices.faults["policy0/scaling_max_freq"] = Fault(errno.EBUSY)
    limit = Frequency()
    limit.begin(hold)
    said = limit.follow(0.5)
    assert devices.text(FILES["cpufreq"].replace("policy0", "policy1")) == str(1000 * MHZ)
    assert "in use" in said


def test_a_meter_of_a_newer_kernel_is_found_by_its_name(machine: Machine, hold: Hold) -> None:
    meter(machine)
    chip = machine.root / METER / "hwmon/hwmon0"
    for file in ("power1_cap", "power1_cap_min", "power1_cap_max"):
        (machine.root / METER / file).rename(chip / file)
    (chip / "name").write_text("power_meter\n")
    limit = DevicePower()
    limit.begin(hold)
    limit.follow(0.5)
    assert (chip / "power1_cap").read_text() == str(30 * WATT) + "\n"
