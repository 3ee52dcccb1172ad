"""Components of one application that share its limits: what they ask, want and hold.

The book keeps who holds what and hands out the grants of the cooperative strategy:
shrinks first, growth only into what is free. It neither divides (`allocation`) nor
measures. A component is charged max(old, new) until its shrink is confirmed
(`holdings`), and growth of a hold resource is also held back while measured use plus
the growth is beyond the limit: a component that only says it shrank harms nobody.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from amptalk.model.decision import Ask
from amptalk.model.errors import ConfigurationError, NeverFitsError
from amptalk.model.resource import BUILT_IN, Resource
from amptalk.model.sample import Sample
from amptalk.sharing.asks import amount, ask
from amptalk.sharing.holdings import Holding, Notify, Runner

SMALLEST_GROWTH = 0.01
"""Growth below this share of what is held is left out: it would only cost calls."""

_ARGUMENTS = {"memory": "memory_mb", "gpu_memory": "gpu_memory_mb", "cpu": "cpu_percent"}
_NOTHING: Mapping[str, float] = {}


class Share(NamedTuple):
    """One row of the table of shares."""

    component: str
    resource: str
    unit: str
    minimum: float
    maximum: float
    weight: float
    priority: int
    demand: float
    """What it said it wants now; `nan` when it did not."""
    granted: float
    """What it may use now."""
    charged: float
    """What is counted against the limit for it: more than granted until a shrink is confirmed."""
    note: str
    """What keeps a shrink from being confirmed; empty when nothing does."""


class Component:
    """A part of the application that holds a share of the limits."""

    def __init__(self, book: ComponentBook, name: str, asks: Mapping[str, Ask]) -> None:
        self._book = book
        self.name = name
        self.asks = asks
        """What it asks, by resource."""
        self.holdings: dict[str, Holding] = {}
        self.wanted: Mapping[str, float] = _NOTHING

    def grant(self, resource: str) -> float:
        """How much of a resource it may use now, in its unit.

        The minimum at first, or 0 until others have made room. Raises
        `ConfigurationError` for a resource it did not ask for.
        """
        holding = self.holdings.get(resource)
        if holding is None:
            raise ConfigurationError(
                f"component {self.name!r} did not ask for {resource!r}, only for "
                f"{', '.join(self.holdings) or 'nothing any more'}"
            )
        return holding.granted

    def demand(
        self,
        *,
        memory_mb: float | None = None,
        cpu_percent: float | None = None,
        gpu_memory_mb: float | None = None,
    ) -> None:
        """Say what it wants now; what is left out stays as said before."""
        given = {"memory": memory_mb, "cpu": cpu_percent, "gpu_memory": gpu_memory_mb}
        said = {
            resource: amount(self.name, _ARGUMENTS[resource], value)
            for resource, value in given.items()
            if value is not None
        }
        for resource in said:
            self.grant(resource)  # raises for what was not asked for
        self.wanted = {**self.wanted, **said}
        self._book.changed()

    def release(self) -> None:
        """Give everything back and leave the book; does nothing the second time."""
        self._book.remove(self)


class ComponentBook:
    """All components of a manager. `apply` belongs to the tick, the rest to any thread."""

    def __init__(self, limits: Sequence[tuple[Resource, float]], runner: Runner) -> None:
        self._capacity = {resource.name: limit for resource, limit in limits}
        self._runner = runner
        self._lock = threading.RLock()
        self._components: dict[str, Component] = {}
        self._asks: Mapping[str, Mapping[str, Ask]] = {}
        self._demands: Mapping[str, Mapping[str, float]] = {}
        self._settled: Mapping[str, Mapping[str, float]] | None = None

    def register(
        self,
        name: str,
        *,
        memory_mb: tuple[float, float] | None = None,
        cpu_percent: tuple[float, float] | None = None,
        gpu_memory_mb: tuple[float, float] | None = None,
        weight: float = 1.0,
        priority: int = 0,
        on_shrink: Notify | None = None,
        on_grow: Notify | None = None,
    ) -> Component:
        """Add a component; each resource is `(minimum, maximum)` in its unit.

        `on_shrink(resource, target)` and `on_grow(resource, target)` are called off the
        tick. Raises `ConfigurationError` for a name taken or values out of range, and
        `NeverFitsError` when the minimums of all components exceed a limit.
        """
        if not isinstance(name, str) or not name.strip():
            raise ConfigurationError(f"the name of a component is {name!r}: give a string")
        if isinstance(priority, bool) or not isinstance(priority, int):
            raise ConfigurationError(f"priority={priority!r} of {name!r}: give a whole number")
        heavy = amount(name, "weight", weight)
        if heavy <= 0:
            raise ConfigurationError(f"weight={weight!r} of {name!r}: give more than 0")
        for what, function in (("on_shrink", on_shrink), ("on_grow", on_grow)):
            if function is not None and not callable(function):
                raise ConfigurationError(f"{what}={function!r} of {name!r} cannot be called")
        given = {"memory": memory_mb, "cpu": cpu_percent, "gpu_memory": gpu_memory_mb}
        asks = {
            resource: ask(name, _ARGUMENTS[resource], bounds, heavy, priority)
            for resource, bounds in given.items()
            if bounds is not None
        }
        if not asks:
            raise ConfigurationError(
                f"component {name!r} asks for nothing: give memory_mb, cpu_percent or "
                "gpu_memory_mb as (minimum, maximum)"
            )
        component = Component(self, name, asks)
        with self._lock:
            self._check_room(component)
            for resource, asked in asks.items():
                holding = Holding(name, BUILT_IN[resource], asked, on_shrink, on_grow)
                component.holdings[resource] = holding
                room = self._room(resource)
                first = asked.maximum if room == math.inf else asked.minimum
                if first <= room:
                    holding.begin(first)
            self._components = {**self._components, name: component}
            self.changed()
        return component

    def asks(self) -> Mapping[str, Mapping[str, Ask]]:
        """What each component asks, by name and resource."""
        return self._asks

    def demands(self) -> Mapping[str, Mapping[str, float]]:
        """What components want now, those that said so."""
        return self._demands

    def apply(self, grants: Mapping[str, Mapping[str, float]], sample: Sample) -> None:
        """Hand out grants, in each resource's unit; once a tick, quick when nothing changed.

        Shrinks take effect at once, growth as soon as there is room for it.
        """
        if grants == self._settled:
            return
        now, settled = sample.monotonic, True
        with self._lock:
            todo = [
                (holding, grants.get(component.name, _NOTHING).get(resource, math.nan))
                for component in self._components.values()
                for resource, holding in component.holdings.items()
            ]
            for holding, target in todo:
                used = sample[holding.resource.field]
                if target < holding.granted:
                    holding.shrink(target, used, now)
                settled &= holding.settle(self._runner, used, now)
            for holding, target in sorted(todo, key=lambda row: -row[0].ask.priority):
                if target > holding.granted and _worth_it(holding, target):
                    settled = False  # its call, or its room, is for the next tick
                    if self._has_room(holding, target, sample):
                        holding.grow(target)
                        holding.settle(self._runner, sample[holding.resource.field], now)
            self._settled = grants if settled else None

    def shares(self) -> tuple[Share, ...]:
        """Who holds what, one row a component and resource."""
        with self._lock:
            return tuple(
                Share(
                    component.name, name, holding.resource.unit, *holding.ask,
                    component.wanted.get(name, math.nan), holding.granted, holding.charged,
                    holding.note,
                )
                for component in self._components.values()
                for name, holding in component.holdings.items()
            )  # fmt: skip

    def changed(self) -> None:
        """Rebuild what strategies read, after a component changed."""
        with self._lock:
            components = self._components.values()
            self._asks = {c.name: c.asks for c in components}
            self._demands = {c.name: c.wanted for c in components if c.wanted}
            self._settled = None

    def remove(self, component: Component) -> None:
        """Drop a component and what it was charged."""
        with self._lock:
            if self._components.get(component.name) is component:
                self._components = {
                    name: kept for name, kept in self._components.items() if kept is not component
                }
                component.holdings = {}
                self.changed()

    def freeze(self) -> None:
        """Keep every grant as it is in a forked child."""
        self._lock = threading.RLock()  # the parent may have held it

    # -- inside -------------------------------------------------------------------------

    def _check_room(self, component: Component) -> None:
        if component.name in self._components:
            raise ConfigurationError(
                f"a component named {component.name!r} exists already: release it first or use "
                "another name"
            )
        for resource, asked in component.asks.items():
            limit = self._capacity.get(resource, math.inf)
            taken = sum(
                other.asks[resource].minimum
                for other in self._components.values()
                if resource in other.asks
            )
            if taken + asked.minimum > limit:
                unit = BUILT_IN[resource].unit
                raise NeverFitsError(
                    f"the minimum of {asked.minimum:g} {unit} of {resource} for component "
                    f"{component.name!r} does not fit: {taken:g} of {limit:g} {unit} are the "
                    "minimums of others; lower a minimum or raise the limit"
                )

    def _room(self, resource: str) -> float:
        """What is left of a limit after everything that is charged."""
        charged = sum(
            component.holdings[resource].charged
            for component in self._components.values()
            if resource in component.holdings
        )
        return self._capacity.get(resource, math.inf) - charged

    def _has_room(self, holding: Holding, target: float, sample: Sample) -> bool:
        """Whether a larger grant fits beside all that is charged and all that is measured."""
        resource = holding.resource
        tolerance = 1e-9 * max(1.0, target)
        if target - holding.charged > self._room(resource.name) + tolerance:
            return False
        if resource.kind != "hold":
            return True
        free = self._capacity.get(resource.name, math.inf) - sample[resource.field]
        return not target - holding.granted > free + tolerance  # true for nan: not measured


def _worth_it(holding: Holding, target: float) -> bool:
    """Whether a growth is more than a trifle, or completes the way to an end of the range."""
    if target in (holding.ask.minimum, holding.ask.maximum):
        return True
    return target - holding.granted >= SMALLEST_GROWTH * holding.granted
