"""Limits of devices that are files of the kernel: processor clock, processor power, whole device.

Formats: Documentation/admin-guide/pm/cpufreq.rst, Documentation/power/powercap/powercap.rst,
Documentation/hwmon/acpi_power_meter.rst.
"""

from __future__ import annotations

from amptalk.actuators.devices.contract import FileLimit, Setting
from amptalk.model.errors import ActionError
from amptalk.sensors.files import (
    SensorFault,
    exists,
    is_number,
    listing,
    read_number,
    text_or_nothing,
)
from amptalk.sensors.hwmon import chips
from amptalk.sensors.roots import Roots

_WATT = 1_000_000
"""Microwatts. Whole watts lie on the grid of every processor's power unit and of ACPI's mW."""
_LEAST_WATTS = 2
_ZONES = ("intel-rapl:", "intel-rapl-mmio:")


class Frequency(FileLimit):
    """`scaling_max_freq` of every policy of cpufreq."""

    name = "cpufreq"

    def find(self, roots: Roots) -> list[Setting]:
        """Every policy; on one of the clocks it lists, where it lists any."""
        folder = f"{roots.sys}/devices/system/cpu/cpufreq"
        found = []
        for name in listing(folder):
            path = f"{folder}/{name}/scaling_max_freq"
            if not (name.startswith("policy") and exists(path)):
                continue
            full = _number(path)
            listed = text_or_nothing(f"{folder}/{name}/scaling_available_frequencies").split()
            choices = tuple(int(word) for word in listed if is_number(word))
            least = _number(f"{folder}/{name}/cpuinfo_min_freq")
            found.append(Setting(path, full, least, 1000, choices))
        if not found:
            raise ActionError(f"{folder} has no policy: no driver sets the processor's clock here")
        return found


class ProcessorPower(FileLimit):
    """The long-term power limit of every processor package, by RAPL."""

    name = "rapl"

    def find(self, roots: Roots) -> list[Setting]:
        """The outermost zones that limit already; their `enabled` is never changed."""
        folder = f"{roots.sys}/class/powercap"
        found, off = [], ""
        for tree in _ZONES:
            for zone in listing(folder):
                if not zone.startswith(tree) or zone.count(":") != 1:
                    continue
                if text_or_nothing(f"{folder}/{zone}/name").startswith("package-"):
                    setting = _long_term(f"{folder}/{zone}")
                    if text_or_nothing(f"{folder}/{zone}/enabled") == "0":
                        off = f"{folder}/{zone} is not enabled, so a limit in it does nothing"
                    elif setting is not None:
                        found.append(setting)
            if found:
                return found
        raise ActionError(off or f"{folder} has no package with a long-term limit")


def _long_term(zone: str) -> Setting | None:
    for name in listing(zone):
        number = name.removeprefix("constraint_").removesuffix("_name")
        if not name.endswith("_name") or text_or_nothing(f"{zone}/{name}") != "long_term":
            continue
        path = f"{zone}/constraint_{number}_power_limit_uw"
        full = _number(path)
        most = text_or_nothing(f"{zone}/constraint_{number}_max_power_uw")
        if is_number(most) and 0 < int(most) < full:
            full = int(most)
        return Setting(path, full, _LEAST_WATTS * _WATT, _WATT) if full >= _WATT else None
    return None


class DevicePower(FileLimit):
    """The cap of the whole device's power, by the ACPI power meter of its firmware."""

    name = "acpi_power"

    def find(self, roots: Roots) -> list[Setting]:
        """The first meter that can cap."""
        for chip in chips(roots.sys):
            if chip.name not in {"", "power_meter"}:
                continue
            folder = chip.folder if chip.name else f"{roots.sys}/devices/{chip.place}"
            path = f"{folder}/power1_cap"
            if not exists(path):
                continue
            least, most = (_number(f"{folder}/power1_cap_{end}") for end in ("min", "max"))
            full = _number(path)
            return [Setting(path, min(full, most) if full > 0 else most, least, _WATT)]
        raise ActionError(
            f"no ACPI power meter in {roots.sys}/class/hwmon can cap (makers other than IBM: load "
            "acpi_power_meter with force_cap_on=1)"
        )


def _number(path: str) -> int:
    try:
        return read_number(path)
    except SensorFault as fault:
        raise ActionError(fault.reason) from None
