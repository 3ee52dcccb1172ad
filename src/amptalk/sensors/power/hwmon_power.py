"""Power and energy of other hwmon chips, as far as it is known what they measure.

- The whole device: a label that says so (`Total System Power`), or the inputs of its power
  supplies (`pin`), added.
- The processor: `fam15h_power`, the rails of `zenpower`, the sockets of `amd_energy` (a counter,
  differentiated; it does not wrap, so a step back is a reset).
- A board with exactly one meter of the INA2xx kind: what it feeds is not known, and it says so.

GPUs, drives and memory are parts of the device and not used. Only one of `powerN_average` and
`powerN_input` may exist. Format: Documentation/hwmon/sysfs-interface.rst (µW, µJ).
"""

from __future__ import annotations

from amptalk.sensors.files import SensorFault, exists, listing
from amptalk.sensors.hwmon import Chip, chips, text_or_nothing
from amptalk.sensors.power.counters import Counter, CounterGroup
from amptalk.sensors.power.meter import Reading, microwatts
from amptalk.sensors.roots import Roots

_NOT_THE_DEVICE = ("amdgpu", "nouveau", "radeon", "i915", "xe", "nvme", "power_meter", "ina3221")
_TOTAL = {"total system power", "system power", "power total", "total power"}
_SUPPLY = ("pin",)
_PROCESSOR = {"fam15h_power", "zenpower"}
_BOARD = ("ina2",)
ADD_METER = (
    "wire an INA219 to the supply and tell the kernel of it: "
    "echo ina219 0x40 | sudo tee /sys/bus/i2c/devices/i2c-1/new_device"
)
"""For boards with I2C (Documentation/i2c/instantiating-devices.rst)."""


class HwmonPower:
    """Chips of one kind: `device`, `processor` or `board`."""

    def __init__(self, roots: Roots, kind: str) -> None:
        self._sys = roots.sys
        self._kind = kind
        self._files: tuple[str, ...] = ()
        self.source = ""
        self.discover()

    def discover(self) -> None:
        """Look for chips anew."""
        found = [
            (chip, label, path)
            for chip in chips(self._sys)
            if not chip.name.startswith(_NOT_THE_DEVICE)
            for label, path in _channels(chip)
        ]
        if self._kind == "device":
            total = [one for one in found if one[1].lower() in _TOTAL]
            chosen = total[:1] or [one for one in found if one[1].lower().startswith(_SUPPLY)]
            covers = "whole device"
        elif self._kind == "processor":
            chosen = [one for one in found if one[0].name in _PROCESSOR]
            covers = "processor only"
        else:
            chosen = [one for one in found if one[0].name.startswith(_BOARD)]
            chosen = chosen if len(chosen) == 1 else []
            covers = "the one meter of the board; what it feeds is not known"
        self._files = tuple(path for _chip, _label, path in chosen)
        names = dict.fromkeys(f"{chip.key} {label}".strip() for chip, label, _path in chosen)
        self.source = f"{' + '.join(names)}: {covers}"

    def read(self, _now: float) -> Reading | None:
        """Power of the chips; one that fails leaves no sum."""
        if not self._files:
            return None
        watts = sum([microwatts(path) for path in self._files])
        return Reading(watts, "measured" if len(self._files) == 1 else "derived", self.source)

    def paths(self) -> tuple[str, ...]:
        """Files of the chips."""
        return self._files

    def close(self) -> None:
        """Nothing is kept open."""


class SocketEnergy:
    """The sockets of `amd_energy`, which counts what a processor of AMD's Zen takes."""

    source = "amd_energy sockets: processor only"

    def __init__(self, roots: Roots) -> None:
        self._sys = roots.sys
        self._files: tuple[str, ...] = ()
        self.group: CounterGroup | None = None
        self.discover()

    def discover(self) -> None:
        """Look for sockets anew; counting goes on when they are the same."""
        files = tuple(
            f"{chip.folder}/{entry[:-5]}input"
            for chip in chips(self._sys)
            if chip.name == "amd_energy"
            for entry in listing(chip.folder)
            if entry.startswith("energy")
            and entry.endswith("_label")
            and text_or_nothing(f"{chip.folder}/{entry}").startswith("Esocket")
        )
        if files != self._files:
            self.close()
            self._files = files
            self.group = CounterGroup([Counter(path) for path in files]) if files else None

    def read(self, now: float) -> Reading | None:
        """Power of the sockets."""
        if self.group is None:
            return None
        return Reading(self.group.watts(now), "derived", self.source)

    def paths(self) -> tuple[str, ...]:
        """Files of the counters."""
        return self._files

    def close(self) -> None:
        """Close the files."""
        if self.group is not None:
            self.group.close()


def _channels(chip: Chip) -> list[tuple[str, str]]:
    """Label and file of each power of a chip."""
    numbers = {
        entry[5:].partition("_")[0]
        for entry in listing(chip.folder)
        if entry.startswith("power") and entry.endswith(("_average", "_input"))
    }
    found = []
    for number in sorted(numbers):
        base = f"{chip.folder}/power{number}"
        path = f"{base}_average" if exists(f"{base}_average") else f"{base}_input"
        found.append((text_or_nothing(f"{base}_label"), path))
    return found


def raspberry_pi_5(roots: Roots) -> SensorFault | None:
    """Say why a Raspberry Pi 5, which measures its rails, has no power here."""
    if "Raspberry Pi 5" not in text_or_nothing(f"{roots.proc}/device-tree/model"):
        return None
    return SensorFault(
        "a Raspberry Pi 5 tells the power of its rails only through `vcgencmd pmic_read_adc`, "
        "a program to start and no file to read; the 5 V peripherals are not in it",
        ADD_METER,
    )
