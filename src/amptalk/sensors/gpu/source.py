"""GPUs as the sample sees them: the values of the chosen one, and a list of all.

GPUs are numbered from 0: NVIDIA first, then Jetson, AMD, Intel, and by PCI address within each
(`choice` says which one counts). All are read, on the slow thread, none that sleeps is woken, and
a GPU that cannot be read keeps its number, so that no other is shown in its place. Where there is
no GPU nothing more is imported than this, `choice` and `places`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import isnan
from typing import TYPE_CHECKING

from amptalk.model.errors import ConfigurationError
from amptalk.model.sample import Provenance
from amptalk.sensors.files import SensorFault
from amptalk.sensors.gpu.choice import VARIABLE, Choice, Chooser
from amptalk.sensors.gpu.places import KINDS, Place, find_places
from amptalk.sensors.report import NAN, Notes, SensorReport
from amptalk.sensors.roots import Roots
from amptalk.sensors.slow import SlowReader
from amptalk.sensors.throttling_readers import Finding

if TYPE_CHECKING:
    from amptalk.model.gpu import Gpu
    from amptalk.sensors.gpu.kinds import Kind, Listed

FIELDS = {
    "device.gpu_utilization": "utilization",
    "device.gpu_memory_used_mb": "memory_used_mb",
    "device.gpu_memory_total_mb": "memory_total_mb",
    "application.gpu_memory_mb": "application_mb",
}
"""Fields of the sample to quantities of a reading."""


class GpuSource:
    """Finds GPUs, keeps their last readings and fills the fields of the chosen one."""

    def __init__(
        self,
        roots: Roots,
        notes: Notes,
        slow: SlowReader,
        choice: Choice,
        pids: Callable[[], tuple[int, ...]],
    ) -> None:
        self.values = (NAN, NAN, NAN)
        """Utilisation in percent, memory used and total in MB, of the device."""
        self.application_mb = NAN
        self.changed: Callable[[], None] = _nothing
        """Called when `values` have changed."""
        self._roots = roots
        self._notes = notes
        self._slow = slow
        self._choice = choice
        self._chooser = Chooser(choice)
        self._pids = pids
        self._kinds: tuple[Kind, ...] = ()
        self._places: tuple[Place, ...] | None = None
        self._chosen: Listed | None = None
        self.discover()

    def discover(self) -> None:
        """Look for GPUs anew (at start and every 60 s), touching none."""
        places = find_places(self._roots)
        if places == self._places:
            return
        self._places = places
        for kind in self._kinds:
            self._slow.remove(kind)
        kinds = []
        for name in KINDS:
            own = tuple(place for place in places if place.kind == name)
            if own:
                from amptalk.sensors.gpu.kinds import Kind, reader_of

                make = partial(reader_of, name, self._roots, own, self._slow.clock)
                kinds.append(Kind(name, own, make, self._pids, self.renew))
        self._kinds = tuple(kinds)
        for kind in kinds:
            self._slow.add(kind)
        self.renew()

    def renew(self) -> None:
        """Take the values of the chosen GPU from the last readings."""
        listed = self._listed()
        place = self._chooser.find(listed)
        chosen = self._chosen = None if place is None else listed[place]
        reading = None if chosen is None else chosen.reading
        if reading is not None and all(kind.readings for kind in self._kinds):
            self._chooser.pin(reading.identity)
        fault = self._none() if chosen is None else chosen.fault
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
                self._notes.origin((field,), Provenance(origin.method, origin.source, reading.at))
        self.values = values[0], values[1], values[2]
        self.application_mb = values[3]
        self.changed()

    def _listed(self) -> list[Listed]:
        """All GPUs in the order of their numbers."""
        return [one for kind in self._kinds for one in kind.listed()]

    def gpus(self) -> tuple[Gpu, ...]:
        """All GPUs as last read, in the order of their numbers; from any thread."""
        listed = self._listed()
        if not listed:
            return ()
        from amptalk.sensors.gpu.rows import shown

        chosen = self._chooser.find(listed)
        return tuple(shown(number, one, number == chosen) for number, one in enumerate(listed))

    def throttling(self) -> tuple[Finding, ...]:
        """Whether the chosen GPU is held back, and why; nothing about one that sleeps."""
        reading = None if self._chosen is None else self._chosen.reading
        if reading is None or reading.asleep:
            return ()
        reasons = ", ".join(reading.throttle_reasons)
        if reasons:
            return (Finding("GPU", seen=True, text=f"{reading.identity.name}: {reasons}"),)
        why = reading.missing.get("throttle_reasons")
        return (Finding("GPU", seen=False, text="" if why is None else why.reason),)

    def _none(self) -> SensorFault:
        """Why no GPU fills the fields."""
        if self._chooser.pinned is not None:
            gone = self._chooser.pinned.full
            return SensorFault(f"the GPU is no longer there: {gone}; there are: {self._there_is()}")
        for kind in self._kinds:
            if kind.unanswered:
                return kind.fault
        if self._kinds:
            return SensorFault(self._unknown())
        for place in self._places or ():
            return SensorFault(f"there is no reader for the GPU of driver {place.driver}")
        asked = f"; {VARIABLE}={self._choice.name!r} asks for one" if self._choice.name else ""
        return SensorFault(f"no GPU: no /dev/nvidia*, no card in /sys/class/drm{asked}")

    def _unknown(self) -> str:
        return (
            f"{self._choice.by.rstrip('=')}={self._choice.name!r} names no GPU here; there are: "
            f"{self._there_is()}; give a number, a UUID or a PCI address, or leave it out"
        )

    def _there_is(self) -> str:
        listed = self._listed()
        return "; ".join(f"{n} = {one.identity.full}" for n, one in enumerate(listed)) or "none"

    def demand(self, wait: Callable[[], None]) -> None:
        """Raise `ConfigurationError` when the GPU asked for is none of those here.

        `wait` lets GPUs answer first; it is called when the kernel's lists do not show the GPU. A
        variable of the environment that asks where there is no GPU at all is no error.
        """
        choice = self._choice
        if not choice.name or self._chooser.find(self._listed()) is not None:
            return
        if self._kinds:
            wait()
            listed = self._listed()
            if self._chooser.find(listed) is not None:
                return
            by_name = not choice.name.isdigit()
            if any(kind.unanswered for kind in self._kinds) or (
                by_name and any(_nameless(one) for one in listed)
            ):
                return  # it may be one of those that have not told their number or names
        elif not choice.explicit:
            return
        raise ConfigurationError(self._unknown())

    def reports(self) -> tuple[SensorReport, ...]:
        """One row a GPU with what it says, and one for each reason why something is missing."""
        listed = self._listed()
        if not listed:
            why = self._none()
            source = f"/dev/nvidia*, {self._roots.sys}/class/drm"
            return (SensorReport("GPU", tuple(FIELDS), "", source, 0.0, why.reason, why.remedy),)
        from amptalk.sensors.gpu.rows import rows

        chosen = self._chooser.find(listed)
        found: list[SensorReport] = []
        for number, one in enumerate(listed):
            told = rows(f"GPU {number}", one, FIELDS if number == chosen else {})
            found += (row._replace(cost_us=one.cost_us) if row.value else row for row in told)
        if chosen is None:
            why = self._none()
            source = self._choice.by
            found.append(SensorReport("GPU", tuple(FIELDS), "", source, 0.0, why.reason, ""))
        return tuple(found)


def _nameless(one: Listed) -> bool:
    """Whether its UUID may still come to be known: it sleeps, is lost or was not read."""
    return not one.identity.uuid and (one.reading is None or one.reading.silent)


def _nothing() -> None:
    """Nobody wants to know."""
