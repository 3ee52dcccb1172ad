"""All GPUs of one kind as one slow sensor: NVIDIA once a second, the others every 5 s.

Readers are imported, on the slow thread, when there is something for them to read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from amptalk.clock import Clock
from amptalk.sensors.files import SensorFault
from amptalk.sensors.gpu.places import TITLES, Place
from amptalk.sensors.gpu.reading import GpuReading, Identity, without_application
from amptalk.sensors.roots import Roots
from amptalk.sensors.slow import CADENCE

if TYPE_CHECKING:
    from amptalk.sensors.gpu.reading import GpuReader

_NVML_CADENCE = 1.0
FIRST = SensorFault("the first reading of the GPU has not been answered yet")


class Listed(NamedTuple):
    """One number: what was read, or why it could not be."""

    kind: str
    identity: Identity
    reading: GpuReading | None
    fault: SensorFault
    cost_us: float
    """CPU time of the last reading of all GPUs of its kind, in microseconds; 0 before it."""


class Kind:
    """All GPUs of one kind."""

    def __init__(
        self, name: str, places: tuple[Place, ...], make: Callable[[], GpuReader],
        pids: Callable[[], tuple[int, ...]], renew: Callable[[], None],
    ) -> None:  # fmt: skip
        self.name = f"the {TITLES[name]} GPU"
        self.every = _NVML_CADENCE if name == "nvidia" else CADENCE
        self.readings: tuple[GpuReading, ...] = ()
        self.fault: SensorFault = FIRST
        self._kind = name
        title = f"{TITLES[name]} GPU"
        self._known = tuple(Identity(title, "", place.pci_address) for place in places)
        """As the kernel lists them, until they have told more."""
        self._make = make
        self._renew = renew
        self._find_pids = pids
        self._pids: tuple[int, ...] = ()
        self._cost_us = 0.0
        self._reader: GpuReader | None = None

    @property
    def unanswered(self) -> bool:
        """Whether there has been no answer at all yet."""
        return self.fault is FIRST and not self.readings

    def prepare(self) -> None:
        """Take along whose memory is the application's."""
        self._pids = self._find_pids()

    def read(self) -> tuple[GpuReading, ...]:
        """Read them, on the slow thread. Raises `SensorFault`."""
        if self._reader is None:
            self._reader = self._make()
        begun = time.thread_time()
        readings = self._reader.read(self._pids)
        if not self._pids:  # the application cannot be read, so nothing is known to be its own
            readings = tuple([without_application(one) for one in readings])
        self._cost_us = (time.thread_time() - begun) * 1e6
        return readings

    def take(self, value: tuple[GpuReading, ...], _at: float) -> None:
        """Take up what was read; each reading carries its own time."""
        self.readings = value
        self._known = tuple(one.identity for one in value)
        self._renew()

    def lose(self, fault: SensorFault) -> None:
        """Take up that none could be read."""
        self.readings, self.fault = (), fault
        self._renew()

    def release(self) -> None:
        """Let go of the devices, on the slow thread."""
        if self._reader is not None:
            self._reader.release()

    def listed(self) -> list[Listed]:
        """Its GPUs in their order; as they were last known when none could be read."""
        if self.readings:
            kind, fault, cost = self._kind, self.fault, self._cost_us
            return [Listed(kind, one.identity, one, fault, cost) for one in self.readings]
        return [Listed(self._kind, identity, None, self.fault, 0.0) for identity in self._known]


def reader_of(kind: str, roots: Roots, places: tuple[Place, ...], clock: Clock) -> GpuReader:
    """Import and make the reader of a kind. Raises `SensorFault` where there can be none."""
    if kind == "nvidia":
        if roots.recorded:
            raise SensorFault("what NVML says of an NVIDIA GPU is not in a recording of files")
        from amptalk.sensors.gpu.nvidia import NvidiaReader

        return NvidiaReader(roots, places, clock)
    if kind == "amd":
        from amptalk.sensors.gpu.amd import AmdReader

        return AmdReader(roots, places, clock)
    if kind == "intel":
        from amptalk.sensors.gpu.intel import IntelReader

        return IntelReader(roots, places, clock)
    from amptalk.sensors.gpu.jetson import JetsonReader

    return JetsonReader(roots, places, clock)
