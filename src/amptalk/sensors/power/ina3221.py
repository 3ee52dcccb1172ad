"""The INA3221 meters of a Jetson, in both layouts of its kernels.

Until JetPack 4 they are iio devices with `rail_name_N` and `in_powerN_input`, in mW and with a
unit behind some of the numbers; since JetPack 5 hwmon chips with `inN_label`, `inN_input` (mV)
and `currN_input` (mA), no power, and `in4` to `in7` that are shunt voltages. Rails named `NC` are
not connected, a rail with `inN_enable` 0 is off.

The rail at the input is the whole device; without one it is the sum of the rails, in which the
carrier board is not included. A meter whose rails have no names tells nothing of the device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from amptalk.sensors.files import exists, garbled, listing, read_number, read_text, text_or_nothing
from amptalk.sensors.hwmon import check, chips
from amptalk.sensors.power.meter import Reading
from amptalk.sensors.roots import Roots

_INPUT = ("VDD_IN", "POM_5V_IN")
_CHANNELS = (1, 2, 3)


class _Rail(NamedTuple):
    label: str
    paths: tuple[str, ...]
    """One file in mW, or a pair in mV and mA."""
    label_path: str
    """What says `label`, as long as the number of the chip is still this one's."""
    enable: str = ""

    def watts(self) -> float:
        check(self.label_path, self.label)
        if self.enable and text_or_nothing(self.enable) == "0":
            return 0.0
        if len(self.paths) == 1:
            watts = _milli(self.paths[0], "mW") / 1e3
        else:
            watts = read_number(self.paths[0]) * read_number(self.paths[1]) / 1e6
        if watts < 0.0:
            raise garbled(" with ".join(self.paths), f"rail {self.label} says {watts:g} W")
        return watts


class Ina3221:
    """The rails of all meters of the board."""

    name = "INA3221"

    def __init__(self, roots: Roots) -> None:
        self._sys = roots.sys
        self._rails: list[_Rail] = []
        self.source = ""

    def discover(self) -> None:
        """Look for rails anew."""
        rails = [*_iio(f"{self._sys}/bus/i2c/devices"), *_hwmon(self._sys)]
        at_input = [rail for rail in rails if rail.label in _INPUT]
        self._rails = at_input[:1] or rails
        labels = " + ".join(rail.label for rail in self._rails)
        covers = "whole device" if at_input else "rails of the module, without the carrier board"
        self.source = f"INA3221 {labels}: {covers}"

    def read(self, _clock: Callable[[], float]) -> Reading | None:
        """Power at the input, or of all rails together; one that fails leaves no sum."""
        if not self._rails:
            return None
        watts = sum([rail.watts() for rail in self._rails])
        plain = all(len(rail.paths) == 1 for rail in self._rails) and len(self._rails) == 1
        return Reading(watts, "measured" if plain else "derived", self.source)

    def paths(self) -> tuple[str, ...]:
        """Files of the rails."""
        return tuple(path for rail in self._rails for path in rail.paths)


def _iio(folder: str) -> list[_Rail]:
    found = []
    for device in listing(folder):
        for name in listing(f"{folder}/{device}"):
            if not name.startswith("iio:device"):
                continue
            for entry in listing(f"{folder}/{device}/{name}"):
                if entry.startswith("rail_name_"):
                    path = f"{folder}/{device}/{name}"
                    label = text_or_nothing(f"{path}/{entry}")
                    if _connected(label):
                        file = f"{path}/in_power{entry[10:]}_input"
                        found.append(_Rail(label, (file,), f"{path}/{entry}"))
    return found


def _hwmon(sys: str) -> list[_Rail]:
    found = []
    for chip in chips(sys):
        if chip.name != "ina3221":
            continue
        for number in _CHANNELS:
            named = f"{chip.folder}/in{number}_label"
            label = text_or_nothing(named)
            if _connected(label):
                pair = (f"{chip.folder}/in{number}_input", f"{chip.folder}/curr{number}_input")
                enable = f"{chip.folder}/in{number}_enable"
                found.append(_Rail(label, pair, named, enable if exists(enable) else ""))
    return found


def _connected(label: str) -> bool:
    """Whether something hangs on the rail, by its label from the device tree."""
    return label.isascii() and label.isprintable() and label.upper() not in {"", "NC"}


def _milli(path: str, unit: str) -> int:
    """A number in thousandths, with or without its unit behind it."""
    text = read_text(path)
    number = text.removesuffix(unit).strip()
    try:
        return int(number)
    except ValueError:
        raise garbled(path, f"{text[:40]!r} is not a number in {unit}") from None
