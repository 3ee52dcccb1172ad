"""The chips of hwmon and what tells one from another: their number moves from boot to boot.

A chip is known by its name and the device it sits on. Readings are the business of the sensors.

Format: Documentation/hwmon/sysfs-interface.rst.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from amptalk.sensors.files import SensorFault, listing, read_text


class Chip(NamedTuple):
    """One entry of `class/hwmon`."""

    folder: str
    """Below its device: gone with the chip, while its number may be another chip's by then."""
    name: str
    """Empty for an ACPI power meter of older kernels, which has no name of its own."""
    place: str
    """The device's path below `devices`, which stays the same; empty where it cannot be told."""

    @property
    def key(self) -> str:
        """Name and place: the same chip has the same key under another number."""
        return f"{self.name} at {self.place}" if self.place else self.name


def chips(sys: str) -> list[Chip]:
    """Every chip, in the order of their folders."""
    folder = f"{sys}/class/hwmon"
    devices = os.path.realpath(f"{sys}/devices") + "/"
    found = []
    for number in listing(folder):
        path = os.path.realpath(f"{folder}/{number}")
        place = os.path.realpath(f"{path}/device")
        place = place[len(devices) :] if place.startswith(devices) else ""
        found.append(Chip(path, text_or_nothing(f"{path}/name"), place))
    return found


def text_or_nothing(path: str) -> str:
    """Contents of a file, empty when it cannot be read."""
    try:
        return read_text(path)
    except SensorFault:
        return ""
