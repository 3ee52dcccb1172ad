"""Which field of the three views each of the specification's short names copies, by scope."""

from __future__ import annotations

_SHARED = {
    name: f"device.{name}" for name in ("gpu_utilization", "power_watts", "temperature_celsius")
}
SHOWN: dict[str, dict[str, str]] = {
    "application": _SHARED
    | {
        "memory_used_mb": "application.memory_mb",
        "memory_percent": "application.memory_mb",
        "cpu_percent": "application.cpu_percent",
        "gpu_memory_mb": "application.gpu_memory_mb",
    },
    "container": _SHARED
    | {
        "memory_used_mb": "container.working_set_mb",
        "memory_percent": "container.memory_percent",
        "cpu_percent": "container.cpu_percent",
        "gpu_memory_mb": "application.gpu_memory_mb",
    },
    "device": _SHARED
    | {
        "memory_used_mb": "device.memory_used_mb",
        "memory_percent": "device.memory_percent",
        "cpu_percent": "device.cpu_percent",
        "gpu_memory_mb": "device.gpu_memory_used_mb",
    },
}
