"""Sensors that go, come and change their numbers: a series stays that of its device."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from amptalk.model.energy import energy_between
from amptalk.model.sample import Sample
from amptalk.sensors.suite import SensorSuite
from tests.sensors.test_power import MICRO, put, zone
from tests.sensors.trees import Tree, check_reasons, opened

HWMON = "sys/class/hwmon"
THERMAL = "sys/class/thermal"
POWERCAP = "sys/class/powercap"
SUPPLY = "sys/class/power_supply"


def later(tree: Tree, suite: SensorSuite, seconds: float = 5) -> Sample:
    tree.clock.advance(seconds)
    sample = suite.read()
    check_reasons(sample)
    return sample


def move(tree: Tree, old: str, new: str) -> None:
    shutil.move(str(tree.root / old), str(tree.root / new))


def chip(tree: Tree, number: int, device: str, **files: object) -> None:
    """A chip on a device, as sysfs links them."""
    put(tree, f"{HWMON}/hwmon{number}", **files)
    (tree.root / "sys/devices/platform" / device).mkdir(parents=True, exist_ok=True)
    link = Path("../../../devices/platform") / device
    (tree.root / f"{HWMON}/hwmon{number}/device").symlink_to(link)


def test_the_temperature_follows_its_chip_to_another_number(tree: Tree) -> None:
    chip(tree, 1, "coretemp.0", name="coretemp", temp1_label="Package id 0", temp1_input=61_000)
    chip(tree, 2, "acpi", name="other", temp1_input=25_000)
    with opened(tree.suite()) as suite:
        first = later(tree, suite)
        move(tree, f"{HWMON}/hwmon1", f"{HWMON}/hwmon7")
        move(tree, f"{HWMON}/hwmon2", f"{HWMON}/hwmon1")
        sample = later(tree, suite)
    assert (first.temperature_celsius, sample.temperature_celsius) == (61, 61)  # not the other's 25
    assert sample.provenance == {
        field: origin._replace(measured_at=sample.provenance[field].measured_at)
        for field, origin in first.provenance.items()
    }


def test_two_alike_chips_that_change_places_are_told_apart(tree: Tree) -> None:
    for number, device, watts in ((1, "1-0040", 3), (2, "1-0041", 9)):
        chip(tree, number, device, name="acpi_like", power1_label="pin" if watts == 3 else "other",
             power1_input=watts * MICRO)  # fmt: skip
    with opened(tree.suite()) as suite:
        assert later(tree, suite).power_watts == 3
        move(tree, f"{HWMON}/hwmon1", f"{HWMON}/hwmon9")
        move(tree, f"{HWMON}/hwmon2", f"{HWMON}/hwmon1")
        assert later(tree, suite).power_watts == 3  # a naive reader of hwmon1 says 9


def test_renumbered_zones_keep_their_meaning(tree: Tree) -> None:
    put(tree, f"{THERMAL}/thermal_zone0", type="x86_pkg_temp", temp=60_000)
    put(tree, f"{THERMAL}/thermal_zone1", type="acpitz", temp=28_000)
    with opened(tree.suite()) as suite:
        assert later(tree, suite).temperature_celsius == 60
        move(tree, f"{THERMAL}/thermal_zone0", f"{THERMAL}/thermal_zone4")
        move(tree, f"{THERMAL}/thermal_zone1", f"{THERMAL}/thermal_zone0")
        assert later(tree, suite).temperature_celsius == 60  # not the 28 of the new zone 0


def test_a_sensor_that_is_gone_is_missing_at_once_and_found_as_soon_as_it_is_back(
    tree: Tree,
) -> None:
    put(tree, f"{THERMAL}/thermal_zone0", type="cpu-thermal", temp=60_000)
    with opened(tree.suite()) as suite:
        assert later(tree, suite).temperature_celsius == 60
        move(tree, f"{THERMAL}/thermal_zone0", "sys/away")
        assert "no temperature sensor" in later(tree, suite).missing["temperature_celsius"]
        move(tree, "sys/away", f"{THERMAL}/thermal_zone3")
        assert later(tree, suite).temperature_celsius == 60  # 5 s later, not at the next minute


def test_the_meter_of_the_board_under_another_number_goes_on_with_its_energy(tree: Tree) -> None:
    put(tree, f"{HWMON}/hwmon1", name="ina3221", in1_label="VDD_IN", in1_input=5000,
        curr1_input=1000)  # fmt: skip
    with opened(tree.suite()) as suite:
        later(tree, suite)
        first = suite.energy()
        move(tree, f"{HWMON}/hwmon1", f"{HWMON}/hwmon5")
        put(tree, f"{HWMON}/hwmon1", name="nvme", temp1_input=30_000)
        assert later(tree, suite).power_watts == 5
        assert energy_between(first, suite.energy()) == (25.0, "")


def test_a_counter_that_is_back_under_another_number_starts_anew(tree: Tree) -> None:
    limits = {"max_energy_range_uj": 262_143_328_850}
    zone(tree, "intel-rapl:0", "package-0", 1000, **limits)
    zone(tree, "intel-rapl:1", "other", 5, **limits)
    with opened(tree.suite()) as suite:
        later(tree, suite)
        first = suite.energy()
        move(tree, f"{POWERCAP}/intel-rapl:0", f"{POWERCAP}/intel-rapl:2")
        move(tree, f"{POWERCAP}/intel-rapl:1", f"{POWERCAP}/intel-rapl:0")
        zone(tree, "intel-rapl:2", "package-0", 3000)
        later(tree, suite)
        joules, reason = energy_between(first, suite.energy())
        assert math.isnan(joules)  # neither 2000 J of a jump nor 262 kJ of a wrap
        assert "not known for" in reason
        zone(tree, "intel-rapl:2", "package-0", 3050)
        assert later(tree, suite).power_watts == 10


def test_a_counter_that_was_away_counts_nothing_of_that_time(tree: Tree) -> None:
    zone(tree, "intel-rapl:0", "package-0", 1000)
    with opened(tree.suite()) as suite:
        zone(tree, "intel-rapl:0", "package-0", 1010)
        assert later(tree, suite).power_watts == 2
        begun = suite.energy()
        move(tree, f"{POWERCAP}/intel-rapl:0", "sys/away")
        assert "does not exist" in later(tree, suite).missing["power_watts"]
        move(tree, "sys/away", f"{POWERCAP}/intel-rapl:0")
        zone(tree, "intel-rapl:0", "package-0", 9000)
        sample = later(tree, suite)
        assert math.isnan(sample.power_watts)  # not (9000 - 1000) / 10 W
        first = suite.energy()
        assert "not known for 10.00 s" in energy_between(begun, first)[1]
        zone(tree, "intel-rapl:0", "package-0", 9020)
        assert later(tree, suite).power_watts == pytest.approx(4)
        assert energy_between(first, suite.energy()) == (20.0, "")


def test_batteries_and_chargers_come_and_go_between_two_readings(tree: Tree) -> None:
    put(tree, f"{SUPPLY}/BAT0", type="Battery", status="Discharging", power_now=4 * MICRO)
    with opened(tree.suite()) as suite:
        assert later(tree, suite).power_watts == 4
        put(tree, f"{SUPPLY}/BAT1", type="Battery", status="Discharging", power_now=3 * MICRO)
        assert later(tree, suite).power_watts == 7  # 4 until the next minute otherwise
        put(tree, f"{SUPPLY}/ucsi-source-psy-1", type="USB", online=1)
        assert math.isnan(later(tree, suite).power_watts)  # the charger feeds the device, too
        shutil.rmtree(tree.root / f"{SUPPLY}/ucsi-source-psy-1")
        shutil.rmtree(tree.root / f"{SUPPLY}/BAT1")
        assert later(tree, suite).power_watts == 4


def test_an_alarm_under_another_number_is_still_the_alarm(tree: Tree) -> None:
    put(tree, f"{HWMON}/hwmon1", name="rpi_volt", in0_lcrit_alarm=0)
    put(tree, f"{HWMON}/hwmon2", name="other", in0_lcrit_alarm=1)
    with opened(tree.suite()) as suite:
        later(tree, suite)
        move(tree, f"{HWMON}/hwmon1", f"{HWMON}/hwmon3")
        move(tree, f"{HWMON}/hwmon2", f"{HWMON}/hwmon1")
        for _ in range(3):
            later(tree, suite)
        assert suite.throttling().slower is False  # the alarm of the other chip is not ours
        put(tree, f"{HWMON}/hwmon3", in0_lcrit_alarm=1)
        later(tree, suite)
        later(tree, suite)
        assert suite.throttling().reasons == ("under-voltage: rpi_volt raises its alarm",)
