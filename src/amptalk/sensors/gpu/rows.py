"""A GPU in words, for `amptalk doctor`."""

from __future__ import annotations

from math import isnan

from amptalk.sensors.files import SensorFault
from amptalk.sensors.gpu.reading import QUANTITIES, GpuReading
from amptalk.sensors.gpu.source import FIELDS
from amptalk.sensors.report import SensorReport

_WORDS = {
    "utilization": "utilisation {:.0f} %",
    "memory_used_mb": "memory {:.0f} MB",
    "memory_total_mb": "of {:.0f} MB",
    "application_mb": "application {:.0f} MB",
    "application_utilization": "application {:.0f} %",
    "power_watts": "{:.1f} W",
    "energy_joules": "{:.0f} J",
    "temperature_celsius": "{:.0f} °C",
    "clock_mhz": "{:.0f} MHz",
    "memory_clock_mhz": "memory {:.0f} MHz",
}
_FIELD_OF = {quantity: field for field, quantity in FIELDS.items()}
_SECONDARY = {"application_utilization", "energy_joules", "clock_mhz", "memory_clock_mhz"}
"""Not worth a row when they are missing."""


def rows(
    name: str, title: str, reading: GpuReading | None, fault: SensorFault, *, filled: bool
) -> list[SensorReport]:
    """What it says, then a row for each reason; `filled` when its values are the sample's."""
    if reading is None:
        fields = tuple(FIELDS) if filled else ()
        return [SensorReport(name, fields, "", title, 0.0, fault.reason, fault.remedy)]
    known = [quantity for quantity in QUANTITIES if not isnan(getattr(reading, quantity))]
    found = []
    if known:
        said = [_WORDS[quantity].format(getattr(reading, quantity)) for quantity in known]
        if reading.throttled:
            said.append(f"held back by {reading.throttled}")
        sources = dict.fromkeys(reading.origins[quantity].source for quantity in known)
        fields = _fields(known, filled=filled)
        value = f"{_full(reading)}: {', '.join(said)}"
        found.append(SensorReport(name, fields, value, "; ".join(sources), 0.0, "", ""))
    reasons: dict[tuple[str, str], list[str]] = {}
    for quantity, why in reading.missing.items():
        if quantity not in _SECONDARY or not known:
            reasons.setdefault((why.reason, why.remedy), []).append(quantity)
    for (reason, remedy), quantities in reasons.items():
        text = reason if not known else f"{', '.join(quantities)}: {reason}"
        fields = _fields(quantities, filled=filled)
        found.append(SensorReport(name, fields, "", _full(reading), 0.0, text, remedy))
    return found


def _fields(quantities: list[str], *, filled: bool) -> tuple[str, ...]:
    return tuple(_FIELD_OF[one] for one in quantities if filled and one in _FIELD_OF)


def _full(reading: GpuReading) -> str:
    parts = [reading.uuid, reading.pci_address, "shared memory" if reading.integrated else ""]
    told = ", ".join(part for part in parts if part)
    return f"{reading.name} ({told})" if told else reading.name
