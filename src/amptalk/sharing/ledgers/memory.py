"""The ledger of one process: rows in a dictionary, no file, no other participant.

An amount that is free is granted without looking at every row: sums of each resource are kept
beside the rows, in whose stead they are only ever used for that.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping

from amptalk.model.errors import LedgerError
from amptalk.sharing.allocation import wanted
from amptalk.sharing.ledgers.contract import Entry, Row, admit
from amptalk.sharing.ledgers.settling import changed, settle


class _Sums:
    """Of one resource: what is wanted, charged, and how many have less than they want."""

    __slots__ = ("capacity", "charged", "owed", "wanted")

    def __init__(self, capacity: float) -> None:
        self.capacity = capacity
        self.wanted = self.charged = 0.0
        self.owed = 0


class _Held:
    """A row that can be changed in place, and the sums that it is part of."""

    __slots__ = ("charged", "demand", "granted", "row", "sums", "wanted")

    def __init__(self, row: Row, sums: _Sums) -> None:
        self.row = row
        self.sums = sums
        self.demand, self.granted, self.charged = row.demand, row.granted, row.charged
        self.wanted = wanted(row.ask, row.demand)
        sums.wanted += self.wanted
        sums.charged += row.charged
        sums.owed += row.granted < self.wanted

    def now(self) -> Row:
        return self.row._replace(demand=self.demand, granted=self.granted, charged=self.charged)


class MemoryLedger:
    """Rows of one process; see `Ledger`."""

    shared = False

    def __init__(self, capacities: Mapping[str, float]) -> None:
        self._capacities = dict(capacities)
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._held: dict[tuple[str, str], _Held] = {}

    def join(self, entry: Entry) -> None:
        """Add a component."""
        with self._lock:
            rows = self._now()
            admit(entry, rows, self._capacities)
            rows += [
                Row(entry.component, resource, ask, entry.demands.get(resource, math.inf),
                    shrink_seconds=entry.shrink_seconds)
                for resource, ask in entry.asks.items()
            ]  # fmt: skip
            self._settle(rows)

    def leave(self, component: str) -> None:
        """Drop a component."""
        with self._lock:
            self._settle(row for row in self._now() if row.component != component)

    def change(
        self,
        component: str,
        resource: str,
        *,
        demand: float | None = None,
        charged: float | None = None,
    ) -> float:
        """Change one row, and the others as far as that concerns them."""
        with self._lock:
            held = self._held.get((component, resource))
            if held is None:
                raise LedgerError(f"component {component!r} has left the ledger: register it again")
            sums = held.sums
            want = held.wanted if demand is None else wanted(held.row.ask, demand)
            kept = held.charged
            if charged is not None:
                kept = min(kept, max(charged, min(held.granted, want)))
            grown = max(kept, want)
            if (
                sums.owed == (held.granted < held.wanted)
                and sums.wanted - held.wanted + want <= sums.capacity
                and sums.charged - held.charged + grown <= sums.capacity
                and held.granted >= held.row.ask.minimum
            ):  # everybody has what it wants, and so has this one: nothing to divide
                sums.owed = 0
                sums.wanted += want - held.wanted
                sums.charged += grown - held.charged
                held.granted = held.wanted = want
                held.charged = grown
                if demand is not None:
                    held.demand = demand
                return want
            rows = {row.key: row for row in self._now()}
            rows[component, resource] = changed(rows[component, resource], demand, charged)
            self._settle(rows.values())
            return self._held[component, resource].granted

    def want(self, demands: Mapping[tuple[str, str], float]) -> None:
        """Change what is wanted by several."""
        with self._lock:
            self._settle([changed(row, demands.get(row.key), None) for row in self._now()])

    def settle(self, now: float) -> tuple[Row, ...]:  # noqa: ARG002 - nothing lapses in one process
        """Return all rows: each change has settled them."""
        return self.rows()

    def rows(self) -> tuple[Row, ...]:
        """All rows."""
        with self._lock:
            return tuple(self._now())

    def capacities(self) -> Mapping[str, float]:
        """What there is."""
        return self._capacities

    def divide(self, capacities: Mapping[str, float]) -> None:
        """Have other capacities."""
        with self._lock:
            self._capacities = {**self._capacities, **capacities}
            self._settle(self._now())

    def wait(self, seconds: float) -> None:
        """Wait for a `wake`."""
        self._woken.wait(seconds)
        self._woken.clear()

    def wake(self) -> None:
        """End a wait."""
        self._woken.set()

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._settle(())

    def forget(self) -> None:
        """Keep what is held in a fork's child, where nobody changes it any more."""
        self._lock = threading.Lock()  # the parent may have held it

    def _now(self) -> list[Row]:
        return [held.now() for held in self._held.values()]

    def _settle(self, rows: Iterable[Row]) -> None:
        sums: dict[str, _Sums] = {}
        self._held = {}
        for row in settle(tuple(rows), self._capacities):
            if row.resource not in sums:
                sums[row.resource] = _Sums(self._capacities.get(row.resource, math.inf))
            self._held[row.key] = _Held(row, sums[row.resource])
        self._woken.set()
