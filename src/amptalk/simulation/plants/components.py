"""Three components of one application that share a memory budget."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

from amptalk.simulation.plants.seeded import SeededPlant, share_in


class Grants(Protocol):
    """What the plant needs of a registered component."""

    def grant(self, resource: str) -> float:
        """How much of a resource it may use now."""

    def demand(self, *, memory_mb: float | None = None) -> None:
        """Say what it wants now."""


class Register(Protocol):
    """What `manager.component` is."""

    def __call__(self, name: str, *, memory_mb: tuple[float, float], weight: float) -> Any:
        """Add a component."""


class _Asked(NamedTuple):
    minimum: float
    maximum: float
    weight: float


_COMPONENTS = {
    "speech": _Asked(100.0, 350.0, 2.0),
    "language": _Asked(200.0, 700.0, 1.0),
    "vision": _Asked(50.0, 300.0, 1.0),
}
"""MB. The minimums fit into the budget, the maximums do not."""
_CHANGES = 1.0 / 45.0
_GROWS, _SHRINKS = 0.3, 0.7


class Components(SeededPlant):
    """Memory of three components whose wishes change, each after 45 s on average.

    A component wants an amount drawn evenly between what it asks at least and at most; its use
    goes to min(wish, what it may) by 30 % a second upwards and 70 % downwards. What it may is
    its grant when `cooperating` (it registers with the manager: for strategy `cooperative`),
    otherwise the allocation times what it asks at most. The level is the sum of all use.
    Work is use within the wish, as a share of all that may be wanted.
    """

    resource = "memory_mb"
    limit = 900.0

    def __init__(self, period: float = 1.0, *, cooperating: bool = False) -> None:
        self._cooperating = cooperating
        self._registered: dict[str, Grants] = {}
        super().__init__(period)

    def join(self, component: Register) -> None:
        """Register the components, as an application does with `manager.component`."""
        if self._cooperating:
            self._registered = {
                name: component(name, memory_mb=(asked.minimum, asked.maximum), weight=asked.weight)
                for name, asked in _COMPONENTS.items()
            }
            self._tell()

    def _begin(self) -> None:
        self._wishes = {name: asked.minimum for name, asked in _COMPONENTS.items()}
        self.used = dict(self._wishes)
        """MB by component."""

    def _tell(self) -> None:
        for name, component in self._registered.items():
            component.demand(memory_mb=self._wishes[name])

    def _move(self, allocation: float, dt: float) -> tuple[float, float, float]:
        changed = False
        for name, asked in _COMPONENTS.items():
            if self._random.random() < -math.expm1(-dt * _CHANGES):
                self._wishes[name] = self._random.uniform(asked.minimum, asked.maximum)
                changed = True
        if changed:
            self._tell()
        work = 0.0
        for name, asked in _COMPONENTS.items():
            registered = self._registered.get(name)
            may = allocation * asked.maximum if registered is None else registered.grant("memory")
            used, goal = self.used[name], min(self._wishes[name], may)
            used += share_in(dt, _GROWS if goal > used else _SHRINKS) * (goal - used)
            self.used[name] = used
            work += min(used, self._wishes[name])
        most = sum(asked.maximum for asked in _COMPONENTS.values())
        return sum(self.used.values()), work / most, sum(self._wishes.values()) / most

    def _sense(self, level: float) -> float:
        return float(round(level + self._random.gauss(0.0, 2.0)))

    def oracle(self) -> float:
        """All wishes that fit into the budget together."""
        most = sum(asked.maximum for asked in _COMPONENTS.values())
        return min(self.limit, sum(self._wishes.values())) / most
