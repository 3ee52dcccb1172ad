"""Chips of hwmon: real drivers on emulated registers."""

from __future__ import annotations

from contextlib import suppress

import pytest

from amptalk.sensors.files import SensorFault
from amptalk.sensors.roots import Roots
from amptalk.sensors.thermometers import thermometers
from tests.helpers import eventually
from tests.vm.guest.chips import ADDRESSES, Bus
from tests.vm.guest.firmware import Firmware
from tests.vm.guest.looking import MEDIUM, Look, looking


@pytest.fixture
def chosen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AMPTALK_TEMPERATURE", request.param)
    return str(request.param)


def follows(look: Look, bus: Bus, chip: str, celsius: float) -> None:
    bus.heat(chip, celsius)
    eventually(
        lambda: look.after(MEDIUM).temperature_celsius == celsius, f"{chip} says {celsius} °C"
    )


@pytest.mark.parametrize("chosen", ["lm75", "tmp102"], indirect=True)
def test_a_chip_is_read_as_its_register_says(bus: Bus, chosen: str) -> None:
    bus.heat(chosen, 45.0)
    bus.add(chosen)
    with looking() as look:
        eventually(lambda: look.after(MEDIUM).temperature_celsius == 45.0, "the first reading")
        for celsius in (90.5, 0.5, -7.5, 61.0):
            follows(look, bus, chosen, celsius)


def places() -> dict[str, str]:
    """Key of each emulated chip's sensor, and the number its folder has now."""
    numbers = {}
    for sensor in thermometers(Roots()):
        if sensor.name in ADDRESSES:
            folder = sensor.path.rpartition("/")[0]
            numbers[sensor.key] = folder.rpartition("/")[2]
    return numbers


def readings(name: str) -> list[float]:
    """What the sensors of a chip say now; nothing for one that is not ready."""
    told = []
    for sensor in thermometers(Roots()):
        if sensor.name == name:
            with suppress(SensorFault):
                told.append(sensor.celsius())
    return told


def renumber(bus: Bus) -> None:
    """Take both chips away and put them back the other way round."""
    for chip in ("lm75", "tmp102"):
        bus.remove(chip)
    for chip in ("tmp102", "lm75"):
        bus.add(chip)


def test_a_chip_is_known_by_its_place_when_its_number_moves(bus: Bus) -> None:
    for chip in ("lm75", "tmp102"):
        bus.add(chip)
    before = places()
    renumber(bus)
    after = places()
    assert len(before) == len(ADDRESSES)
    assert before.keys() == after.keys()
    assert sorted(before.values()) == sorted(after.values())
    assert all(before[key] != after[key] for key in before)


@pytest.mark.parametrize("chosen", ["lm75"], indirect=True)
def test_no_reading_is_taken_from_the_chip_that_got_the_number(bus: Bus, chosen: str) -> None:
    bus.heat("lm75", 45.0)
    bus.heat("tmp102", 88.0)
    for chip in ("lm75", "tmp102"):
        bus.add(chip)
    with looking() as look:
        eventually(lambda: look.after(MEDIUM).temperature_celsius == 45.0, "lm75 is read")
        renumber(bus)
        eventually(lambda: 88.0 in readings("tmp102"), "the other chip can be read")
        sample = look.after(MEDIUM)
        assert "temperature_celsius" in sample.missing or sample.temperature_celsius == 45.0
        assert look.anew().temperature_celsius == 45.0


def test_the_zone_of_the_firmware_counts_before_a_chip(
    firmware: Firmware, bus: Bus, look: Look
) -> None:
    firmware.set(decicelsius=385)
    bus.heat("lm75", 99.0)
    bus.add("lm75")
    assert look.anew().temperature_celsius == 38.5
