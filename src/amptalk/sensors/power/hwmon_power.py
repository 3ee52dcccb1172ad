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

from collections.abc import Callable

from amptalk.sensors.files import exists, listing, text_or_nothing
from amptalk.sensors.hwmon import Chip, chips
from amptalk.sensors.power.counters import Counter, CounterGroup, renewed
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
        self.name = f"hwmon power of the {kind}"
        self._channels: tuple[tuple[Chip, str], ...] = ()
        self.source = ""

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
        self._channels = tuple((chip, path) for chip, _label, path in chosen)
        names = dict.fromkeys(f"{chip.key} {label}".strip() for chip, label, _path in chosen)
        self.source = f"{' + '.join(names)}: {covers}"

    def read(self, _clock: Callable[[], float]) -> Reading | None:
        """Power of the chips; one that fails leaves no sum."""
        if not self._channels:
            return None
        watts = 0.0
        for chip, path in self._channels:
            chip.check()
            watts += microwatts(path)
        return Reading(watts, "measured" if len(self._channels) == 1 else "derived", self.source)

    def paths(self) -> tuple[str, ...]:
        """Files of the chips."""
        return tuple(path for _chip, path in self._channels)


class SocketEnergy:
    """The sockets of `amd_energy`, which counts what a processor of AMD's Zen takes."""

    name = "amd_energy"
    source = "amd_energy sockets: processor only"

    def __init__(self, roots: Roots) -> None:
        self._sys = roots.sys
        self._files: tuple[str, ...] = ()
        self.group: CounterGroup | None = None

    def discover(self) -> None:
        """Look for sockets anew; the total goes on when they are the same."""
        counters = {
            f"{chip.key} {label}": Counter(path, check=chip.check)
            for chip in chips(self._sys)
            if chip.name == "amd_energy"
            for label, path in _sockets(chip)
        }
        self._files = tuple(counter.path for counter in counters.values())
        self.group = renewed(self.group, counters)

    def read(self, clock: Callable[[], float]) -> Reading | None:
        """Power of the sockets."""
        if self.group is None:
            return None
        return Reading(self.group.watts(clock), "derived", self.source)

    def paths(self) -> tuple[str, ...]:
        """Files of the counters."""
        return self._files


def _sockets(chip: Chip) -> list[tuple[str, str]]:
    """Label and file of the energy of each socket."""
    labels = {
        entry[:-6]: text_or_nothing(f"{chip.folder}/{entry}")
        for entry in listing(chip.folder)
        if entry.startswith("energy") and entry.endswith("_label")
    }
    return [
        (label, f"{chip.folder}/{entry}_input")
        for entry, label in labels.items()
        if label.startswith("Esocket")
    ]


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
