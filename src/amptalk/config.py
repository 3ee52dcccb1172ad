"""What a manager is told at its creation, checked once and then unchangeable.

Covers every argument but the limits (`limits.ResourceLimits` checks those) and
the strategy's name (`strategies.names` knows which there are).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from amptalk.model.errors import ConfigurationError

if TYPE_CHECKING:
    import os

    from amptalk.model.sample import Sample

SCOPES = ("application", "container", "device")
HANDLINGS = ("observe", "degrade", "enforce")
DEVICE_LIMITS = ("acpi_power", "cpufreq", "nvml_clocks", "nvml_power", "power_profile", "rapl")
"""Limits of devices that can be named; for the whole machine, so none is set unless it is."""
FASTEST_INTERVAL = 0.05
"""Seconds; below that sampling would cost more than it tells."""
SLOWEST_INTERVAL = 3600.0


class ManagerConfig(NamedTuple):
    """The arguments of a manager that are neither limits nor strategy."""

    monitoring_interval: float = 1.0
    """Seconds between samples, 0.05-3600. Close to a limit samples come sooner."""
    callback: Callable[[Sample], object] | None = None
    """Called with the latest sample on a thread of its own."""
    scope: str = "application"
    """Whose memory and CPU count: this process tree, its container, or the device."""
    handling: str = "degrade"
    """`observe` only reports, `degrade` takes own-process, reversible steps, `enforce` has the
    kernel hold limits too."""
    device_limits: tuple[str, ...] = ()
    """Names of `DEVICE_LIMITS` that may be set, with `enforce`."""
    name: str | None = None
    """Names the manager in telemetry; numbered when not given."""
    record: str | None = None
    """Path of a `.ring` file that survives a crash; `None` records nothing."""
    learned: str | None = None
    """Path of a JSON file that keeps what named jobs take across restarts; `None` keeps nothing."""
    gpu: str | int | None = None
    """The sample's GPU by number, UUID or PCI address; `None`: `AMPTALK_GPU`, else number 0."""
    sharing: str = "memory:"
    """Which ledger components are in: of this process, or `sqlite:` of several."""

    def checked(self) -> ManagerConfig:
        """Itself; raises `ConfigurationError` naming the first value that is not allowed."""
        interval = self.monitoring_interval
        if isinstance(interval, bool) or not isinstance(interval, (int, float)):
            raise ConfigurationError(
                f"monitoring_interval={interval!r} is not a number: give seconds, such as 1.0"
            )
        if math.isnan(interval) or not FASTEST_INTERVAL <= interval <= SLOWEST_INTERVAL:
            raise ConfigurationError(
                f"monitoring_interval={interval!r} is out of range: give "
                f"{FASTEST_INTERVAL} to {SLOWEST_INTERVAL:.0f} seconds"
            )
        if self.callback is not None and not callable(self.callback):
            raise ConfigurationError(
                f"callback={self.callback!r} cannot be called: give a function of one sample"
            )
        _one_of("scope", self.scope, SCOPES)
        _one_of("handling", self.handling, HANDLINGS)
        for limit in self.device_limits:
            _one_of("device_limits", limit, DEVICE_LIMITS)
        if self.device_limits and self.handling != "enforce":
            raise ConfigurationError(
                f"device_limits={list(self.device_limits)!r} with handling={self.handling!r}: only "
                "'enforce' sets limits of devices"
            )
        if self.name is not None and not (isinstance(self.name, str) and self.name.strip()):
            raise ConfigurationError(f"name={self.name!r} is not a name: give a non-empty string")
        return self

    def about(self) -> dict[str, Any]:
        """What metrics files say of it."""
        return {
            "scope": self.scope,
            "handling": self.handling,
            "device_limits": list(self.device_limits),
            "monitoring_interval": self.monitoring_interval,
            "gpu": self.gpu,
        }


def config_of(
    *,
    device_limits: Sequence[str],
    record: str | os.PathLike[str] | None,
    learned: str | os.PathLike[str] | None,
    **others: Any,
) -> ManagerConfig:
    """Arguments as they are given, checked; raises `ConfigurationError`."""
    if isinstance(device_limits, str):
        raise ConfigurationError(
            f"device_limits={device_limits!r} is one text: give a list, [{device_limits!r}]"
        )
    return ManagerConfig(
        device_limits=tuple(dict.fromkeys(device_limits)),
        record=None if record is None else str(record),
        learned=None if learned is None else str(learned),
        **others,
    ).checked()


def _one_of(argument: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value in allowed:
        return
    from difflib import get_close_matches

    close = get_close_matches(str(value), allowed, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ConfigurationError(f"{argument}={value!r} is unknown: use one of {allowed}{hint}")
