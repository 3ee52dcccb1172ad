"""What the plants of the package have in common: seconds, chance, small steps, a late sensor."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from random import Random

from amptalk.model.announcement import Announcement
from amptalk.simulation.plant import PlantState, ToCome

LONGEST_STEP = 1.0
"""Seconds that a plant moves by at once; a longer period is several such steps."""
AHEAD = 10.0
"""Seconds that a plant which announces its work tells of it ahead."""
LEAST = 0.05
"""The least an oracle answers: the work of the smallest allocation a strategy gives."""


class SeededPlant(ABC):
    """A plant whose chance is drawn from a seed.

    A period above one second is run in steps of at most one second under the same
    allocation: the level is that at its end, work and demand are means. Readings arrive
    one period late, as a sensor's do that is read before the step is over.
    """

    resource: str
    limit: float

    def __init__(self, period: float = 1.0) -> None:
        self.period = period
        self._steps = max(1, math.ceil(period / LONGEST_STEP))
        self._dt = period / self._steps
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Begin anew with this seed."""
        self.seconds = 0.0
        """Since the start."""
        self._random = Random(seed)  # noqa: S311 - a plant, no secret
        self._reading = math.nan
        self._begun = False
        self._begin()

    def step(self, allocation: float) -> PlantState:
        """Run for one period."""
        work = demand = 0.0
        dt = self._dt
        for _ in range(self._steps):
            level, done, wanted = self._move(allocation, dt)
            self.seconds += dt
            work += done
            demand += wanted
        measured = self._sense(level)
        late = self._reading if self._begun else measured
        self._reading, self._begun = measured, True
        steps = self._steps
        return PlantState(level, late, work / steps, demand / steps, self._announced())

    @abstractmethod
    def oracle(self) -> float:
        """The most work a step could do for ever without taking the level beyond the limit."""

    @abstractmethod
    def _begin(self) -> None:
        """Set the state at the start, with `self._random` new."""

    @abstractmethod
    def _move(self, allocation: float, dt: float) -> tuple[float, float, float]:
        """Move by `dt` seconds and return level, work and demand; `seconds` is the start of it."""

    @abstractmethod
    def _sense(self, level: float) -> float:
        """What the sensor says of a level."""

    def _announced(self) -> tuple[ToCome, ...]:
        """Work that is known to come, at `seconds`."""
        return ()


class Job:
    """Work that comes and goes: how strong, from when to when."""

    __slots__ = ("ends", "starts", "strength")

    def __init__(self, starts: float, ends: float, strength: float) -> None:
        self.starts = starts
        self.ends = ends
        self.strength = strength

    def announcement(self, resource: str, amount: float, now: float) -> Announcement:
        """What an application that knows of it tells at `now`."""
        return Announcement(resource, amount, self.starts - now, self.ends - self.starts)


def share_in(dt: float, share: float) -> float:
    """The part that is gone after `dt` seconds of what loses `share` of itself each second."""
    return 1.0 - math.pow(1.0 - share, dt)
