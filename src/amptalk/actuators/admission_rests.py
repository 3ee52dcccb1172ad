"""Rests: how admission paces work to an allocation a < 1.

A job that ran d seconds leaves a rest of d·(1/a - 1), at most 5 s; each admission takes the rest
that ends first and waits for it. So one or N workers run the share a of the time, and traffic with
gaps longer than its rests is not delayed. Pure.
"""

from __future__ import annotations

import heapq
import math

LONGEST_REST = 5.0
"""Seconds. A rest that ended longer ago than this is not owed to anyone any more."""


class Rests:
    """The rests that are owed. Not thread-safe."""

    def __init__(self) -> None:
        self.pace = 1.0
        """The allocation: share of the time that work may run, (0, 1]."""
        self._ends: list[float] = []

    def set_pace(self, pace: float) -> None:
        """Pace work from now on; with all of it allowed nothing is owed any more."""
        self.pace = pace
        if pace >= 1.0:
            self._ends.clear()

    def add(self, seconds: float, now: float) -> None:
        """Owe the rest of work that ran for `seconds`."""
        if self.pace < 1.0:
            rest = min(seconds * (1.0 / self.pace - 1.0), LONGEST_REST)
            heapq.heappush(self._ends, now + rest)

    def take(self) -> None:
        """Work begins: the rest that ends first is over for it."""
        if self._ends:
            heapq.heappop(self._ends)

    def next(self, now: float) -> float:
        """End of the rest that ends first; -inf when none is owed."""
        while self._ends and self._ends[0] < now - LONGEST_REST:
            heapq.heappop(self._ends)
        return self._ends[0] if self._ends else -math.inf
