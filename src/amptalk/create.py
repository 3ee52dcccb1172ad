"""`create_resource_manager`: a manager with its limits as plain arguments, in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from amptalk.limits.limits import ResourceLimits
from amptalk.manager import ResourceManager

if TYPE_CHECKING:
    import os

    from amptalk.clock import Clock
    from amptalk.model.decision import Strategy
    from amptalk.model.sample import Sample


def create_resource_manager(
    *,
    max_memory_mb: float | None = None,
    max_cpu_percent: float | None = None,
    max_gpu_percent: float | None = None,
    max_gpu_memory_mb: float | None = None,
    max_power_watts: float | None = None,
    max_temp_celsius: float | None = None,
    strategy: str | Sequence[str] | Strategy = "dynamic",
    monitoring_interval: float = 1.0,
    callback: Callable[[Sample], object] | None = None,
    scope: str = "application",
    handling: str = "degrade",
    device_limits: Sequence[str] = (),
    name: str | None = None,
    record: str | os.PathLike[str] | None = None,
    learned: str | os.PathLike[str] | None = None,
    gpu: str | int | None = None,
    sharing: str = "memory:",
    clock: Clock | None = None,
) -> ResourceManager:
    """Create a manager with its limits; see `ResourceManager` and `ResourceLimits`."""
    return ResourceManager(
        ResourceLimits(
            max_memory_mb=max_memory_mb,
            max_cpu_percent=max_cpu_percent,
            max_gpu_percent=max_gpu_percent,
            max_gpu_memory_mb=max_gpu_memory_mb,
            max_power_watts=max_power_watts,
            max_temp_celsius=max_temp_celsius,
        ),
        strategy=strategy, monitoring_interval=monitoring_interval, callback=callback,
        scope=scope, handling=handling, device_limits=device_limits, name=name, record=record,
        learned=learned, gpu=gpu, sharing=sharing, clock=clock,
    )  # fmt: skip
