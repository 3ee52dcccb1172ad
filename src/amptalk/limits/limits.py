"""What may be used: the limits a user gives, checked once.

It does not judge (`judge`) and does not read the machine: what the machine has
is passed to `warnings`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsFloat

from amptalk.model.errors import ConfigurationError
from amptalk.model.resource import CPU, GPU, GPU_MEMORY, MEMORY, POWER, TEMPERATURE, Resource

if TYPE_CHECKING:
    from typing_extensions import Self

RESOURCES: dict[str, tuple[Resource, float]] = {
    "max_memory_mb": (MEMORY, math.inf),
    "max_cpu_percent": (CPU, 100.0),
    "max_gpu_percent": (GPU, 100.0),
    "max_gpu_memory_mb": (GPU_MEMORY, math.inf),
    "max_power_watts": (POWER, math.inf),
    "max_temp_celsius": (TEMPERATURE, 150.0),
}
"""Each limit's resource and the largest value that makes sense."""


def checked_limit(name: str, value: object, largest: float, unit: str) -> float:
    """The limit as a float; raises `ConfigurationError` unless above 0, up to `largest`."""
    allowed = f"above 0 {unit}"
    if largest < math.inf:
        allowed += f" up to {largest:g} {unit}"
    remedy = f"allowed is a number {allowed}, or None (leave it out) for no limit"
    # A bool counts as an int and numpy's own as a float; a limit of True is a slip.
    if not isinstance(value, SupportsFloat) or type(value).__name__ in ("bool", "bool_"):
        raise ConfigurationError(f"{name}={value!r} is not a number; {remedy}")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigurationError(f"{name}={value!r} is not one number; {remedy}") from error
    if not (0.0 < number <= largest and number < math.inf):
        raise ConfigurationError(f"{name}={value!r} is out of range; {remedy}")
    return number


class _Values(NamedTuple):
    max_memory_mb: float | None = None
    """MB (1024² bytes) of the manager's scope."""
    max_cpu_percent: float | None = None
    """0-100 of the effective CPU capacity (online CPUs, affinity and quotas)."""
    max_gpu_percent: float | None = None
    """0-100 busy share of the GPU."""
    max_gpu_memory_mb: float | None = None
    """MB (1024² bytes) of GPU memory of the manager's scope."""
    max_power_watts: float | None = None
    """Watts of the device."""
    max_temp_celsius: float | None = None
    """°C of the device's decisive sensor, up to 150."""


class ResourceLimits(_Values):
    """The most that may be used of each resource; `None` means no limit.

    Immutable, given by name: `ResourceLimits(max_memory_mb=1000, max_cpu_percent=80)`. Raises
    `ConfigurationError` for a value that is no number or out of range.
    """

    __slots__ = ()

    def __new__(
        cls,
        *,
        max_memory_mb: float | None = None,
        max_cpu_percent: float | None = None,
        max_gpu_percent: float | None = None,
        max_gpu_memory_mb: float | None = None,
        max_power_watts: float | None = None,
        max_temp_celsius: float | None = None,
    ) -> Self:
        """Check every value given."""
        return cls._make(
            (
                max_memory_mb, max_cpu_percent, max_gpu_percent,
                max_gpu_memory_mb, max_power_watts, max_temp_celsius,
            )
        )  # fmt: skip

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Self:  # type: ignore[override]  # mypy names it _cls
        """Check every value; `_replace` comes through here too."""
        values = [
            None if value is None else checked_limit(name, value, largest, resource.unit)
            for (name, (resource, largest)), value in zip(RESOURCES.items(), iterable, strict=True)
        ]
        return tuple.__new__(cls, values)

    def items(self) -> tuple[tuple[Resource, float], ...]:
        """Resource and limit of each limit that is set, in the order of the fields."""
        pairs = zip(RESOURCES.values(), self, strict=True)
        return tuple((resource, value) for (resource, _), value in pairs if value is not None)

    def warnings(self, cpu_cores: float, memory_mb: float) -> tuple[str, ...]:
        """What these limits cannot do on a machine of this effective capacity, one text each.

        `nan` says that a capacity is unknown; nothing is said about it then.
        """
        found = []
        if self.max_memory_mb is not None and self.max_memory_mb > memory_mb:
            found.append(
                f"max_memory_mb={self.max_memory_mb:g} is more than the {memory_mb:g} MB that can "
                f"be used here: the machine runs out first; give less than {memory_mb:g}"
            )
        if self.max_cpu_percent == 100.0 and not math.isnan(cpu_cores):
            found.append(
                f"max_cpu_percent=100 is all {cpu_cores:g} cores that can be used here and cannot "
                "be exceeded: it warns when they are busy and holds nothing back; give less"
            )
        if self.max_gpu_percent == 100.0:
            found.append("max_gpu_percent=100 cannot be exceeded and holds nothing back; give less")
        return tuple(found)
