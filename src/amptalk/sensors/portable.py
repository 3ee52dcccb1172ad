"""The parts of a suite where there is no Linux `/proc` (macOS, Windows), by psutil.

The same fields with the same meaning as far as psutil tells; the application is in
`portable_application`. Pressure, refaults, control groups, GPU, power and temperature are
missing. psutil is imported when a part is made, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isnan

from amptalk.clock import Clock
from amptalk.model.energy import EnergyMark, no_energy
from amptalk.model.errors import ConfigurationError, ScopeError
from amptalk.model.gpu import Gpu
from amptalk.model.sample import Provenance
from amptalk.model.views import ContainerView, DeviceView
from amptalk.sensors.capacity import Limit
from amptalk.sensors.files import SensorFault
from amptalk.sensors.gpu.choice import Choice
from amptalk.sensors.report import HISTORY, NAN, Notes, SensorReport, Source, SourceInfo
from amptalk.sensors.throttling_readers import Finding

_MB = 2.0**20
ELSEWHERE = "is read on Linux only"
_CONTAINER = tuple(f"container.{name}" for name in ContainerView._fields)
_READ = {
    *("memory_used_mb", "memory_available_mb", "memory_total_mb", "memory_percent"),
    *("swap_used_mb", "swap_total_mb", "swap_in_mb_s", "swap_out_mb_s"),
    *("cpu_percent", "cpu_count", "load_1m", "load_5m", "load_15m"),
}
_RATES = ("device.swap_in_mb_s", "device.swap_out_mb_s", "device.cpu_percent")


class PortableDevice(Source):
    """Device values from psutil."""

    name = "device"
    fields = tuple(f"device.{name}" for name in DeviceView._fields if name in _READ)

    def __init__(self, notes: Notes, clock: Clock) -> None:
        import psutil

        super().__init__(notes)
        self._psutil = psutil
        self._clock = clock
        self._cpu: list[tuple[float, float]] = []
        self._swap_at = NAN
        self._swapped = (0.0, 0.0)
        self._swap_rates = (NAN, NAN)
        self._swap = (NAN, NAN)
        self._percent = NAN
        self.cores = self.total_mb = NAN
        self.per_core: tuple[float, ...] = ()
        for name in DeviceView._fields:
            if name not in _READ and not name.startswith("gpu_"):
                notes.lose((f"device.{name}",), f"{name} {ELSEWHERE}")
        notes.lose(_RATES, HISTORY)
        self.work(clock.monotonic())

    def read(self, now: float, *, rates: bool) -> tuple[float, ...]:  # noqa: ARG002 - of the Protocol
        """Read one tick."""
        if self.lost:
            return (NAN,) * len(DeviceView._fields)
        try:
            memory = self._psutil.virtual_memory()
            load = self._psutil.getloadavg()
            if rates:
                self._renew_cpu()
        except (OSError, RuntimeError, self._psutil.Error) as error:
            self.lose(SensorFault(f"psutil cannot read the device: {error}"))
            return (NAN,) * len(DeviceView._fields)
        total, available = float(memory.total), float(memory.available)
        self.total_mb = total / _MB
        used = total - available
        return (
            used / _MB, available / _MB, self.total_mb, 100.0 * used / total, *self._swap,
            *(NAN,) * 3, *self._swap_rates, *(NAN,) * 3, self._percent, self.cores, *load,
            *(NAN,) * 9,
        )  # fmt: skip

    def _renew_cpu(self) -> None:
        now = []
        for times in self._psutil.cpu_times(percpu=True):
            idle = times.idle + getattr(times, "iowait", 0.0)
            guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
            now.append((sum(times) - guest - idle, idle))
        self.cores = float(len(now))
        if len(now) == len(self._cpu):
            pairs = zip(now, self._cpu, strict=True)
            spent = [(max(0.0, b - b0), max(0.0, i - i0)) for (b, i), (b0, i0) in pairs]
            busy, idle = sum(b for b, _ in spent), sum(i for _, i in spent)
            if busy + idle > 0.0:
                if isnan(self._percent):
                    self._notes.find(("device.cpu_percent",))
                self._percent = 100.0 * busy / (busy + idle)
                self.per_core = tuple(100.0 * b / (b + i) if b + i else NAN for b, i in spent)
        self._cpu = now

    def work(self, now: float) -> None:
        """Renew swap and its rates, and try again what was lost."""
        if self.lost:
            self.gain()
            self._cpu, self._percent = [], NAN
            self._notes.lose(_RATES, HISTORY)
        try:
            swap = self._psutil.swap_memory()
        except (OSError, RuntimeError, self._psutil.Error) as error:
            self._notes.lose(self.fields[4:8], f"psutil cannot read swap: {error}")
            self._swap = self._swap_rates = (NAN, NAN)
            return
        self._notes.find(self.fields[4:6])
        self._swap = swap.used / _MB, swap.total / _MB
        elapsed = now - self._swap_at
        moved = swap.sin / _MB, swap.sout / _MB
        if elapsed > 0.0:
            self._notes.find(_RATES[:2])
            came, went = (
                max(0.0, b - a) / elapsed for a, b in zip(self._swapped, moved, strict=True)
            )
            self._swap_rates = came, went
            self._notes.origin(_RATES[:2], Provenance("measured", "psutil.swap_memory", now))
        self._swap_at, self._swapped = now, moved

    def energy(self, now: float) -> EnergyMark:
        """Tell that there is no energy."""
        return no_energy(now, f"power {ELSEWHERE}")

    def discover(self) -> None:
        """Nothing to look for."""

    def infos(self) -> tuple[SourceInfo, ...]:
        """Name the sensor, for the report."""
        return (SourceInfo(self.name, self.fields, "psutil"),)

    def close(self) -> None:
        """Nothing is kept open."""


class NoContainer:
    """There are no control groups here."""

    limits = Limit(inf, "no CPU quota"), Limit(inf, "no control group limit")

    def __init__(self, notes: Notes) -> None:
        notes.lose(_CONTAINER, "there are no control groups on this system")

    def demand(self) -> None:
        """Refuse the scope."""
        raise ScopeError(
            "scope 'container' needs Linux control groups, and there are none on this system; "
            "choose scope 'application' or 'device'"
        )

    def read(self, room_mb: float, cores: float, *, rates: bool) -> tuple[float, ...]:  # noqa: ARG002
        """Nothing but `nan`."""
        return (NAN,) * len(_CONTAINER)

    def work(self, now: float) -> None:
        """Nothing to do."""

    def discover(self) -> None:
        """Nothing to look for."""

    def infos(self) -> tuple[SourceInfo, ...]:
        """Name the sensor, for the report."""
        return (SourceInfo("container", _CONTAINER, "control groups"),)

    def close(self) -> None:
        """Nothing is kept open."""


class NoGpu:
    """GPUs are not read here."""

    application_mb = NAN

    def __init__(self, notes: Notes, choice: Choice) -> None:
        self._choice = choice
        self._fields = (
            *(f"device.{name}" for name in DeviceView._fields if name.startswith("gpu_")),
            "application.gpu_memory_mb",
        )
        notes.lose(self._fields, f"a GPU {ELSEWHERE}")

    def discover(self) -> None:
        """Nothing to look for."""

    def demand(self, _wait: Callable[[], None]) -> None:
        """Refuse a GPU that the program asks for."""
        if self._choice.name and self._choice.explicit:
            raise ConfigurationError(f"gpu={self._choice.name!r}: a GPU {ELSEWHERE}")

    def gpus(self) -> tuple[Gpu, ...]:
        """None are read."""
        return ()

    def throttling(self) -> tuple[Finding, ...]:
        """Nothing is known."""
        return ()

    def reports(self) -> tuple[SensorReport, ...]:
        """Say so."""
        return (SensorReport("GPU", self._fields, "", "NVML", 0.0, f"a GPU {ELSEWHERE}", ""),)
