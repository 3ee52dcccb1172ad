"""A book of components in a world whose time, memory and callbacks a test moves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from amptalk.model.resource import CPU, MEMORY, Resource
from amptalk.model.sample import FIELDS, INDEX, Sample
from amptalk.sharing.book import ComponentBook
from amptalk.sharing.components import Component
from amptalk.sharing.ledgers.contract import Ledger
from amptalk.sharing.pressure import Notify

LIMITS = ((MEMORY, 1000.0), (CPU, 100.0))


class Call:
    """A callback that has been asked for."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.function = function
        self.done = False
        self.error: str | None = None

    def run(self) -> None:
        try:
            self.function()
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
        self.done = True


class Later:
    """A runner whose calls happen when the test says so."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}

    def call(self, key: str, function: Callable[[], object], deadline: float) -> Call | None:
        if key in self.calls:
            return None
        self.calls[key] = Call(function)
        return self.calls[key]

    def run(self) -> None:
        for key in list(self.calls):
            self.calls.pop(key).run()


class World:
    """One process: what it uses is `used`, and time moves with `sync`."""

    def __init__(
        self, limits: Sequence[tuple[Resource, float]] = LIMITS, ledger: Ledger | None = None
    ) -> None:
        self.runner = Later()
        self.book = ComponentBook(limits, self.runner, ledger, cores=lambda: 4.0)
        self.book.follow = lambda sample: None  # `sync` is the test's
        self._divided = {resource.name: limit for resource, limit in limits}
        self.now = 1000.0
        self.used = 0.0

    def divide(self, **limits: float) -> None:
        """A strategy says how much there is, and everything that follows at once happens."""
        self._divided = {**self._divided, **limits}
        row = [math.nan] * len(FIELDS)
        row[INDEX["memory_used_mb"]] = self.used
        self.book.divide(self._divided, Sample(0.0, self.now, tuple(row)))
        self.sync(0.0)

    def sync(self, seconds: float = 1.0, *, run: bool = True) -> bool:
        """Time goes by, the thread looks, callbacks are called unless they hang."""
        self.now += seconds
        settled = self.book.sync(self.now, lambda resource: self.used)
        if run:
            self.runner.run()
        return settled

    def charged(self) -> dict[str, float]:
        return {row.component: row.charged for row in self.book.shares()}

    def lent(self, on_shrink: Notify | None = None) -> Component:
        """`a` has borrowed all but the minimum of `b`, which is returned."""
        self.book.register("a", memory_mb=(100, 900), on_shrink=on_shrink)
        b = self.book.register("b", memory_mb=(100, 900))
        b.demand(memory_mb=100)
        self.divide()
        assert self.charged() == {"a": 900, "b": 100}
        return b
