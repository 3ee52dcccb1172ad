"""Batteries: what they give is the whole device, as long as nothing else feeds it.

All discharging batteries are added, those of mice and keyboards (scope `Device`) left out.
While a charger is online they give a part at most, and say nothing here. The sign is not
trusted: the ABI has discharging negative, many drivers show it without sign; `status` tells.
Batteries and chargers come and go with their cables: they are looked for at each reading.
A power too small or too large for a device points to a driver with another unit: it is refused,
never rescaled.

Format: Documentation/ABI/testing/sysfs-class-power (µW, µA, µV).
"""

from __future__ import annotations

from collections.abc import Callable

from amptalk.model.sample import Method
from amptalk.sensors.files import (
    SensorFault,
    exists,
    garbled,
    listing,
    read_number,
    read_text,
    text_or_nothing,
)
from amptalk.sensors.power.meter import Reading
from amptalk.sensors.roots import Roots

_CHARGERS = ("Mains", "USB", "Wireless", "UPS")
_LEAST, _MOST = 0.05, 1000.0


class Batteries:
    """All batteries that feed the device."""

    name = "battery"

    def __init__(self, roots: Roots) -> None:
        self._folder = f"{roots.sys}/class/power_supply"
        self._batteries: list[str] = []
        self._chargers: list[str] = []

    def discover(self) -> None:
        """Look for batteries and chargers anew."""
        self._batteries, self._chargers = [], []
        for name in listing(self._folder):
            path = f"{self._folder}/{name}"
            kind = text_or_nothing(f"{path}/type")
            if kind.startswith(_CHARGERS):
                self._chargers.append(f"{path}/online")
            elif kind == "Battery" and text_or_nothing(f"{path}/scope") != "Device":
                self._batteries.append(path)

    def read(self, _clock: Callable[[], float]) -> Reading | None:
        """Power that the batteries give; `None` when none does, or a charger is online."""
        self.discover()
        if not self._batteries:
            return None
        if any(text_or_nothing(path) not in {"", "0"} for path in self._chargers):
            return None
        watts, methods, names = 0.0, set[Method](), []
        for folder in self._batteries:
            if read_text(f"{folder}/status") == "Discharging":
                more, method = _watts(folder)
                watts += more
                methods.add(method)
                names.append(folder.rpartition("/")[2])
        if not names:
            return None
        kept: Method = "derived" if "derived" in methods or len(names) > 1 else "measured"
        return Reading(watts, kept, f"discharging battery {' + '.join(names)}: whole device")

    def paths(self) -> tuple[str, ...]:
        """Files of the batteries."""
        return tuple(f"{folder}/status" for folder in self._batteries)


def _watts(folder: str) -> tuple[float, Method]:
    """Power of one battery: as its gauge says, else current times voltage."""
    path = f"{folder}/power_now"
    method: Method = "measured"
    if exists(path):
        watts = abs(read_number(path)) / 1e6
    else:
        path, method = f"{folder}/current_now", "derived"
        if not exists(path):
            raise SensorFault(f"{folder} has neither power_now nor current_now")
        watts = abs(read_number(path)) * abs(read_number(f"{folder}/voltage_now")) / 1e12
    if not _LEAST <= watts <= _MOST:
        raise garbled(path, f"{watts:g} W cannot be what a discharging battery gives")
    return watts, method
