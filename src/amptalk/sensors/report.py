"""What is known about values: why one is missing, where one comes from, what a sensor gives.

`Notes` is shared by the sensors of one suite. It hands out the same mapping objects until
something changes, so that a tick without news costs one comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import nan
from typing import NamedTuple

from amptalk.model.sample import Provenance
from amptalk.sensors.files import SensorFault

HISTORY = "needs 50 ms of history: a rate is the difference of two readings"
NAN = nan


class SensorReport(NamedTuple):
    """One sensor in words, for `amptalk doctor`."""

    name: str
    gives: tuple[str, ...]
    """Sample fields this sensor fills."""
    value: str
    """What it reads at the moment, with units; empty when missing."""
    source: str
    cost_us: float
    """CPU time of reading its files once, in microseconds; 0 when there are none."""
    missing: str
    """Why there is no value; empty when there is one."""
    remedy: str
    """The exact command or boot option that helps; empty when none is known or needed."""


class SourceInfo(NamedTuple):
    """What a part of the suite says about one of its sensors; the base of a report."""

    name: str
    fields: tuple[str, ...]
    source: str
    paths: tuple[str, ...] = ()
    """Files of this sensor whose reading is worth timing."""
    seldom: bool = False
    """True when the files are not read each tick."""
    cost_us: float = 0.0
    """What a reading took, for what is read on the slow thread and timed there."""


class Notes:
    """Reasons, remedies and origins by field name.

    `shown` maps each short name of the scope to the field it copies, so that both carry
    the same reason and origin.
    """

    __slots__ = ("_missing", "_origins", "_shown", "missing", "provenance", "remedies", "stale")

    def __init__(self, shown: Mapping[str, str]) -> None:
        self._shown = shown
        self._missing: dict[str, str] = {}
        self._origins: dict[str, Provenance] = {}
        self.remedies: dict[str, str] = {}
        self.missing: Mapping[str, str] = {}
        self.provenance: Mapping[str, Provenance] = {}
        self.stale = False
        """True when the two mappings no longer say what is known; `refresh` renews them."""

    def lose(self, fields: Iterable[str], reason: str, remedy: str = "") -> None:
        """State why `fields` have no value."""
        for field in fields:
            if self._missing.get(field) != reason:
                self._missing[field] = reason
                self.stale = True
            self._origins.pop(field, None)
            self.remedies[field] = remedy

    def find(self, fields: Iterable[str]) -> None:
        """State that `fields` have a value."""
        for field in fields:
            if self._missing.pop(field, None) is not None:
                self.remedies.pop(field, None)
                self.stale = True

    def origin(self, fields: Iterable[str], provenance: Provenance) -> None:
        """State where `fields` come from, when they are not simply read in this tick."""
        for field in fields:
            if self._origins.get(field) != provenance:
                self._origins[field] = provenance
                self.stale = True

    def plain(self, fields: Iterable[str]) -> None:
        """State that `fields` are simply read in this tick from now on."""
        for field in fields:
            if self._origins.pop(field, None) is not None:
                self.stale = True

    def reason(self, fields: Iterable[str]) -> str:
        """The first reason among `fields`, or nothing."""
        return next((self._missing[field] for field in fields if field in self._missing), "")

    def refresh(self) -> None:
        """Build new mappings; those of earlier samples stay as they are."""
        missing, origins = dict(self._missing), dict(self._origins)
        for short, field in self._shown.items():
            if field in missing:
                missing[short] = missing[field]
            elif field in origins and short not in missing:
                origins[short] = origins[field]
        self.missing, self.provenance = missing, origins
        self.stale = False


class Source:
    """One thing to read, with the fields it fills; lost after a fault until it is tried again."""

    name = ""
    fields: tuple[str, ...] = ()

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self.lost = False

    def lose(self, fault: SensorFault | ValueError | IndexError, path: str = "") -> None:
        """Note the fault as the reason of every field; parse errors name `path`."""
        if not isinstance(fault, SensorFault):
            fault = SensorFault(f"{path} is not as documented: {fault}")
        self.lost = True
        self._notes.lose(self.fields, fault.reason, fault.remedy)

    def why(self) -> str:
        """The reason noted for the first field that has one."""
        return self._notes.reason(self.fields)

    def gain(self) -> None:
        """Note that the fields have values."""
        self.lost = False
        self._notes.find(self.fields)


def nothing() -> None:
    """Nobody wants to know."""
