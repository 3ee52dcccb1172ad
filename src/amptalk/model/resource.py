"""What can be limited: resources as open values.

A resource is data, not an enum member: several GPUs or a signal of the
application (`latency_ms`) are resources like the built-in six. What a machine
has is found out by `sensors`, what is allowed is said by `limits`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["hold", "rate", "temperature"]


class Resource(NamedTuple):
    """One thing that can run out.

    `kind` says how it behaves: a *hold* (memory) stays used until given back, a
    *rate* (CPU, watts) is used anew each second, a *temperature* follows slowly
    and is judged by its distance from the limit instead of a fraction of it.
    """

    name: str
    unit: str
    kind: Kind
    field: str
    """Name of the sample field that measures it."""
    device_wide: bool
    """True when it is measured for the whole device whatever the manager's scope."""
    minimum: bool = False
    """True when the limit is the least that must be there, such as a frame rate."""


MEMORY = Resource("memory", "MB", "hold", "memory_used_mb", device_wide=False)
CPU = Resource("cpu", "%", "rate", "cpu_percent", device_wide=False)
GPU = Resource("gpu", "%", "rate", "gpu_utilization", device_wide=True)
GPU_MEMORY = Resource("gpu_memory", "MB", "hold", "gpu_memory_mb", device_wide=False)
POWER = Resource("power", "W", "rate", "power_watts", device_wide=True)
TEMPERATURE = Resource("temperature", "°C", "temperature", "temperature_celsius", device_wide=True)

BUILT_IN: dict[str, Resource] = {
    resource.name: resource for resource in (MEMORY, CPU, GPU, GPU_MEMORY, POWER, TEMPERATURE)
}
