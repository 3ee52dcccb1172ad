"""How close a value is to its limit: levels, the state of a limit, violations."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from amptalk.model.resource import Resource


class Level(IntEnum):
    """How close a value is to its limit."""

    NORMAL = 0
    ELEVATED = 1
    CRITICAL = 2
    EMERGENCY = 3

    @property
    def label(self) -> str:
        """Lower-case name, as texts and files carry it."""
        return self.name.lower()


_FARTHEST = 1000.0
"""Times the limit that the turned value of a minimum is at most."""


def turned(value: float, limit: float) -> float:
    """A value that must not fall below `limit`, as one that must not rise above it.

    `limit`² / `value`: half of a minimum weighs as twice a limit, and turning it again gives
    the value back. 1000 times the limit for a value of nothing or less.
    """
    return limit * limit / max(value, limit / _FARTHEST)


def as_measured(resource: Resource, value: float, limit: float) -> float:
    """The value that was measured, out of the one that is judged by `limit`."""
    if not resource.minimum:
        return value
    return 0.0 if value >= _FARTHEST * limit else turned(value, limit)


class LimitState(NamedTuple):
    """One limit as judged in one tick; what strategies and actuators read."""

    resource: Resource
    limit: float
    """In the resource's unit."""
    value: float
    """Measured value in the same unit; `nan` when missing. Whoever decides sees every limit as
    one to stay below: where it is a minimum this is `turned(measured, limit)`."""
    level: Level
    fresh: bool
    """False when the value is the one of an earlier tick (rates between their intervals)."""
    blind: bool
    """True when the value is missing or too old to judge: the level is the last known."""
    slope: float
    """Growth per second over the last readings; 0 when unknown."""
    time_to_limit: float
    """Seconds until the limit at the present slope; `inf` when not in sight, 0 when over."""
    violated: bool = False
    """True while a violation lasts: from the second value beyond the limit in a row on."""

    @property
    def over(self) -> bool:
        """True when the value is beyond the limit."""
        return self.value > self.limit

    @property
    def measured(self) -> float:
        """The value as it was measured, also where the limit is a minimum."""
        return as_measured(self.resource, self.value, self.limit)

    @property
    def told(self) -> str:
        """Value, limit and unit for people: `latency_ms 75 of 60 ms`."""
        resource = self.resource
        least = "at least " if resource.minimum else ""
        unit = "" if resource.unit == "1" else f" {resource.unit}"
        return f"{resource.name} {self.measured:.4g} of {least}{self.limit:.4g}{unit}"


class Violation:
    """A value was beyond its limit for at least two samples. Grows while it lasts."""

    __slots__ = (
        "actions", "ended", "limit", "peak", "resource", "seconds_over", "started", "unit",
    )  # fmt: skip

    def __init__(
        self, resource: str, unit: str, limit: float, started: float, *, peak: float
    ) -> None:
        self.resource = resource
        self.unit = unit
        self.limit = limit
        self.started = started
        """Seconds since the epoch of the first sample beyond the limit."""
        self.ended: float | None = None
        """Seconds since the epoch of the first sample back within; `None` while it lasts."""
        self.peak = peak
        """The value farthest beyond the limit, as measured."""
        self.seconds_over = 0.0
        self.actions: list[str] = []
        """Actions reported while it lasted, as `name: verdict`."""

    def __repr__(self) -> str:
        return f"Violation({', '.join(f'{k}={v!r}' for k, v in self.as_dict().items())})"

    def as_dict(self) -> dict[str, object]:
        """Everything known of it, as files carry it."""
        return {
            "resource": self.resource,
            "unit": self.unit,
            "limit": self.limit,
            "started": self.started,
            "ended": self.ended,
            "peak": self.peak,
            "seconds_over": self.seconds_over,
            "actions": list(self.actions),
            "helped": self.helped,
        }

    @property
    def helped(self) -> bool | None:
        """Whether an action during the violation worked; `None` when nothing was done."""
        if not self.actions:
            return None
        return any(action.endswith((": worked", ": partial")) for action in self.actions)
