"""All components of a manager, between their owner, the ledger and the tick.

The ledger says who is granted what (`ledgers`), holdings call the components and confirm what they
gave back (`holdings`); the book keeps both in step. `sync` does that, on the tick of a simulation
and on a thread of its own otherwise (`synchroniser`). The tick itself reads `limits` and `granted`,
which are replaced as a whole, and takes no lock.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from amptalk.model.errors import LedgerError
from amptalk.model.resource import BUILT_IN, Resource
from amptalk.model.sample import Sample
from amptalk.sharing.asks import Wish, checked
from amptalk.sharing.components import Component
from amptalk.sharing.holdings import Holding, Reaction, Runner, Seen
from amptalk.sharing.ledgers.contract import Entry, Ledger, Row, boottime
from amptalk.sharing.ledgers.memory import MemoryLedger
from amptalk.sharing.pressure import Notify
from amptalk.sharing.pressure import checked as checked_callback
from amptalk.sharing.shares import Share, shares_of
from amptalk.sharing.use import Use

SHRINK_SECONDS = 2.0
"""What a component has to shrink unless it says otherwise."""
POLL_SECONDS = 0.1
"""After this long at most a change of another process is seen."""

_NOTHING: Mapping[str, float] = {}
Used = Callable[[str], float]
"""Measured use of a resource by the whole process, `nan` when unknown."""


def _unknown() -> float:
    return math.nan


class ComponentBook:
    """Components by name. Thread-safe; `divide` belongs to the tick, `sync` to one thread."""

    def __init__(
        self,
        limits: Sequence[tuple[Resource, float]],
        runner: Runner,
        ledger: Ledger | None = None,
        cores: Callable[[], float] = _unknown,
    ) -> None:
        capacities = {resource.name: limit for resource, limit in limits}
        self.ledger: Ledger = MemoryLedger(capacities) if ledger is None else ledger
        self.cores = cores
        self._runner = runner
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._components: dict[str, Component] = {}
        self._driven = False
        """Whether a strategy divides: until then components hold their minimums."""
        self._divided: Mapping[str, float] = _NOTHING
        self._applied = self._divided
        self.follow: Callable[[Sample], object] = self._follow
        """Called by the tick with each sample; a synchroniser puts itself in its place."""
        self.granted: Mapping[str, Mapping[str, float]] = {}
        """By resource, what each component of this process may use."""
        self.limits: Mapping[str, float] = _NOTHING
        """Where others share, what this process may use in all: its limits from now on."""

    def register(
        self,
        name: str,
        *,
        memory_mb: tuple[float, ...] | None = None,
        cpu_percent: tuple[float, ...] | None = None,
        gpu_memory_mb: tuple[float, ...] | None = None,
        weight: float = 1.0,
        priority: int = 0,
        coupled: bool = False,
        shrink_seconds: float = SHRINK_SECONDS,
        on_shrink: Notify | None = None,
        on_grow: Notify | None = None,
    ) -> Component:
        """Add a component; each resource is `(minimum, maximum)` in its unit, or with a step.

        Minimums hold whatever the priority. `coupled` has the resources grow in proportion.
        `on_shrink` and `on_grow` are called with a `Request`, off the tick; they may be coroutine
        functions. `shrink_seconds` is how long a shrink may take, which others count on.

        Raises `ConfigurationError` for a name taken or values out of range, `NeverFitsError` when
        the minimums of all components exceed a limit, `LedgerError` when the ledger cannot be used.
        """
        bounds = {"memory": memory_mb, "cpu": cpu_percent, "gpu_memory": gpu_memory_mb}
        asks = checked(name, Wish(bounds, weight, priority, coupled, shrink_seconds))
        reaction = Reaction(
            checked_callback(name, "on_shrink", on_shrink),
            checked_callback(name, "on_grow", on_grow),
            float(shrink_seconds),
        )
        component = Component(self, name, asks)
        with self._lock:
            demands = {resource: self._wanted(component, resource) for resource in asks}
            self.ledger.join(Entry(name, asks, demands, float(shrink_seconds)))
            try:
                granted = {row.resource: row.granted for row in self._rows_of(name)}
            except LedgerError:
                with suppress(LedgerError):
                    self.ledger.leave(name)
                raise
            for resource, ask in asks.items():
                holding = Holding(name, BUILT_IN[resource], ask, self._runner, reaction)
                holding.begin(granted[resource])
                component.holdings[resource] = holding
            self._components = {**self._components, name: component}
            self._refresh()
        self.ledger.wake()
        return component

    # -- components ---------------------------------------------------------------------

    def say(self, component: Component, wanted: Mapping[str, float]) -> None:
        """Take down what a component wants now."""
        with self._lock:
            before, component.said = component.said, {**component.said, **wanted}
            try:
                self._ask(component, wanted)
            except LedgerError:
                component.said = before
                raise

    def enter(self, component: Component, use: Use) -> None:
        """Take down a use that begins."""
        with self._lock:
            component.uses = (*component.uses, use)
            self._ask(component, use.amounts)

    def leave(self, component: Component, use: Use) -> None:
        """Take down that a use is over; nobody has to be called for that."""
        with self._lock:
            component.uses = tuple([other for other in component.uses if other is not use])
            with suppress(LedgerError):  # `sync` tells it as soon as the ledger can be written
                self._ask(component, use.amounts, itself=True)
            self._changed.notify_all()  # who came later may be next

    def wait_for(self, condition: Callable[[], bool], seconds: float | None) -> bool:
        """Wait until grants are such that it holds; false when time is up."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def wake(self) -> None:
        """End such waits."""
        with self._changed:
            self._changed.notify_all()

    def remove(self, component: Component) -> None:
        """Drop a component and what it was charged."""
        with self._lock:
            if self._components.get(component.name) is component:
                self.ledger.leave(component.name)
                self._components = {
                    name: kept for name, kept in self._components.items() if kept is not component
                }
                component.holdings = {}
                self._refresh()
        self.ledger.wake()

    def reclaim_seconds(self, component: Component) -> float:
        """How long a component may wait for what it has lent."""
        others = [r.shrink_seconds for r in self.ledger.rows() if r.component != component.name]
        return max(others, default=0.0) + POLL_SECONDS

    def shares(self) -> tuple[Share, ...]:
        """Who holds what, one row a component and resource, of all programs that share."""
        notes = {
            (component.name, resource): holding.note
            for component in self._components.values()
            for resource, holding in component.holdings.items()
        }
        return shares_of(self.ledger.rows(), self.ledger.capacities(), notes)

    # -- the tick -----------------------------------------------------------------------

    def divide(self, capacities: Mapping[str, float], sample: Sample) -> None:
        """Divide so much of each limit from now on, where nobody else shares it."""
        if not self._components:
            return
        if capacities is not self._divided:
            self._divided = capacities
            self.ledger.wake()
        self.follow(sample)

    def sync(self, now: float, used: Used) -> bool:
        """Follow the ledger, call components, confirm shrinks; false while any is under way."""
        with self._lock:
            if self._divided is not self._applied:
                self._apply()
            settled = self._sync(now, used) and self._sync(now, used)
            self._refresh()
        return settled

    def freeze(self) -> None:
        """Keep every grant as it is in a forked child."""
        self._lock = threading.RLock()  # the parent may have held it
        self._changed = threading.Condition(self._lock)
        self.ledger.forget()

    # -- inside, with the lock ----------------------------------------------------------

    def _follow(self, sample: Sample) -> None:
        self.sync(sample.monotonic, lambda name: sample[BUILT_IN[name].field])

    def _wanted(self, component: Component, resource: str) -> float:
        if self._driven or resource not in self.ledger.capacities():
            return component.wants(resource)
        return component.asks[resource].minimum + component.held(resource)

    def _apply(self) -> None:
        """Have the ledger divide what a strategy says, for the first time or anew."""
        self._applied = self._divided
        self.ledger.divide(self._applied)
        if not self._driven:
            self._driven = True
            self.ledger.want({
                (component.name, resource): component.wants(resource)
                for component in self._components.values()
                for resource in component.asks
            })  # fmt: skip

    def _ask(
        self, component: Component, resources: Mapping[str, object], *, itself: bool = False
    ) -> None:
        """Tell the ledger what a component wants of some resources, and follow its answer."""
        for resource in resources:
            holding = component.holdings.get(resource)
            if holding is None:
                continue
            want = self._wanted(component, resource)
            if itself and holding.ask.hold == "rate":
                granted = self.ledger.change(component.name, resource, demand=want, charged=want)
                holding.begin(granted)
            else:
                granted = self.ledger.change(component.name, resource, demand=want)
                holding.follow(granted, itself=itself)
            if holding.due:
                self.ledger.wake()
        self._refresh()

    def _sync(self, now: float, used: Used) -> bool:
        rows = {row.key: row for row in self.ledger.settle(boottime())}
        holdings = []
        for component in self._components.values():
            for resource, holding in component.holdings.items():
                row = rows.get((component.name, resource))
                if row is None:
                    continue
                holdings.append((holding, row))
                want = self._wanted(component, resource)
                if row.demand != want:  # could not be said when it was to be
                    holding.follow(self.ledger.change(*row.key, demand=want))
                else:
                    holding.follow(row.granted)
        measured = {resource: used(resource) for resource in {row.resource for _, row in holdings}}
        settled = True
        for holding, row in holdings:
            same = [other for other, of in holdings if of.resource == row.resource]
            total = math.fsum(other.granted for other in same)
            seen = Seen(now, measured[row.resource], total, len(same) == 1)
            settled &= holding.settle(seen)
            if holding.charged < row.charged:
                self.ledger.change(*row.key, charged=holding.charged)
        return settled

    def _rows_of(self, component: str) -> list[Row]:
        return [row for row in self.ledger.rows() if row.component == component]

    def _refresh(self) -> None:
        """Replace what the tick reads, when it has changed."""
        granted: dict[str, dict[str, float]] = {}
        for component in self._components.values():
            for resource, holding in component.holdings.items():
                granted.setdefault(resource, {})[component.name] = holding.granted
        if granted != self.granted:
            self.granted = granted
            if self.ledger.shared:
                self.limits = {
                    resource: math.fsum(amounts.values()) for resource, amounts in granted.items()
                }
            self._changed.notify_all()
