"""The ACPI power meter of servers: the input of the whole device, averaged by its firmware.

Older kernels put the files into `hwmonN/device/` and give `hwmonN` no name; newer ones have them
in `hwmonN` under the name `power_meter`.

Format: Documentation/hwmon/acpi_power_meter.rst (µW).
"""

from __future__ import annotations

from collections.abc import Callable

from amptalk.sensors.files import exists
from amptalk.sensors.hwmon import Chip, chips
from amptalk.sensors.power.meter import Reading, microwatts
from amptalk.sensors.roots import Roots


class AcpiMeter:
    """The first power meter there is."""

    name = "ACPI power meter"

    def __init__(self, roots: Roots) -> None:
        self._sys = roots.sys
        self._path = ""
        self._chip: Chip | None = None

    def discover(self) -> None:
        """Look for a meter anew."""
        self._path = ""
        for chip in chips(self._sys):
            folder = chip.folder if chip.name == "power_meter" else f"{chip.folder}/device"
            path = f"{folder}/power1_average"
            if chip.name in {"", "power_meter"} and exists(path):
                self._path, self._chip = path, chip
                return

    def read(self, _clock: Callable[[], float]) -> Reading | None:
        """Power at the input."""
        if not self._path or self._chip is None:
            return None
        self._chip.check()
        return Reading(microwatts(self._path), "measured", "ACPI power meter: whole device")

    def paths(self) -> tuple[str, ...]:
        """The meter's file."""
        return (self._path,) if self._path else ()
