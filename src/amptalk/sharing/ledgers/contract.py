"""What a ledger is: rows of who holds what, and the few operations on them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from amptalk.model.decision import Ask
from amptalk.model.errors import ConfigurationError, NeverFitsError

LAPSE_SECONDS = 10.0
"""A rate hold lapses when its holder was silent for so long; nobody lowers its quota then."""
RENEW_SECONDS = 3.0
"""How often a holder says that it lives, for its rate holds."""


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Row(NamedTuple):
    """What one component holds of one resource, in the resource's unit."""

    component: str
    resource: str
    ask: Ask
    demand: float
    """What it wants now; `inf` when it did not say."""
    granted: float = 0.0
    """What it may use."""
    charged: float = 0.0
    """What is counted against the capacity: max(old, new) until a shrink is confirmed."""
    shrink_seconds: float = 0.0
    """How long it may take to shrink."""
    expires: float = math.inf
    """When a rate hold lapses, on the clock of `boottime`."""
    member: str = ""
    """Which participant the component is of."""

    @property
    def key(self) -> tuple[str, str]:
        """Component and resource."""
        return self.component, self.resource


class Entry(NamedTuple):
    """A component that wants to join."""

    component: str
    asks: Mapping[str, Ask]
    demands: Mapping[str, float]
    shrink_seconds: float = 0.0


class Ledger(Protocol):
    """Keeps rows. Thread-safe; every operation is whole or has not happened.

    Raises `LedgerError` when the ledger cannot be used; grants are then as they were.
    """

    shared: bool
    """Whether other processes take part."""

    def join(self, entry: Entry) -> None:
        """Add a component, with its minimums as soon as there is room for all of them.

        Raises `ConfigurationError` for a name taken, `NeverFitsError` when the minimums of all
        components exceed a capacity.
        """

    def leave(self, component: str) -> None:
        """Drop a component of this participant and all that it was charged."""

    def change(
        self,
        component: str,
        resource: str,
        *,
        demand: float | None = None,
        charged: float | None = None,
    ) -> float:
        """Say what is wanted now, or what a shrink has left; returns what is granted.

        To say the same again changes nothing.
        """

    def want(self, demands: Mapping[tuple[str, str], float]) -> None:
        """Say of several components and resources of this participant at once what is wanted."""

    def settle(self, now: float) -> tuple[Row, ...]:
        """Take back what ended participants held, divide again, and return all rows.

        `now` is on the clock of `boottime`.
        """

    def rows(self) -> tuple[Row, ...]:
        """All rows as they are."""

    def capacities(self) -> Mapping[str, float]:
        """What there is of each resource that is limited."""

    def divide(self, capacities: Mapping[str, float]) -> None:
        """Have other capacities from now on, where nobody else takes part."""

    def wait(self, seconds: float) -> None:
        """Wait until something may have changed, `seconds` at most."""

    def wake(self) -> None:
        """End a `wait` of this participant, from any thread."""

    def close(self) -> None:
        """Leave with all components. Idempotent."""

    def forget(self) -> None:
        """Become inert in a fork's child, where it is the parent's."""


def boottime() -> float:
    """Seconds on the clock that all containers of a device share, sleep included."""
    return time.clock_gettime(_CLOCK)


def admit(entry: Entry, rows: Sequence[Row], capacities: Mapping[str, float]) -> None:
    """Check that a component may join; raises `ConfigurationError` or `NeverFitsError`."""
    if any(row.component == entry.component for row in rows):
        raise ConfigurationError(
            f"a component named {entry.component!r} exists already: release it first or use "
            "another name"
        )
    for resource, ask in entry.asks.items():
        limit = capacities.get(resource, math.inf)
        taken = math.fsum(row.ask.minimum for row in rows if row.resource == resource)
        if taken + ask.minimum > limit:
            raise NeverFitsError(
                f"the minimum of {ask.minimum:g} of {resource} for component {entry.component!r} "
                f"does not fit: {taken:g} of {limit:g} are the minimums of others; lower a minimum "
                "or raise the limit"
            )
