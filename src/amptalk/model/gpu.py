"""One GPU as the library shows it: which it is, what was read of it, why the rest was not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from amptalk.model.sample import Provenance


class Gpu(NamedTuple):
    """One GPU, or one MIG instance, as of its last reading; no device is asked for it.

    A value that is not known is `nan`, with the reason in `missing`. A GPU that sleeps is not
    read, so nothing is known of it but where it is.
    """

    number: int
    """From 0: NVIDIA first, then Jetson, AMD, Intel, and by PCI address within each."""
    name: str
    kind: str
    """`nvidia`, `jetson`, `amd` or `intel`."""
    uuid: str
    """As the vendor's tool shows it; empty when there is none or it is not known yet."""
    pci_address: str
    """`domain:bus:device.function`, lower case; empty when it is not on PCI."""
    integrated: bool
    """True when it shares its memory with the processor."""
    sampled: bool
    """True for the one whose values the sample carries."""
    asleep: bool
    """True when the kernel has suspended it."""
    utilization: float
    """Busy share, 0-100, of the driver's last sample period; of all processes."""
    memory_used_mb: float
    """Of all processes; without what the driver reserves, where that can be told."""
    memory_total_mb: float
    application_mb: float
    """Memory of the application's processes."""
    application_utilization: float
    """Percent of the busiest engine that the application used since the last reading."""
    power_watts: float
    energy_joules: float
    """A counter: only differences mean something."""
    temperature_celsius: float
    clock_mhz: float
    memory_clock_mhz: float
    throttle_reasons: tuple[str, ...]
    """What holds the clocks back; empty when nothing does, or when `missing` says why not."""
    measured_at: float
    """Seconds of the monotonic clock; `nan` before the first reading."""
    missing: Mapping[str, str]
    """Name of a field above to the reason why it has no value."""
    provenance: Mapping[str, Provenance]
    """Name of a field above to how its value came about."""
