"""What a Raspberry Pi says of being slowed down: its firmware, and the kernel's alarm.

The firmware's `get_throttled` is hexadecimal: bits 0-3 are now, bits 16-19 since they were last
cleared. The kernel's driver asks every 2 s and clears the latter, so a bit that appears there
between two readings was active, and what was seen is kept by us (`throttling`). The flags come
from the kernel's file, or by a command where there is none. `rpi_volt` shows the same
under-voltage as `in0_lcrit_alarm`, for the last 2 s.

Formats: drivers/firmware/raspberrypi.c, drivers/hwmon/raspberrypi-hwmon.c.
"""

from __future__ import annotations

from amptalk.sensors.files import SensorFault, exists, garbled, listing, read_number, read_text
from amptalk.sensors.hwmon import GONE, Chip, chips
from amptalk.sensors.raspberry import Firmware, firmware
from amptalk.sensors.roots import Roots
from amptalk.sensors.throttling_readers import FREQUENCY, THERMAL, VOLTAGE, Finding, told

EVERY = 2.0
"""Seconds between readings: the kernel clears what was seen as often."""
_COMMAND = "get_throttled"
_BITS = (
    (VOLTAGE, 0, "under-voltage"),
    (FREQUENCY, 1, "ARM frequency capped"),
    (THERMAL, 2, "throttled"),
    (THERMAL, 3, "soft temperature limit"),
)


class Flags:
    """What the firmware of a Raspberry Pi says."""

    name = "get_throttled"
    causes = (VOLTAGE, FREQUENCY, THERMAL)

    def __init__(self, roots: Roots) -> None:
        self.gone = False
        self._roots = roots
        self._path = ""
        self._firmware: Firmware | None = None
        self._sticky = -1

    @property
    def there(self) -> bool:
        """Whether this is such a board."""
        return bool(self._path) or self._firmware is not None

    def discover(self) -> None:
        """Find the file: its folder has other names on other models."""
        self._path = ""
        platform = f"{self._roots.sys}/devices/platform"
        for soc in listing(platform):
            if soc.startswith("soc"):
                for name in listing(f"{platform}/{soc}"):
                    path = f"{platform}/{soc}/{name}/{_COMMAND}"
                    if name.endswith("firmware") and exists(path):
                        self._path = path
        self._firmware = None if self._path else firmware(self._roots)

    def _bits(self) -> int:
        if self._path:
            where, text = self._path, read_text(self._path)
        elif self._firmware is not None:
            where, text = _COMMAND, self._firmware(_COMMAND)
        try:
            return int(text.removeprefix("throttled="), 16)
        except ValueError:
            raise garbled(where, f"{text[:40]!r} is not hexadecimal") from None

    def read(self) -> list[Finding]:
        """Bits that are set now, and those that were set since the last reading."""
        if not self.there:
            return []
        self.gone = False
        try:
            bits = self._bits()
        except SensorFault as fault:
            self._sticky = -1
            self.gone = fault.number in GONE
            return [Finding(cause, seen=False, text=fault.reason) for cause in self.causes]
        sticky = bits >> 16
        fresh = sticky & ~self._sticky if self._sticky >= 0 else 0
        self._sticky = sticky
        active = bits | fresh
        texts: dict[str, list[str]] = {cause: [] for cause in self.causes}
        for cause, bit, label in _BITS:
            if active >> bit & 1:
                texts[cause].append(f"the firmware says {label}")
        return [told(cause, texts[cause], None, there=True) for cause in texts]


class VoltageAlarm:
    """The alarm of the Raspberry Pi's kernel driver."""

    name = "rpi_volt"
    causes = (VOLTAGE,)

    def __init__(self, roots: Roots) -> None:
        self.gone = False
        self._sys = roots.sys
        self._chip: Chip | None = None

    @property
    def there(self) -> bool:
        """Whether there is such an alarm."""
        return self._chip is not None

    def discover(self) -> None:
        """Find the alarm."""
        found = [chip for chip in chips(self._sys) if chip.name == "rpi_volt"]
        self._chip = found[0] if found else None

    def read(self) -> list[Finding]:
        """Whether the voltage was too low in the last 2 s."""
        if self._chip is None:
            return [told(VOLTAGE, [], None, there=False)]
        self.gone = False
        try:
            self._chip.check()
            low = read_number(f"{self._chip.folder}/in0_lcrit_alarm") != 0
        except SensorFault as fault:
            self.gone = fault.number in GONE
            return [told(VOLTAGE, [], fault, there=True)]
        return [told(VOLTAGE, ["rpi_volt raises its alarm"] if low else [], None, there=True)]
