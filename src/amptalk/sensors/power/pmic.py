"""The power of a Raspberry Pi 5, estimated from the rails of its power management chip.

The firmware tells current and voltage of each rail (`pmic_read_adc`); their products are added.
That leaves out what the 5 V input feeds directly - USB devices, HATs, the fan - and what the
converters lose, so it is less than what the plug gives; no correction is guessed. `EXT5V` and
`BATT` are voltages without a current and not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from amptalk.sensors.files import SensorFault, garbled
from amptalk.sensors.power.meter import Reading
from amptalk.sensors.raspberry import Firmware, firmware, model
from amptalk.sensors.roots import Roots

COMMAND = "pmic_read_adc"
_BOARDS = ("Raspberry Pi 5", "Raspberry Pi Compute Module 5")
_METER = (
    "put a meter at the input, such as dtoverlay=i2c-sensor,ina219 in /boot/firmware/config.txt"
)


def watts_of_rails(text: str) -> tuple[float, int]:
    r"""Sum of current times voltage, and of how many rails. Raises `SensorFault`.

    >>> watts_of_rails("3V3_A current(1)=0.5A\\n3V3_V volt(9)=3.3V\\nEXT5V_V volt(24)=5.1V")
    (1.65, 1)
    """
    amperes: dict[str, float] = {}
    volts: dict[str, float] = {}
    for line in text.splitlines():
        name, _space, rest = line.strip().partition(" ")
        figure = rest.partition("=")[2].strip()
        if not figure:
            continue
        kind = amperes if name.endswith("_A") else volts
        if name[-2:] not in {"_A", "_V"} or figure[-1] != name[-1]:
            raise garbled(COMMAND, f"{line.strip()[:60]!r} is no current in A or voltage in V")
        try:
            kind[name[:-2]] = float(figure[:-1])
        except ValueError:
            raise garbled(COMMAND, f"{line.strip()[:60]!r} has no number") from None
    alone = sorted(set(amperes) - set(volts))
    if alone or not amperes:
        raise garbled(COMMAND, f"no voltage of {', '.join(alone)}" if alone else "no rail in it")
    watts = sum([amperes[rail] * volts[rail] for rail in amperes])
    if not isfinite(watts) or min(*amperes.values(), *volts.values()) < 0.0:
        raise garbled(COMMAND, "a rail is below 0 or no number")
    return watts, len(amperes)


class Pmic:
    """The rails of a Raspberry Pi 5."""

    name = "Raspberry Pi 5 PMIC"

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._firmware: Firmware | None = None

    def discover(self) -> None:
        """See whether this is such a board."""
        ours = model(self._roots).startswith(_BOARDS)
        self._firmware = firmware(self._roots) if ours else None

    def read(self, _clock: Callable[[], float]) -> Reading | None:
        """Power of all rails."""
        if self._firmware is None:
            return None
        try:
            watts, rails = watts_of_rails(self._firmware(COMMAND))
        except SensorFault as fault:
            fault.remedy = fault.remedy or _METER
            raise
        return Reading(
            watts,
            "estimated",
            f"{self.name}: {rails} rails of the board, without the 5 V peripherals "
            "and the losses of the converters",
        )

    def paths(self) -> tuple[str, ...]:
        """The firmware's command."""
        return (COMMAND,) if self._firmware is not None else ()
