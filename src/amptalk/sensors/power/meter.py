"""What every source of power has in common, and the helpers for its files."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from amptalk.model.sample import Method
from amptalk.sensors.files import SensorFault, garbled, read_number


class Reading(NamedTuple):
    """Power as one source tells it."""

    watts: float
    method: Method
    source: str
    """What was read and what it covers: the whole device, the processor only."""


class Meter(Protocol):
    """One source of power."""

    name: str
    """What it is called where it does not answer."""

    def discover(self) -> None:
        """Look for the source anew."""

    def read(self, clock: Callable[[], float]) -> Reading | None:
        """Read the power now; `None` where this source says nothing of it at the moment.

        Counters take the time of their reading from `clock`. Raises `SensorFault` when the source
        is there and cannot be read.
        """

    def paths(self) -> tuple[str, ...]:
        """Files that a reading takes."""


class NotYetError(SensorFault):
    """The power needs a second reading of a counter, which can come soon."""


def microwatts(path: str) -> float:
    """Power of a file in µW, as watts. Raises `SensorFault`, also for a power below 0."""
    value = read_number(path)
    if value < 0:
        raise garbled(path, f"a power of {value} µW")
    return value / 1e6
