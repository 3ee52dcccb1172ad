"""The parts of a suite - device, application, container, GPU - and which ones fit here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from amptalk.clock import Clock
from amptalk.model.energy import EnergyMark
from amptalk.sensors.capacity import Capacity, Limit
from amptalk.sensors.files import exists
from amptalk.sensors.gpu.choice import Choice
from amptalk.sensors.report import Notes, SensorReport, SourceInfo
from amptalk.sensors.roots import Roots
from amptalk.sensors.slow import SlowReader
from amptalk.sensors.throttling_readers import Finding

if TYPE_CHECKING:
    from amptalk.model.gpu import Gpu


class Part(Protocol):
    """What all parts have in common. No method raises for a sensor's fault."""

    def work(self, now: float) -> None:
        """Do what is due every 5 s."""

    def discover(self) -> None:
        """Look for sensors anew, every 60 s."""

    def infos(self) -> tuple[SourceInfo, ...]:
        """Name the sensors, for the report."""

    def close(self) -> None:
        """Close all descriptors."""


class DevicePart(Part, Protocol):
    """Fills `DeviceView`."""

    @property
    def cores(self) -> float:
        """Online cores, `nan` when unknown."""

    @property
    def total_mb(self) -> float:
        """Memory of the machine, `nan` when unknown."""

    @property
    def per_core(self) -> tuple[float, ...]:
        """Percent of each core, at the place of its number."""

    def read(self, now: float, *, rates: bool) -> tuple[float, ...]:
        """Read one tick, renewing rates when they are due."""

    def energy(self, now: float) -> EnergyMark:
        """Tell the energy up to now; from any thread."""


class ApplicationPart(Part, Protocol):
    """Fills `ApplicationView` but for GPU memory."""

    def read(
        self, now: float, capacity: Capacity, online: float, *, rates: bool
    ) -> tuple[float, ...]:
        """Read one tick, renewing rates when they are due."""

    def exclude(self, pids: frozenset[int]) -> None:
        """Leave out these processes and their descendants."""

    def refine(self, now: float) -> None:
        """Read memory exactly now, when the last such reading allows it by its cost."""


class ContainerPart(Part, Protocol):
    """Fills `ContainerView`."""

    @property
    def limits(self) -> tuple[Limit, Limit]:
        """The tightest CPU quota (cores) and memory limit (MB)."""

    def demand(self) -> None:
        """Raise `ScopeError` outside a container."""

    def read(self, room_mb: float, cores: float, *, rates: bool) -> tuple[float, ...]:
        """Read one tick, renewing rates when they are due."""


class GpuPart(Protocol):
    """Fills the fields of the GPU through the slow thread."""

    @property
    def application_mb(self) -> float:
        """GPU memory of the application."""

    def discover(self) -> None:
        """Look for GPUs anew, every 60 s."""

    def demand(self, wait: Callable[[], None]) -> None:
        """Raise `ConfigurationError` when the GPU asked for is not there, after `wait` at most."""

    def gpus(self) -> tuple[Gpu, ...]:
        """All GPUs as last read; from any thread."""

    def throttling(self) -> tuple[Finding, ...]:
        """Whether the GPU of the sample is held back."""

    def reports(self) -> tuple[SensorReport, ...]:
        """Describe each GPU."""


class Parts(NamedTuple):
    """One of each."""

    device: DevicePart
    application: ApplicationPart
    container: ContainerPart
    gpu: GpuPart


def build_parts(  # noqa: PLR0917 - what all parts are made of
    roots: Roots, notes: Notes, clock: Clock, pid: int, slow: SlowReader, gpu: Choice,
    *, children_only: bool = False,
) -> Parts:  # fmt: skip
    """Take the parts for Linux where there is a Linux `/proc`, else the portable ones.

    Imported here, so that neither costs anything where the other is used.
    """
    if exists(roots.proc) and (not roots.real or sys.platform.startswith("linux")):
        from amptalk.sensors.application import Application
        from amptalk.sensors.container import Container
        from amptalk.sensors.device import Device
        from amptalk.sensors.gpu.source import GpuSource
        from amptalk.sensors.memory import MemorySource
        from amptalk.sensors.swapspace import SwapSpace

        memory = MemorySource(roots, notes)
        memory.read(clock.monotonic())
        space = SwapSpace(roots, notes, memory)
        source = GpuSource(roots, notes, slow, gpu, lambda: application.pids)
        device = Device(roots, notes, clock, source, space, slow)  # reads the swap space
        application = Application(roots, notes, clock, pid, space, children_only=children_only)
        return Parts(device, application, Container(roots, notes, clock, pid, space), source)
    from amptalk.sensors.portable import NoContainer, NoGpu, PortableDevice
    from amptalk.sensors.portable_application import PortableApplication

    return Parts(
        PortableDevice(notes, clock),
        PortableApplication(notes, clock, pid),
        NoContainer(notes),
        NoGpu(notes, gpu),
    )
