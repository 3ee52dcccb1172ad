"""What is known of one GPU at one moment, and why the rest is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isnan
from typing import NamedTuple, Protocol

from amptalk.model.sample import Method
from amptalk.sensors.files import SensorFault, garbled, read_number, read_text, whole_number
from amptalk.sensors.report import NAN

MB = 2.0**20
ASLEEP = SensorFault("asleep: the GPU is suspended, and reading it would wake it")
THROTTLE = "throttle_reasons"
"""The name under which `missing` says why it is not known what holds the clocks back."""
_PLAUSIBLE_WATTS = 3000.0
_SHORTEST = 0.25
_LONGEST = 60.0
"""Seconds; i915 counts in 32 bits of 61 µJ, which wrap after 17 minutes at 250 W."""


class Origin(NamedTuple):
    """How a value came about."""

    method: Method
    source: str


class Identity(NamedTuple):
    """Which GPU it is."""

    name: str
    uuid: str = ""
    """As the vendor's tool shows it; empty when there is none or it is not known yet."""
    pci_address: str = ""
    """`domain:bus:device.function`, lower case; empty when it is not on PCI."""
    integrated: bool = False
    """True when it shares its memory with the processor."""

    @property
    def full(self) -> str:
        """Its name with what tells it from others of that name."""
        shared = "shared memory" if self.integrated else ""
        told = ", ".join(part for part in (self.uuid, self.pci_address, shared) if part)
        return f"{self.name} ({told})" if told else self.name


class GpuReading(NamedTuple):
    """One GPU; a value that is not known is `nan` and has its fault in `missing`."""

    identity: Identity
    at: float
    """Seconds of the monotonic clock."""
    missing: Mapping[str, SensorFault]
    origins: Mapping[str, Origin]
    throttle_reasons: tuple[str, ...] = ()
    """What holds the clocks back, in words; empty when nothing does or `missing` says why not."""
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

    @property
    def asleep(self) -> bool:
        """Whether nothing is known because the GPU sleeps."""
        return self.missing.get("utilization") is ASLEEP

    @property
    def silent(self) -> bool:
        """Whether nothing is known at all."""
        return not self.origins


QUANTITIES = (
    *("utilization", "memory_used_mb", "memory_total_mb", "application_mb"),
    *("application_utilization", "power_watts", "energy_joules", "temperature_celsius"),
    *("clock_mhz", "memory_clock_mhz"),
)


class GpuReader(Protocol):
    """Reads all GPUs of one kind, on the slow thread."""

    def read(self, pids: tuple[int, ...]) -> tuple[GpuReading, ...]:
        """Read them; `pids` are the application's. Raises `SensorFault` when none can be read.

        A GPU that is left alone for a while keeps its last reading.
        """

    def release(self) -> None:
        """Let go of the devices until the next reading."""


class Findings:
    """Collects the values of one reading, each with its origin or its fault."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.missing: dict[str, SensorFault] = {}
        self.origins: dict[str, Origin] = {}
        self.throttle_reasons: tuple[str, ...] = ()

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

    def reading(self, identity: Identity, at: float) -> GpuReading:
        """All of it; a quantity that was not looked for is missing with that reason."""
        for quantity in QUANTITIES:
            if quantity not in self.values and quantity not in self.missing:
                self.lack(quantity, "this driver does not give it")
        return GpuReading(
            identity, at, self.missing, self.origins, self.throttle_reasons, **self.values
        )


def nothing_known(fault: SensorFault, identity: Identity, at: float) -> GpuReading:
    """A GPU of which no value is known, all for the same reason."""
    findings = Findings()
    for quantity in (*QUANTITIES, THROTTLE):
        findings.lack(quantity, fault)
    return findings.reading(identity, at)


def without_application(one: GpuReading) -> GpuReading:
    """Take out what is the application's: its processes cannot be read."""
    if one.silent:
        return one
    why = SensorFault("the processes of the application are not known")
    missing = {**one.missing, "application_mb": why, "application_utilization": why}
    return one._replace(missing=missing, application_mb=NAN, application_utilization=NAN)


class PowerMeter:
    """Power from an energy counter: the difference of two readings, when it is plausible.

    Over more than a minute it says nothing: the counter may have wrapped, or the GPU slept.
    """

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None
        self.watts = NAN

    def feed(self, now: float, joules: float) -> float:
        """Watts since the last reading at least 250 ms ago; `nan` when that cannot be told."""
        last = self._last
        if isnan(joules):
            self._last, self.watts = None, NAN
        elif last is None or now - last[0] > _LONGEST:
            self._last, self.watts = (now, joules), NAN
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
