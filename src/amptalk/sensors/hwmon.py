"""The chips of hwmon and what tells one from another: their number moves from boot to boot.

A chip is known by its name and the device it sits on. It may go and another one get its number
while we run, so whoever reads a chip calls `check` first. Readings are the business of the
sensors.

Format: Documentation/hwmon/sysfs-interface.rst.
"""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from amptalk.sensors.files import (
    SensorFault,
    exists,
    link_target,
    listing,
    read_text,
    text_or_nothing,
)

GONE = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO})
"""Errors of a device that is gone: look for it anew, it may be back under another number."""


class Chip(NamedTuple):
    """One entry of `class/hwmon`."""

    folder: str
    """Below its device: gone with the chip, while its number may be another chip's by then."""
    name: str
    """Empty for an ACPI power meter of older kernels, which has no name of its own."""
    place: str
    """The device's path below `devices`, which stays the same; empty where it cannot be told."""
    link: str
    """Where `device` points to, as the kernel says it; empty without."""

    @property
    def key(self) -> str:
        """Name and place: the same chip has the same key under another number."""
        return f"{self.name or 'a chip'} at {self.place}" if self.place else self.name

    def check(self) -> None:
        """Raise `SensorFault` when the folder is gone or has become another chip's."""
        check(f"{self.folder}/name", self.name)
        if self.link != link_target(f"{self.folder}/device"):
            raise another(self.folder, self.key)


def check(path: str, text: str) -> None:
    """Raise `SensorFault` unless a file still says `text`; an empty one is not looked at."""
    if text and read_text(path) != text:
        raise another(path, text)


def another(path: str, before: str) -> SensorFault:
    """Say that a number now belongs to another device, or to none."""
    if not exists(path):
        return SensorFault(f"{path} does not exist any more: {before}", "", errno.ENODEV)
    return SensorFault(f"{path} belongs to another device than {before} now", "", errno.ENODEV)


def chips(sys: str) -> list[Chip]:
    """Every chip, in the order of their folders."""
    folder = f"{sys}/class/hwmon"
    devices = os.path.realpath(f"{sys}/devices") + "/"
    found = []
    for number in listing(folder):
        path = os.path.realpath(f"{folder}/{number}")
        place = os.path.realpath(f"{path}/device")
        place = place[len(devices) :] if place.startswith(devices) else ""
        found.append(
            Chip(path, text_or_nothing(f"{path}/name"), place, link_target(f"{path}/device"))
        )
    return found
