"""The temperature sensors of a machine: which there are, where, and what their limits are.

Thermal zones with their trip points, and hwmon chips with their labels and limits. A sensor is
known by name, label and the device it sits on, since the numbers of zones and chips move from
boot to boot. Which one counts is chosen in `temperature`.

Formats: Documentation/ABI/testing/sysfs-class-thermal, Documentation/hwmon/sysfs-interface.rst
(m°C).
"""

from __future__ import annotations

from math import isnan, nan

from amptalk.sensors.files import LEAST, KeptFile, SensorFault, listing, read_number, whole_number
from amptalk.sensors.hwmon import Chip, chips, text_or_nothing
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
)
_ONE_WIRE = ("w1_slave_temp", "w1_therm", "ds18")
_WHOLE_CHIP = ("package", "physical", "tdie", "tctl")


class Thermometer:
    """One sensor; it remembers what it last said, for when it must not be asked."""

    __slots__ = ("critical", "file", "high", "key", "label", "name", "not_before", "rank")

    def __init__(self, rank: int, name: str, label: str, key: str, path: str) -> None:
        self.rank = rank
        self.name = name
        """Type of the zone, or name of the chip."""
        self.label = label
        """Name with the label of the sensor."""
        self.key = key
        """Label and device: the same sensor has the same key after every boot."""
        self.file = KeptFile(path, 64)
        self.high = self.critical = nan
        """°C at which the kernel slows the device and stops it; `nan` where it says none."""
        self.not_before = -1e9
        """Monotonic seconds before which it must not be read again."""

    def celsius(self) -> float:
        """Read it. Raises `SensorFault`, also for what cannot be a temperature."""
        value = whole_number(self.file.read(), self.file.path, LEAST)
        if not LOWEST <= value <= HIGHEST:
            raise SensorFault(f"{self.file.path} says {value / 1000:g} °C, which cannot be")
        if value == 0:
            raise SensorFault(f"{self.file.path} says exactly 0 °C, as a sensor without power does")
        return value / 1000.0

    @property
    def limits(self) -> str:
        """Its limits in words, empty without any."""
        known = (("slows at", self.high), ("stops at", self.critical))
        return ", ".join(f"{words} {limit:g} °C" for words, limit in known if not isnan(limit))


def thermometers(roots: Roots) -> list[Thermometer]:
    """Every sensor that may be read on the tick, those that count first.

    1-Wire sensors are not among them: one reading takes up to a second.
    """
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
        if kind.lower().startswith(_ONE_WIRE):
            continue
        same = sum(1 for one in found if one.name == kind)
        key = f"{kind} #{same + 1}" if same else kind
        zone = Thermometer(_rank_of_zone(kind), kind, kind, key, f"{path}/temp")
        _trip_points(zone, path)
        found.append(zone)
    return found


def _trip_points(zone: Thermometer, path: str) -> None:
    """Take the lowest trip point that slows (`passive`) and that stops (`critical`)."""
    for entry in listing(path):
        if entry.startswith("trip_point_") and entry.endswith("_type"):
            kind = text_or_nothing(f"{path}/{entry}")
            limit = _limit(f"{path}/{entry[:-4]}temp")
            if kind == "passive" and not limit >= zone.high:
                zone.high = limit
            elif kind == "critical" and not limit >= zone.critical:
                zone.critical = limit


def _chips(sys: str) -> list[Thermometer]:
    found = []
    for chip in chips(sys):
        if not chip.name or chip.name.startswith(_ONE_WIRE) or "w1_bus_master" in chip.place:
            continue
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
        sensor = Thermometer(_rank_of_chip(chip.name), chip.name, label, key, f"{file}_input")
        sensor.high, sensor.critical = _limit(f"{file}_max"), _limit(f"{file}_crit")
        found.append(sensor)
    return found


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
