"""How much this process could use at most: cores and memory, with the reason.

The least of what is online, what affinity allows and what every visible ancestor control
group grants. Limits above the root of a cgroup namespace cannot be seen from within.

Swap space is never part of it, compressed or not, nor what a control group may have in swap: memory
that has to be brought back first is not memory to run in. In version 1 the limit on memory and swap
together cannot be below the limit on memory, so it is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isnan, nan
from typing import NamedTuple


class Capacity(NamedTuple):
    """What 100 % means here."""

    cpu_cores: float
    """Cores, more than 0, maybe a fraction; `nan` when a bound of them cannot be read."""
    cpu_reason: str
    memory_mb: float
    """MB; `nan` when a bound of it cannot be read."""
    memory_reason: str

    def cpu_text(self, percent: float) -> str:
        """Say a share of the capacity in cores and as systemd says it.

        >>> Capacity(4, "4 online CPUs", 1000, "MemTotal").cpu_text(50)
        '50 % = 2 of 4 cores = CPUQuota=200%'
        """
        cores = self.cpu_cores * percent / 100.0
        return (
            f"{percent:g} % = {cores:.4g} of {self.cpu_cores:.4g} cores"
            f" = CPUQuota={cores * 100.0:.4g}%"
        )


class Limit(NamedTuple):
    """An amount and where it comes from; `nan` and why it is not known."""

    amount: float
    reason: str


def effective_capacity(cpu: Iterable[Limit], memory: Iterable[Limit]) -> Capacity:
    """Take the least of each; the first of equals gives the reason.

    One that is not known makes the result unknown: without it, a share would be too small.
    """
    cores, room = _least(cpu), _least(memory)
    return Capacity(cores.amount, cores.reason, room.amount, room.reason)


def _least(limits: Iterable[Limit]) -> Limit:
    given = tuple(limits)
    unknown = next((limit for limit in given if isnan(limit.amount)), None)
    if unknown is not None:
        return unknown
    known = [limit for limit in given if 0 < limit.amount < inf]
    return min(known, key=lambda limit: limit.amount, default=Limit(nan, "nothing bounds it"))
