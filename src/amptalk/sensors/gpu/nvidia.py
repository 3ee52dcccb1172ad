"""All NVIDIA GPUs by NVML: which there are, which sleep, which were lost.

Nothing is asked of a GPU whose `runtime_status` is suspended. While all have nothing to do and one
may sleep, NVML is stopped, because an open handle keeps it awake. A lost GPU is an error with
its reason and keeps its number; NVML is started anew, ever more seldom, until it is found again.
"""

from __future__ import annotations

from typing import Any

from amptalk.clock import Clock
from amptalk.sensors.files import SensorFault
from amptalk.sensors.gpu.nvidia_board import BoardReader
from amptalk.sensors.gpu.nvml import Nvml, NvmlFault
from amptalk.sensors.gpu.places import Place, suspended
from amptalk.sensors.gpu.reading import ASLEEP, GpuReading, Identity, nothing_known
from amptalk.sensors.gpu.rest import Rest, holds_nvidia
from amptalk.sensors.roots import Roots

_NONE_HERE = SensorFault(
    "there is an NVIDIA GPU, but the driver lets this process use none",
    "in a container: docker run --gpus all",
)
_GONE = SensorFault("the driver no longer lists this GPU: it fell off the bus or was taken away")
_NOT_GIVEN = {"NOT_FOUND", "NO_PERMISSION"}
"""Answers about a GPU of the host that this container was not given."""
_SELDOMST = 64


class NvidiaReader:
    """Reads all NVIDIA GPUs."""

    def __init__(self, roots: Roots, places: tuple[Place, ...], clock: Clock) -> None:
        self._roots = roots
        self._places = places
        self._clock = clock
        self._nvml = Nvml()
        self._board = BoardReader(self._nvml, roots)
        self._rest = Rest(place.folder for place in places)
        self._known: dict[str, tuple[Identity, ...]] = {}
        """What each board showed when it was last there, by PCI address."""
        self._order: list[str] = []
        """Addresses in the order of NVML's own numbers, when it last told all."""
        self._last: tuple[GpuReading, ...] = ()
        self._lost = self._until_retry = 0

    def read(self, pids: tuple[int, ...]) -> tuple[GpuReading, ...]:
        """Read each that does not sleep. Raises `SensorFault` when NVML cannot be used."""
        now = self._clock.monotonic()
        asleep = {one.pci_address for one in self._places if suspended(one.folder)}
        if asleep and len(asleep) == len(self._places):
            self.release()
            self._rest.end()
            return tuple(
                one for address in sorted(asleep) for one in self._nothing(ASLEEP, address, now)
            )
        woken = any(one.asleep and one.identity.pci_address not in asleep for one in self._last)
        if self._rest.lasts(now) and not woken:
            if not holds_nvidia(self._roots.proc, pids):
                return self._left_alone(asleep, now)
            self._rest.interrupt(now)
        self._nvml.start()
        self._last = self._all(asleep, pids, now)
        if self._rest.note(now, self._last):
            self.release()
        return self._last

    def _all(self, asleep: set[str], pids: tuple[int, ...], now: float) -> tuple[GpuReading, ...]:
        boards: dict[str, list[GpuReading]] = {}
        lost = False
        handles = self._handles(asleep)
        for address, handle in handles:
            try:
                if isinstance(handle, SensorFault):
                    raise handle
                found = self._board.read(handle, pids, now, only=len(handles) == 1)
            except NvmlFault as fault:
                lost = True
                boards[address] = self._nothing(fault, address, now)
            except SensorFault as fault:
                boards[address] = self._nothing(fault, address, now)
            else:
                boards[address] = found
                self._known[address] = tuple(one.identity for one in found)
        present = {place.pci_address for place in self._places} - {""}
        for address in self._known:
            if address not in boards and (not present or address in present):
                lost = True
                boards[address] = self._nothing(_GONE, address, now)
        if not boards:
            self.release()
            raise _NONE_HERE
        if lost:
            self._start_anew()
        else:
            self._lost = self._until_retry = 0
        return tuple(one for address in sorted(boards) for one in boards[address])

    def _handles(self, asleep: set[str]) -> list[tuple[str, Any]]:
        """Each board's address with its handle, or with the fault of one asleep or lost."""
        call = self._nvml.call
        found: list[tuple[str, Any]] = []
        if asleep:  # even asking for a handle by number may wake the others
            for address in (place.pci_address for place in self._places):
                if address in asleep:
                    found.append((address, ASLEEP))
                    continue
                try:
                    handle = call("nvmlDeviceGetHandleByPciBusId", address.encode())
                except NvmlFault as fault:
                    if fault.code not in _NOT_GIVEN:
                        found.append((address, fault))
                else:
                    found.append((address, handle))
            return found
        order: list[str] = []
        for index in range(call("nvmlDeviceGetCount")):
            address = self._order[index] if index < len(self._order) else f"number {index}"
            try:
                handle = call("nvmlDeviceGetHandleByIndex", index)
                address = self._board.address(handle) or address
                found.append((address, handle))
            except NvmlFault as fault:
                if fault.code not in _NOT_GIVEN:
                    found.append((address, fault))
            order.append(address)
        self._order = order
        return found

    def _nothing(self, fault: SensorFault, address: str, now: float) -> list[GpuReading]:
        """A board, or its MIG instances, of which nothing is known for a while."""
        where = address if ":" in address else ""
        known = self._known.get(address, (Identity("NVIDIA GPU", "", where),))
        return [nothing_known(fault, identity, now) for identity in known]

    def _left_alone(self, asleep: set[str], now: float) -> tuple[GpuReading, ...]:
        """The last readings, but for those that have fallen asleep since."""
        return tuple(
            nothing_known(ASLEEP, one.identity, now) if one.identity.pci_address in asleep else one
            for one in self._last
        )

    def _start_anew(self) -> None:
        """Stop NVML so that the next reading starts it, after 1, 2, 4 ... 64 readings."""
        if self._until_retry <= 0:
            self._lost += 1
            self._until_retry = min(2 ** (self._lost - 1), _SELDOMST)
            self.release()
        self._until_retry -= 1

    def release(self) -> None:
        """Let go of NVML."""
        self._nvml.stop()
        self._board.forget()
