"""Reading GPUs one by one through the kernel's files, leaving sleeping and idle ones alone."""

from __future__ import annotations

from abc import ABC, abstractmethod

from amptalk.clock import Clock
from amptalk.sensors.files import SensorFault
from amptalk.sensors.gpu.fdinfo import clients_of
from amptalk.sensors.gpu.places import Place, suspended
from amptalk.sensors.gpu.reading import ASLEEP, GpuReading, Identity, nothing_known
from amptalk.sensors.gpu.rest import Rest
from amptalk.sensors.roots import Roots


class CardReader(ABC):
    """What AMD and Intel have in common. On a laptop one may work while another sleeps."""

    def __init__(self, roots: Roots, places: tuple[Place, ...], clock: Clock) -> None:
        self._roots = roots
        self._places = places
        self._clock = clock
        self._rests = {place.folder: Rest((place.folder,)) for place in places}
        self._last: dict[str, GpuReading] = {}

    def read(self, pids: tuple[int, ...]) -> tuple[GpuReading, ...]:
        """Read each that neither sleeps nor is left alone."""
        return tuple(self._turn(place, pids) for place in self._places)

    def _turn(self, place: Place, pids: tuple[int, ...]) -> GpuReading:
        now = self._clock.monotonic()
        rest, last = self._rests[place.folder], self._last.get(place.folder)
        if suspended(place.folder):
            rest.end()
            identity = self._identity(place) if last is None else last.identity
            return nothing_known(ASLEEP, identity, now)
        if last is not None and rest.lasts(now):
            if not self._used(place, pids):
                return last
            rest.interrupt(now)
        reading = self._last[place.folder] = self._one(place, pids, now)
        rest.note(now, (reading,))
        return reading

    def _used(self, place: Place, pids: tuple[int, ...]) -> bool:
        """Whether the application has memory on the GPU, without touching it."""
        try:
            clients = clients_of(self._roots.proc, pids, place.pci_address)
        except SensorFault:
            return False
        return any(amount > 0.0 for one in clients.values() for amount in one.memory.values())

    @abstractmethod
    def _identity(self, place: Place) -> Identity:
        """What is known of the GPU without waking it."""

    @abstractmethod
    def _one(self, place: Place, pids: tuple[int, ...], now: float) -> GpuReading:
        """Read one that is awake."""

    def release(self) -> None:
        """Nothing is kept open; the next reading reads all."""
        self._last.clear()
