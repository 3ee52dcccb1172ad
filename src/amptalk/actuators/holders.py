"""Managers of one process that enforce: the first holds the kernel's limits for all of them.

There is one application to a process, so there is one cap and one quota: the most restrictive of
what its managers ask for, or are granted where they share. When the first ends, the next takes
over.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from typing import Protocol

from amptalk.model.resource import Resource

Limits = Sequence[tuple[Resource, float]]


class Holder(Protocol):
    """What is needed of a manager's enforcement."""

    limits: Limits
    share: float
    """What its allocations leave of all cores, 0-1."""
    granted: float
    """Percent of CPU that sharing grants it, `inf` without."""

    @property
    def held(self) -> set[str]:
        """Resources that the kernel holds by it."""

    def take_hold(self) -> None:
        """Have the kernel hold what all of them ask for."""

    def renew(self) -> None:
        """Others have come or gone: bring what is held up to date."""


def most_restrictive(asked: Iterable[Limits]) -> list[tuple[Resource, float]]:
    """The least limit on each resource.

    >>> from amptalk.model.resource import CPU, MEMORY
    >>> [limit for _, limit in most_restrictive([((MEMORY, 900),), ((MEMORY, 700), (CPU, 50))])]
    [700, 50]
    """
    least: dict[Resource, float] = {}
    for limits in asked:
        for resource, limit in limits:
            least[resource] = min(limit, least.get(resource, limit))
    return list(least.items())


class Holders:
    """Who enforces, in the order of their start. `changing` is held while that changes."""

    def __init__(self) -> None:
        self.changing = threading.RLock()
        self._members: list[Holder] = []

    def join(self, one: Holder) -> Holder:
        """Add one; returns the one that holds for all, maybe itself."""
        if one not in self._members:
            self._members.append(one)
        return self._members[0]

    def leave(self, one: Holder) -> Holder | None:
        """Take one out; returns the one that holds from now on, `None` when there is none."""
        if one in self._members:
            self._members.remove(one)
        return self._members[0] if self._members else None

    @property
    def first(self) -> Holder | None:
        """The one that holds for all."""
        members = self._members
        return members[0] if members else None

    def limits(self) -> list[tuple[Resource, float]]:
        """What is held: the most restrictive of all."""
        return most_restrictive(one.limits for one in tuple(self._members))

    def granted(self) -> float:
        """The least percent of CPU that sharing grants any of them, `inf` without."""
        return min((one.granted for one in tuple(self._members)), default=math.inf)

    def share(self) -> float:
        """The least share of all cores that any of them leaves, 0-1."""
        return min((one.share for one in tuple(self._members)), default=1.0)

    def forget(self) -> None:
        """All of them are the parent's, in a forked child."""
        self.changing = threading.RLock()
        self._members = []
