"""The temperature sensors of a machine: which there are, where, and what their limits are.

Thermal zones with their trip points, and hwmon chips with their labels and limits. A sensor is
known by name, label and the device it sits on, since the numbers of zones and chips move, from
boot to boot and when a driver is loaded anew. Finding them reads names only, which the kernel
keeps; limits may come from the device and are read once a sensor counts. Which one counts is
chosen in `temperature`.

Formats: Documentation/ABI/testing/sysfs-class-thermal, Documentation/hwmon/sysfs-interface.rst
(m°C).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import isnan, nan
from typing import NamedTuple

from amptalk.sensors.files import (
    LEAST,
    SensorFault,
    listing,
    read_number,
    read_once,
    text_or_nothing,
    whole_number,
)
from amptalk.sensors.hwmon import Chip, check, chips
from amptalk.sensors.roots import Roots

LOWEST, HIGHEST = -40_000, 150_000
"""Outside of these a reading is no temperature: -256 °C means off, 65261 °C no limit."""
JUNCTION, CHIP, SYSTEM, ZONE, OTHER, NEVER = range(6)
"""Ranks; the smallest that gives a value counts, and `NEVER` only when asked for by name."""
_JUNCTION = ("x86_pkg_temp", "tj-thermal", "tj_thermal", "tj-therm")
_PROCESSOR = ("cpu", "soc", "pkg", "package", "tj-")
_PROCESSOR_CHIPS = ("coretemp", "k10temp", "k8temp", "zenpower", "cpu_thermal", "soc_thermal")
_NOT_THE_DEVICE = (
    *("pmic-die", "int3400", "bat", "nvme", "drivetemp", "iwl", "wifi", "phy", "ath", "mt79"),
    *("charger", "usb", "gpu", "amdgpu", "nouveau", "radeon", "i915", "xe", "jc42", "spd5118"),
    *("w1_slave_temp", "w1_therm", "ds18"),  # on 1-Wire, where a reading takes a second
)
_WHOLE_CHIP = ("package", "physical", "tdie", "tctl")


class Limits(NamedTuple):
    """What the kernel does about a temperature; °C, `nan` where it says nothing."""

    slows_at: float = nan
    """It slows the device down: the lowest `passive` trip point, or a chip's `max`."""
    stops_at: float = nan
    """It stops the device: the lowest `critical` trip point, or a chip's `crit`."""

    def __str__(self) -> str:
        """Give the known ones in words, nothing without any."""
        known = (("slows at", self.slows_at), ("stops at", self.stops_at))
        return ", ".join(f"{words} {limit:g} °C" for words, limit in known if not isnan(limit))


class Thermometer:
    """One sensor."""

    __slots__ = ("_check", "_read_limits", "key", "label", "limits", "name", "path", "rank")

    def __init__(  # noqa: PLR0917 - what a sensor is known by, and how it is read
        self,
        rank: int,
        name: str,
        label: str,
        key: str,
        path: str,
        check: Callable[[], None],
        limits: Callable[[], Limits],
    ) -> None:
        self.rank = rank
        self.name = name
        """Type of the zone, or name of the chip."""
        self.label = label
        """Name with the label of the sensor."""
        self.key = key
        """Label and device: the same sensor has the same key after every boot."""
        self.path = path
        self.limits: Limits | None = None
        """`None` until they were read."""
        self._check = check
        self._read_limits = limits

    def celsius(self) -> float:
        """Read it. Raises `SensorFault`, also for what cannot be a temperature."""
        self._check()
        value = whole_number(read_once(self.path), self.path, LEAST)
        if not LOWEST <= value <= HIGHEST:
            raise SensorFault(f"{self.path} says {value / 1000:g} °C, which cannot be")
        if value == 0:
            raise SensorFault(f"{self.path} says exactly 0 °C, as a sensor without power does")
        return value / 1000.0

    def read_limits(self) -> None:
        """Read its limits; those that cannot be read or be are left out."""
        self.limits = self._read_limits()


def thermometers(roots: Roots) -> list[Thermometer]:
    """Every sensor, those that count first."""
    found = [*_zones(roots.sys), *_chips(roots.sys)]
    found.sort(key=lambda one: one.rank)
    return found


def _zones(sys: str) -> list[Thermometer]:
    folder = f"{sys}/class/thermal"
    found: list[Thermometer] = []
    for number in listing(folder):
        if not number.startswith("thermal_zone"):
            continue
        path = f"{folder}/{number}"
        kind = text_or_nothing(f"{path}/type") or number
        same = sum(1 for one in found if one.name == kind)
        key = f"{kind} #{same + 1}" if same else kind
        found.append(
            Thermometer(
                _rank_of_zone(kind), kind, kind, key, f"{path}/temp",
                partial(check, f"{path}/type", "" if kind == number else kind),
                partial(_trip_points, path),
            )
        )  # fmt: skip
    return found


def _trip_points(path: str) -> Limits:
    """Take the lowest trip point that slows (`passive`) and that stops (`critical`)."""
    slows = stops = nan
    for entry in listing(path):
        if entry.startswith("trip_point_") and entry.endswith("_type"):
            kind = text_or_nothing(f"{path}/{entry}")
            limit = _limit(f"{path}/{entry[:-4]}temp")
            if kind == "passive" and not limit >= slows:
                slows = limit
            elif kind == "critical" and not limit >= stops:
                stops = limit
    return Limits(slows, stops)


def _chips(sys: str) -> list[Thermometer]:
    found = []
    for chip in chips(sys):
        if chip.name:
            found += _of_chip(chip)
    return found


def _of_chip(chip: Chip) -> list[Thermometer]:
    """Sensors of one chip; a processor gives its whole value and not each core's.

    That says more and wakes fewer cores. AMD's `Tctl` carries an offset of up to 27 °C on some
    processors: with a `Tdie` beside it, that is the temperature.
    """
    labels = {
        entry[:-6]: text_or_nothing(f"{chip.folder}/{entry[:-5]}label")
        for entry in listing(chip.folder)
        if entry.startswith("temp") and entry.endswith("_input")
    }
    whole = [one for one in labels if labels[one].lower().startswith(_WHOLE_CHIP)]
    if any(labels[one].lower() == "tdie" for one in whole):
        whole = [one for one in whole if labels[one].lower() != "tctl"]
    found = []
    for one in whole or labels:
        label = f"{chip.name} {labels[one]}".strip()
        key = f"{label} at {chip.place}/{one}" if chip.place else f"{label} {one}"
        file = f"{chip.folder}/{one}"
        found.append(
            Thermometer(
                _rank_of_chip(chip.name), chip.name, label, key, f"{file}_input",
                chip.check, partial(_chip_limits, file),
            )
        )  # fmt: skip
    return found


def _chip_limits(file: str) -> Limits:
    return Limits(_limit(f"{file}_max"), _limit(f"{file}_crit"))


def _limit(path: str) -> float:
    """A limit in °C, `nan` where there is none or it makes no sense."""
    try:
        value = read_number(path)
    except SensorFault:
        return nan
    return value / 1000.0 if 0 < value <= HIGHEST else nan


def _rank_of_zone(kind: str) -> int:
    lowered = kind.lower()
    if lowered.startswith(_JUNCTION):
        return JUNCTION
    if lowered.startswith(_NOT_THE_DEVICE):
        return NEVER
    return SYSTEM if any(word in lowered for word in _PROCESSOR) else ZONE


def _rank_of_chip(name: str) -> int:
    lowered = name.lower()
    if lowered.startswith(_NOT_THE_DEVICE):
        return NEVER
    return CHIP if lowered.startswith(_PROCESSOR_CHIPS) else OTHER
