"""A GPU for people: as `Gpu` with plain reasons, and in words for `amptalk doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

from amptalk.model.gpu import Gpu
from amptalk.model.sample import Provenance
from amptalk.sensors.gpu.kinds import Listed
from amptalk.sensors.gpu.reading import (
    QUANTITIES,
    THROTTLE,
    GpuReading,
    nothing_known,
)
from amptalk.sensors.report import NAN, SensorReport

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
_SECONDARY = {
    *("application_utilization", "energy_joules", "clock_mhz", "memory_clock_mhz", THROTTLE),
}
"""Not worth a row when they are missing."""


def shown(number: int, one: Listed, sampled: bool) -> Gpu:  # noqa: FBT001 - what was found
    """One GPU as the manager lists it."""
    reading = one.reading or nothing_known(one.fault, one.identity, NAN)
    name, uuid, address, integrated = reading.identity
    return Gpu(
        number, name, one.kind, uuid, address, integrated, sampled, reading.asleep,
        **{quantity: getattr(reading, quantity) for quantity in QUANTITIES},
        throttle_reasons=reading.throttle_reasons,
        measured_at=reading.at,
        missing={quantity: fault.reason for quantity, fault in reading.missing.items()},
        provenance={
            quantity: Provenance(origin.method, origin.source, reading.at)
            for quantity, origin in reading.origins.items()
        },
    )  # fmt: skip


def rows(name: str, one: Listed, fills: Mapping[str, str]) -> list[SensorReport]:
    """What it says, then a row for each reason; `fills` are the sample's fields it gives."""
    reading, fault = one.reading, one.fault
    if reading is None:
        title = one.identity.name
        return [SensorReport(name, tuple(fills), "", title, 0.0, fault.reason, fault.remedy)]
    known = [quantity for quantity in QUANTITIES if not isnan(getattr(reading, quantity))]
    found = []
    if known:
        value = f"{reading.identity.full}: {_said(reading, known)}"
        sources = dict.fromkeys(reading.origins[quantity].source for quantity in known)
        source = "; ".join(sources)
        found.append(SensorReport(name, _fields(known, fills), value, source, 0.0, "", ""))
    reasons: dict[tuple[str, str], list[str]] = {}
    for quantity, why in reading.missing.items():
        if quantity not in _SECONDARY or not known:
            reasons.setdefault((why.reason, why.remedy), []).append(quantity)
    for (reason, remedy), quantities in reasons.items():
        text = reason if not known else f"{', '.join(quantities)}: {reason}"
        source = reading.identity.full
        found.append(SensorReport(name, _fields(quantities, fills), "", source, 0.0, text, remedy))
    return found


def _said(reading: GpuReading, known: list[str]) -> str:
    said = [_WORDS[quantity].format(getattr(reading, quantity)) for quantity in known]
    if reading.throttle_reasons:
        said.append(f"held back by {', '.join(reading.throttle_reasons)}")
    return ", ".join(said)


def _fields(quantities: list[str], fills: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(field for field, quantity in fills.items() if quantity in quantities)
