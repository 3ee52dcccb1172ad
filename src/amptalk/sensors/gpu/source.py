"""GPUs as the sample sees them: which one counts, its values, and a report of each.

GPUs are numbered from 0: NVIDIA first, then Jetson, AMD, Intel, and by PCI address within each.
Number 0 fills the sample unless `gpu=` or the environment variable `AMPTALK_GPU` names another by
number, UUID or PCI address. A GPU that cannot be read keeps its number, so that no other is
shown in its place.

Each kind is read as one slow sensor, NVIDIA once a second and the others every 5 s; readers are
imported when there is something for them to read.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import TYPE_CHECKING, NamedTuple

from amptalk.clock import Clock
from amptalk.model.errors import ConfigurationError
from amptalk.model.sample import Provenance
from amptalk.sensors.files import SensorFault
from amptalk.sensors.gpu.places import KINDS, TITLES, Place, find_places
from amptalk.sensors.report import NAN, Notes, SensorReport
from amptalk.sensors.roots import Roots
from amptalk.sensors.slow import CADENCE, SlowReader

if TYPE_CHECKING:
    from amptalk.sensors.gpu.reading import GpuReader, GpuReading

FIELDS = {
    "device.gpu_utilization": "utilization",
    "device.gpu_memory_used_mb": "memory_used_mb",
    "device.gpu_memory_total_mb": "memory_total_mb",
    "application.gpu_memory_mb": "application_mb",
}
"""Fields of the sample to quantities of a reading."""
_NVML_CADENCE = 1.0
_RESTING_CADENCE = 30.0
"""Seconds between readings of an idle GPU that would sleep if it were left alone."""
_FIRST = SensorFault("the first reading of the GPU has not been answered yet")


class _Kind:
    """All GPUs of one kind, as a slow sensor."""

    def __init__(self, owner: GpuSource, kind: str, places: tuple[Place, ...]) -> None:
        self.kind = kind
        self.places = places
        self.name = f"the {TITLES[kind]} GPU"
        self._cadence = _NVML_CADENCE if kind == "nvidia" else CADENCE
        self.every = self._cadence
        self.readings: tuple[GpuReading, ...] = ()
        self.fault: SensorFault = _FIRST
        self.at = NAN
        self._owner = owner
        self._reader: GpuReader | None = None
        self._pids: tuple[int, ...] = ()

    def prepare(self) -> None:
        self._pids = self._owner.pids()

    def read(self) -> tuple[GpuReading, ...]:
        if self._reader is None:
            owner = self._owner
            self._reader = _reader(owner.roots, self.kind, self.places, owner.clock)
        readings = self._reader.read(self._pids)
        if not self._pids:  # the application cannot be read, so nothing is known to be its own
            readings = tuple([_without_application(one) for one in readings])
        self.every = _RESTING_CADENCE if self._reader.idle else self._cadence
        return readings

    def take(self, value: tuple[GpuReading, ...], at: float) -> None:
        self.readings, self.at = value, at
        self._owner.renew()

    def lose(self, fault: SensorFault) -> None:
        self.readings, self.fault = (), fault
        self._owner.renew()

    def release(self) -> None:
        if self._reader is not None:
            self._reader.release()


class _Listed(NamedTuple):
    """One number: what was read, or why it could not be."""

    title: str
    pci_address: str
    reading: GpuReading | None
    fault: SensorFault
    at: float


class GpuSource:
    """Finds GPUs, keeps their last readings and fills the fields of the chosen one."""

    def __init__(
        self,
        roots: Roots,
        notes: Notes,
        slow: SlowReader,
        choice: str,
        pids: Callable[[], tuple[int, ...]],
    ) -> None:
        self.roots = roots
        self.clock = slow.clock
        self.pids = pids
        self.values = (NAN, NAN, NAN)
        """Utilisation in percent, memory used and total in MB, of the device."""
        self.application_mb = NAN
        self.changed: Callable[[], None] = _nothing
        """Called when `values` have changed."""
        self._notes = notes
        self._slow = slow
        self._choice = choice.strip().lower()
        self._kinds: list[_Kind] = []
        self._places: tuple[Place, ...] | None = None
        self.discover()

    def discover(self) -> None:
        """Look for GPUs anew (at start and every 60 s), touching none."""
        places = find_places(self.roots)
        if places == self._places:
            return
        self._places = places
        for kind in self._kinds:
            self._slow.remove(kind)
        self._kinds = []
        for name in KINDS:
            own = tuple(place for place in places if place.kind == name)
            if own:
                kind = _Kind(self, name, own)
                self._kinds.append(kind)
                self._slow.add(kind)
        self.renew()

    def renew(self) -> None:
        """Take the values of the chosen GPU from the last readings."""
        chosen = self._chosen(self._listed())
        if chosen is None:
            fault, reading, at = self._none(), None, NAN
        else:
            fault, reading, at = chosen.fault, chosen.reading, chosen.at
        values = []
        for field, quantity in FIELDS.items():
            value = NAN if reading is None else float(getattr(reading, quantity))
            values.append(value)
            if isnan(value):
                why = fault if reading is None else reading.missing[quantity]
                self._notes.lose((field,), why.reason, why.remedy)
            elif reading is not None:
                self._notes.find((field,))
                origin = reading.origins[quantity]
                self._notes.origin((field,), Provenance(origin.method, origin.source, at))
        self.values = values[0], values[1], values[2]
        self.application_mb = values[3]
        self.changed()

    def _listed(self) -> list[_Listed]:
        """All GPUs in the order of their numbers."""
        found: list[_Listed] = []
        for kind in self._kinds:
            if kind.readings:
                found += (
                    _Listed(one.name, one.pci_address, one, kind.fault, kind.at)
                    for one in kind.readings
                )
            else:
                title = f"{TITLES[kind.kind]} GPU"
                found += (
                    _Listed(title, place.pci_address, None, kind.fault, NAN)
                    for place in kind.places
                )
        return found

    def _chosen(self, listed: list[_Listed]) -> _Listed | None:
        choice = self._choice or "0"
        if choice.isdigit():
            return listed[int(choice)] if int(choice) < len(listed) else None
        for one in listed:
            names = {one.pci_address, one.pci_address.partition(":")[2]}
            if one.reading is not None:
                names.add(one.reading.uuid.lower())
            if choice in names - {""}:
                return one
        return None

    def _none(self) -> SensorFault:
        """Why no GPU fills the fields."""
        if any(kind.fault is _FIRST and not kind.readings for kind in self._kinds):
            return _FIRST
        if self._kinds:
            return SensorFault(f"no GPU is named {self._choice!r}; there are: {self._there_is()}")
        for place in self._places or ():
            return SensorFault(f"there is no reader for the GPU of driver {place.driver}")
        return SensorFault("no GPU: no /dev/nvidia*, no card in /sys/class/drm")

    def _there_is(self) -> str:
        texts = []
        for number, one in enumerate(self._listed()):
            names = [one.reading.uuid if one.reading else "", one.pci_address]
            told = ", ".join(name for name in names if name)
            texts.append(f"{number} = {one.title}" + (f" ({told})" if told else ""))
        return "; ".join(texts) or "none"

    def demand(self) -> None:
        """Raise `ConfigurationError` when the GPU asked for is none of those that answered."""
        if not self._choice or self._chosen(self._listed()) is not None:
            return
        unread = [kind for kind in self._kinds if not kind.readings]
        if any(kind.fault is _FIRST or not self._choice.isdigit() for kind in unread):
            return  # it may be one of those that have not told how many they are, or their names
        raise ConfigurationError(
            f"gpu={self._choice!r} (or AMPTALK_GPU) names no GPU here; there are: "
            f"{self._there_is()}; give a number, a UUID or a PCI address, or leave it out"
        )

    def reports(self) -> tuple[SensorReport, ...]:
        """One row a GPU with what it says, and one for each reason why something is missing."""
        listed = self._listed()
        if not listed:
            why = self._none()
            source = f"/dev/nvidia*, {self.roots.sys}/class/drm"
            return (SensorReport("GPU", tuple(FIELDS), "", source, 0.0, why.reason, why.remedy),)
        from amptalk.sensors.gpu.rows import rows

        chosen = self._chosen(listed)
        found = []
        for number, one in enumerate(listed):
            name = f"GPU {number}"
            found += rows(name, one.title, one.reading, one.fault, filled=one is chosen)
        if chosen is None:
            why = self._none()
            found.append(SensorReport("GPU", tuple(FIELDS), "", "AMPTALK_GPU", 0.0, why.reason, ""))
        return tuple(found)


def _without_application(one: GpuReading) -> GpuReading:
    why = SensorFault("the processes of the application are not known")
    missing = {**one.missing, "application_mb": why, "application_utilization": why}
    return one._replace(missing=missing, application_mb=NAN, application_utilization=NAN)


def _nothing() -> None:
    """Nobody wants to know."""


def _reader(roots: Roots, kind: str, places: tuple[Place, ...], clock: Clock) -> GpuReader:
    """The reader of one kind. Raises `SensorFault` where there can be none."""
    if kind == "nvidia":
        if roots.recorded:
            raise SensorFault("what NVML says of an NVIDIA GPU is not in a recording of files")
        from amptalk.sensors.gpu.nvidia import NvidiaReader

        return NvidiaReader(roots, places)
    if kind == "amd":
        from amptalk.sensors.gpu.amd import AmdReader

        return AmdReader(roots, places)
    if kind == "intel":
        from amptalk.sensors.gpu.intel import IntelReader

        return IntelReader(roots, places, clock)
    from amptalk.sensors.gpu.jetson import JetsonReader

    return JetsonReader(roots, places)
