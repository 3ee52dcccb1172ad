"""What is known of one GPU at one moment, and why the rest is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isnan
from typing import NamedTuple, Protocol

from amptalk.model.sample import Method
from amptalk.sensors.files import SensorFault, garbled, read_number, read_text, whole_number
from amptalk.sensors.report import NAN

MB = 2.0**20
ASLEEP = "asleep: the GPU is suspended, and reading it would wake it"
_PLAUSIBLE_WATTS = 3000.0
_SHORTEST = 0.25


class Origin(NamedTuple):
    """How a value came about."""

    method: Method
    source: str


class GpuReading(NamedTuple):
    """One GPU; a value that is not known is `nan` and has its fault in `missing`."""

    name: str
    uuid: str
    """As the vendor's tool shows it; empty when there is none."""
    pci_address: str
    """`domain:bus:device.function`, lower case; empty when it is not on PCI."""
    integrated: bool
    """True when it shares its memory with the processor."""
    missing: Mapping[str, SensorFault]
    origins: Mapping[str, Origin]
    utilization: float = NAN
    """Percent of the last sample period of the driver, device-wide."""
    memory_used_mb: float = NAN
    memory_total_mb: float = NAN
    application_mb: float = NAN
    """Memory of the application's processes."""
    application_utilization: float = NAN
    """Percent of the busiest engine that the application used since the last reading."""
    power_watts: float = NAN
    energy_joules: float = NAN
    """A counter: only differences mean something."""
    temperature_celsius: float = NAN
    clock_mhz: float = NAN
    memory_clock_mhz: float = NAN
    throttled: str = ""
    """What holds the clocks back, in words; empty when nothing does or it is not known."""


QUANTITIES = (
    *("utilization", "memory_used_mb", "memory_total_mb", "application_mb"),
    *("application_utilization", "power_watts", "energy_joules", "temperature_celsius"),
    *("clock_mhz", "memory_clock_mhz"),
)


class GpuReader(Protocol):
    """Reads all GPUs of one kind, on the slow thread."""

    idle: bool
    """True when the GPUs did nothing at the last reading and could sleep if left alone."""

    def read(self, pids: tuple[int, ...]) -> tuple[GpuReading, ...]:
        """Read them; `pids` are the application's. Raises `SensorFault` when none can be read."""

    def release(self) -> None:
        """Let go of the devices until the next reading."""


class Findings:
    """Collects the values of one reading, each with its origin or its fault."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.missing: dict[str, SensorFault] = {}
        self.origins: dict[str, Origin] = {}

    def find(
        self,
        quantity: str,
        source: str,
        function: Callable[[], float],
        method: Method = "measured",
    ) -> float:
        """Take what `function` returns, or the `SensorFault` it raises; `nan` then."""
        try:
            value = function()
        except SensorFault as fault:
            self.lack(quantity, fault)
            return NAN
        self.values[quantity] = value
        self.origins[quantity] = Origin(method, source)
        self.missing.pop(quantity, None)
        return value

    def lack(self, quantity: str, fault: SensorFault | str) -> None:
        """State why there is no value."""
        self.values.pop(quantity, None)
        self.origins.pop(quantity, None)
        self.missing[quantity] = SensorFault(fault) if isinstance(fault, str) else fault

    def reading(
        self, name: str, uuid: str, pci: str, *, integrated: bool, throttled: str = ""
    ) -> GpuReading:
        """All of it; a quantity that was not looked for is missing with that reason."""
        for quantity in QUANTITIES:
            if quantity not in self.values and quantity not in self.missing:
                self.lack(quantity, "this driver does not give it")
        return GpuReading(
            name, uuid, pci, integrated, self.missing, self.origins,
            throttled=throttled, **self.values,
        )  # fmt: skip


def nothing_known(fault: SensorFault | str, name: str, uuid: str, pci: str) -> GpuReading:
    """A GPU of which no value is known, all for the same reason."""
    findings = Findings()
    for quantity in QUANTITIES:
        findings.lack(quantity, fault)
    return findings.reading(name, uuid, pci, integrated=False)


class PowerMeter:
    """Power from an energy counter: the difference of two readings, when it is plausible."""

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None
        self.watts = NAN

    def feed(self, now: float, joules: float) -> float:
        """Watts since the last reading at least 250 ms ago; `nan` when that cannot be told."""
        last = self._last
        if isnan(joules):
            self._last, self.watts = None, NAN
        elif last is None:
            self._last = now, joules
        elif now - last[0] >= _SHORTEST:
            watts = (joules - last[1]) / (now - last[0])
            self.watts = watts if 0.0 <= watts <= _PLAUSIBLE_WATTS else NAN
            self._last = now, joules
        return self.watts


def number(path: str, scale: float = 1.0) -> float:
    """The number of 0 or more in a file times `scale`. Raises `SensorFault`."""
    return whole_number(read_text(path), path) * scale


def percent(path: str, scale: float = 1.0) -> float:
    """The same where only 0-100 can be. Raises `SensorFault`."""
    value = number(path, scale)
    if not 0.0 <= value <= 100.0:
        raise garbled(path, f"{value:g} % cannot be")
    return value


def temperature(path: str) -> float:
    """Degrees Celsius from a file in thousandths. Raises `SensorFault`."""
    value = read_number(path) * 0.001
    if not -40.0 <= value <= 150.0:
        raise garbled(path, f"{value:g} °C cannot be")
    return value
