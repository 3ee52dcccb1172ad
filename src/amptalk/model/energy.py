"""A running total of energy at one moment, and the energy between two of them."""

from __future__ import annotations

from math import nan
from typing import NamedTuple

from amptalk.model.sample import Method


class EnergyMark(NamedTuple):
    """How much energy one source has counted up to now."""

    at: float
    """Monotonic seconds."""
    joules: float
    """Since the source was first read; `nan` when it could not be read now."""
    unknown: float
    """Seconds since then whose energy is not in `joules`."""
    method: Method
    source: str
    """What was counted and what it covers."""
    serial: int
    """The same number only for marks on the same running total."""
    reason: str
    """Why there is no energy; empty when there is."""


def no_energy(at: float, reason: str) -> EnergyMark:
    """A mark of a device that tells no energy."""
    return EnergyMark(at, nan, 0.0, "derived", "", 0, reason)


def energy_between(first: EnergyMark, last: EnergyMark) -> tuple[float, str]:
    """Joules from one mark to a later one, or `nan` and the reason."""
    reason = first.reason or last.reason
    if reason:
        return nan, reason
    if first.serial != last.serial:
        return nan, f"the source of energy changed from {first.source} to {last.source}"
    unknown = last.unknown - first.unknown
    if unknown > 0.0:
        seconds = last.at - first.at
        return nan, (
            f"{last.source}: not known for {unknown:.2f} s of {seconds:.2f} s, "
            "because it was reset or its readings were too far apart"
        )
    return last.joules - first.joules, ""
