"""What firmware tells through ACPI: temperature, battery, mains, power meter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from amptalk.model.sample import Sample
from tests.helpers import eventually
from tests.vm.guest.firmware import CHARGING, DISCHARGING, Firmware
from tests.vm.guest.looking import MEDIUM, Look

METER = Path("/sys/bus/acpi/drivers/power_meter")
DEVICE = "ACPI000D:00"


def source(sample: Sample, field: str) -> str:
    return sample.provenance[field].source


def shows(look: Look, watts: float) -> None:
    """The drivers keep what they read for up to a second."""
    eventually(lambda: look.after(MEDIUM).power_watts == pytest.approx(watts), f"{watts} W")


def test_the_thermal_zone_is_followed_with_its_trip_points(firmware: Firmware, look: Look) -> None:
    for decicelsius in (455, 923, 618):
        firmware.set(decicelsius=decicelsius)
        sample = look.after(MEDIUM)
        assert sample.temperature_celsius == pytest.approx(decicelsius / 10)
    assert source(sample, "temperature_celsius") == "acpitz (slows at 80 °C, stops at 115 °C)"


def test_the_power_meter_is_read_though_its_chip_has_no_name(
    firmware: Firmware, look: Look
) -> None:
    for milliwatts in (12_345, 45_600):
        firmware.set(meter_mw=milliwatts)
        shows(look, milliwatts / 1000)
    sample = look.after(MEDIUM)
    assert source(sample, "power_watts") == "ACPI power meter: whole device"
    assert sample.provenance["power_watts"].method == "measured"


@pytest.fixture
def no_meter(firmware: Firmware) -> Iterator[None]:
    (METER / "unbind").write_text(DEVICE)
    yield
    (METER / "bind").write_text(DEVICE)


@pytest.mark.usefixtures("no_meter")
def test_a_battery_is_the_power_while_it_discharges_and_nothing_else_feeds(
    firmware: Firmware, look: Look
) -> None:
    firmware.set(mains=0, battery_state=DISCHARGING, battery_mw=7_500)
    shows(look, 7.5)
    assert source(look.after(MEDIUM), "power_watts") == "discharging battery BAT0: whole device"
    firmware.set(battery_mw=31_250)
    shows(look, 31.25)
    firmware.set(mains=1, battery_state=CHARGING, battery_mw=20_000)
    eventually(lambda: math.isnan(look.after(MEDIUM).power_watts), "charging is no consumption")
    assert "no power sensor" in look.after(MEDIUM).missing["power_watts"]
    firmware.set(mains=0, battery_state=DISCHARGING, battery_mw=4_000)
    shows(look, 4.0)


def test_the_source_of_power_changes_when_the_meter_goes_and_comes(
    firmware: Firmware, look: Look
) -> None:
    firmware.set(mains=0, battery_state=DISCHARGING, battery_mw=7_500, meter_mw=9_000)
    shows(look, 9.0)
    (METER / "unbind").write_text(DEVICE)
    try:
        assert DEVICE in look.after(MEDIUM).missing["power_watts"]
        shows(look, 7.5)  # after three readings without the meter
    finally:
        (METER / "bind").write_text(DEVICE)
    look.anew()
    shows(look, 9.0)
