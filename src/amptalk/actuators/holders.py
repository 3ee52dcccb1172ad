"""Managers of one process that enforce: the first holds the kernel's limits for all of them.

There is one application to a process, so there is one cap and one quota: the most restrictive of
what its managers ask for. When the first ends, the next takes over.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Protocol

from amptalk.model.resource import Resource

Limits = Sequence[tuple[Resource, float]]


class Holder(Protocol):
    """What is needed of a manager's enforcement."""

    limits: Limits

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
        self._shares: dict[int, float] = {}

    def join(self, one: Holder) -> Holder:
        """Add one; returns the one that holds for all, maybe itself."""
        if one not in self._members:
            self._members.append(one)
        return self._members[0]

    def leave(self, one: Holder) -> Holder | None:
        """Take one out; returns the one that holds from now on, `None` when there is none."""
        if one in self._members:
            self._members.remove(one)
        self._shares.pop(id(one), None)
        return self._members[0] if self._members else None

    @property
    def first(self) -> Holder | None:
        """The one that holds for all."""
        members = self._members
        return members[0] if members else None

    def limits(self) -> list[tuple[Resource, float]]:
        """What is held: the most restrictive of all."""
        return most_restrictive(one.limits for one in tuple(self._members))

    def share(self, one: Holder, share: float) -> float:
        """Take up the share of all cores that one leaves; returns the least of all, 0-1."""
        if one in self._members:
            self._shares[id(one)] = share
        return min(self._shares.values(), default=1.0)

    def forget(self) -> None:
        """All of them are the parent's, in a forked child."""
        self.changing = threading.RLock()
        self._members = []
        self._shares = {}
