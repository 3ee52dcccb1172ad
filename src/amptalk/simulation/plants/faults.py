"""What goes wrong around a plant: wrappers that spoil its sensor or its actuator.

Each takes a plant with one resource and is one; they can be put around each other:
`DeadTime(DropOut(GpuPower()), seconds=2)`. What is true (level, work, oracle) stays the
plant's own.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from amptalk.model.errors import ConfigurationError
from amptalk.model.resource import Resource
from amptalk.simulation.plant import Plant, PlantState


class Wrapped:
    """A plant around a plant; by itself it changes nothing."""

    oracle: Callable[[], float]
    """Only there when the plant has one."""

    def __init__(self, plant: Plant) -> None:
        self._plant: Any = plant
        self.resource: str | Resource = plant.resource
        self.limit = plant.limit
        self.period = plant.period
        inner = getattr(plant, "name", None) or type(plant).__name__
        self.name = f"{type(self).__name__}({inner})"
        if hasattr(plant, "oracle"):
            self.oracle = plant.oracle
        self._random = Random(0)  # noqa: S311 - a fault, no secret
        self._begin()

    def reset(self, seed: int) -> None:
        """Begin anew, the plant within too."""
        if hasattr(self._plant, "reset"):
            self._plant.reset(seed)
        # Not the seed itself: the fault must not follow the chance of the plant.
        self._random = Random(f"{self.name} {seed}")  # noqa: S311
        self._begin()

    def step(self, allocation: float) -> PlantState:
        """Run for one period."""
        state: PlantState = self._plant.step(allocation)
        return state

    def _begin(self) -> None:
        """Set the state at the start."""

    def _steps(self, seconds: float) -> int:
        return max(1, round(seconds / self.period))


class DropOut(Wrapped):
    """The sensor gives nothing for a while, again and again.

    `share` of the readings are lost (0-1), in gaps of `lasts` seconds on average.
    """

    def __init__(self, plant: Plant, share: float = 0.05, lasts: float = 2.0) -> None:
        if not 0.0 <= share < 1.0:
            raise ConfigurationError(f"share={share!r} is out of range: give 0 or more, below 1")
        stays = max(lasts, plant.period)
        self._ends = plant.period / stays
        self._starts = min(1.0, self._ends * share / (1.0 - share))
        super().__init__(plant)

    def _begin(self) -> None:
        self._lost = False

    def step(self, allocation: float) -> PlantState:
        """Run for one period; the reading may be lost."""
        state = super().step(allocation)
        chance = self._random.random()
        self._lost = chance >= self._ends if self._lost else chance < self._starts
        return state._replace(measured=math.nan) if self._lost else state


class Stuck(Wrapped):
    """The sensor repeats its last reading for `lasts` seconds, every `every` seconds on average."""

    def __init__(self, plant: Plant, every: float = 120.0, lasts: float = 15.0) -> None:
        self._chance = min(1.0, plant.period / every)
        self._lasts = lasts
        super().__init__(plant)

    def _begin(self) -> None:
        self._left = 0
        self._last = math.nan

    def step(self, allocation: float) -> PlantState:
        """Run for one period; the reading may be the one before."""
        state = super().step(allocation)
        if self._left:
            self._left -= 1
            return state._replace(measured=self._last)
        if self._random.random() < self._chance:
            self._left = self._steps(self._lasts)
        self._last = state.measured
        return state


class Late(Wrapped):
    """Readings arrive `seconds` later than the plant gives them; the first waits for none."""

    def __init__(self, plant: Plant, seconds: float = 2.0) -> None:
        self._seconds = seconds
        super().__init__(plant)

    def _begin(self) -> None:
        self._readings: deque[float] = deque(maxlen=self._steps(self._seconds) + 1)

    def step(self, allocation: float) -> PlantState:
        """Run for one period; the reading is an older one."""
        state = super().step(allocation)
        self._readings.append(state.measured)
        return state._replace(measured=self._readings[0])


class DeadTime(Wrapped):
    """An allocation takes effect `seconds` after it was decided; until then all may run."""

    def __init__(self, plant: Plant, seconds: float = 2.0) -> None:
        self._seconds = seconds
        super().__init__(plant)

    def _begin(self) -> None:
        steps = self._steps(self._seconds)
        self._shares: deque[float] = deque([1.0] * steps, maxlen=steps + 1)

    def step(self, allocation: float) -> PlantState:
        """Run for one period under an allocation decided earlier."""
        self._shares.append(allocation)
        return super().step(self._shares[0])


class Firmware(Wrapped):
    """A device that guards itself: its firmware slows it down whatever was allocated.

    After `after` seconds in a row beyond the limit it allows `cut` of what ran then, at least
    0.1, for `lasts` seconds, as the brake of an accelerator does on over-current. So "no
    control" costs work there instead of breaking the device.
    """

    _FLOOR = 0.1

    def __init__(
        self, plant: Plant, *, after: float = 3.0, cut: float = 0.5, lasts: float = 10.0
    ) -> None:
        self._after, self._cut, self._lasts = after, cut, lasts
        super().__init__(plant)

    def _begin(self) -> None:
        self._allowed = 1.0
        self._over = self._left = 0

    def step(self, allocation: float) -> PlantState:
        """Run for one period with no more than the firmware allows."""
        share = min(allocation, self._allowed) if self._left else allocation
        self._left = max(0, self._left - 1)
        state = super().step(share)
        self._over = self._over + 1 if state.level > self.limit else 0
        if self._over >= self._steps(self._after):
            self._allowed = max(self._FLOOR, self._cut * share)
            self._left = self._steps(self._lasts)
            self._over = 0
        return state
