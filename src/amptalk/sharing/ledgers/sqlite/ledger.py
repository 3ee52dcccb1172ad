"""The ledger of several processes; see `Ledger` for what each operation means.

Each operation is one transaction inside the gate. One that everybody's wishes fit beside is granted
by two look-ups; any other reads all rows and settles them (`settling`), and removes the rows of
participants that ended.
"""

from __future__ import annotations

import math
import os
import sqlite3
import threading
import weakref
from collections.abc import Mapping
from contextlib import ExitStack, suppress

from amptalk.model.decision import Ask
from amptalk.model.errors import ConfigurationError, LedgerError
from amptalk.sharing.allocation import wanted
from amptalk.sharing.ledgers.contract import LAPSE_SECONDS, RENEW_SECONDS, Entry, Row, admit
from amptalk.sharing.ledgers.settling import changed
from amptalk.sharing.ledgers.sqlite import schema
from amptalk.sharing.ledgers.sqlite.folder import prepare
from amptalk.sharing.ledgers.sqlite.gate import Gate
from amptalk.sharing.ledgers.sqlite.hints import Hints
from amptalk.sharing.ledgers.sqlite.seats import Seats
from amptalk.sharing.ledgers.sqlite.tables import LOOK, TAKE, Tables
from amptalk.sharing.ledgers.sqlite.transaction import Execute, Transaction

FILE = "ledger.sqlite"
_NOTHING = Ask(0.0, 0.0)
_inherited: list[sqlite3.Connection] = []
"""Of a fork's child: its parent's connections, which it must neither use nor close."""
_ledgers: weakref.WeakSet[SqliteLedger] = weakref.WeakSet()


class SqliteLedger:
    """Rows of all programs that name the same directory."""

    shared = True

    def __init__(self, folder: str, capacities: Mapping[str, float], label: str) -> None:
        """Take part; `capacities` must be what the other participants say, too.

        Raises `LedgerError` for a directory or file that cannot be used, `ConfigurationError`
        where others say another capacity.
        """
        prepare(folder)
        self.folder, self._path = folder, os.path.join(folder, FILE)
        self._said = dict(capacities)
        self._rows: tuple[Row, ...] = ()
        self._stale, self._version = True, -1
        self._renew_at = math.inf
        self._now = -math.inf
        """The latest time that `settle` was told."""
        self._own: dict[tuple[str, str], tuple[int, Ask]] = {}
        """Number of the row and ask of each component of ours."""
        self._open = False
        self._closing = threading.Lock()
        with ExitStack() as undone:
            try:
                self._take_part(undone)
            except OSError as error:
                raise LedgerError(
                    f"the ledger in {folder} cannot be used: {error}; name a directory on a file "
                    "system of this machine, as in sharing='sqlite:/dev/shm/shares'"
                ) from error
            self._begin(label)
            undone.pop_all()
        self._open = True
        _ledgers.add(self)

    def _take_part(self, undone: ExitStack) -> None:
        self._gate = Gate(os.path.join(self.folder, "gate"))
        undone.callback(self._gate.close)
        self._seats = Seats(os.path.join(self.folder, "seats"))
        undone.callback(self._seats.close)
        self._gate.enter()
        try:
            self.seat = self._seats.take()
            self._connection = schema.connect(self._path)
        finally:
            self._gate.leave()
        undone.callback(self._connection.close)
        self._tables = Tables(self._seats)
        self._transaction = Transaction(self._connection, self._gate, self._path)
        self._hints = Hints(self.folder, self.seat)
        undone.callback(self._hints.close)
        self._identity = self._file()

    # -- operations ---------------------------------------------------------------------

    def join(self, entry: Entry) -> None:
        """Add a component."""
        with self._transaction as execute:
            rows = self._tables.reaped(execute)
            admit(entry, rows, self._tables.capacities(execute))
            for resource, ask in entry.asks.items():
                demand = entry.demands.get(resource, math.inf)
                number = execute(
                    "INSERT INTO holdings VALUES(NULL,?,?,?,?,?,?,?,?,?,?,0,0,?,?,?,?)",
                    (entry.component, resource, *ask, demand, entry.shrink_seconds, math.inf,
                     self.seat, wanted(ask, demand)),
                ).lastrowid  # fmt: skip
                self._own[entry.component, resource] = (number or 0, ask)
                if ask.hold == "rate":
                    self._renew_at = -math.inf
            woken = self._settle(execute, self._tables.read(execute), self._now)
        self._hints.wake(woken)

    def leave(self, component: str) -> None:
        """Drop a component."""
        with self._transaction as execute:
            execute("DELETE FROM holdings WHERE component = ? AND seat = ?", (component, self.seat))
            woken = self._settle(execute, self._tables.reaped(execute), self._now)
        self._own = {key: own for key, own in self._own.items() if key[0] != component}
        self._hints.wake(woken)

    def change(
        self,
        component: str,
        resource: str,
        *,
        demand: float | None = None,
        charged: float | None = None,
    ) -> float:
        """Change one row, and the others as far as that concerns them."""
        number, ask = self._own.get((component, resource), (0, _NOTHING))
        with self._transaction as execute:
            wants, charges, owed, said, had, granted, held = execute(
                LOOK, (number, resource)
            ).fetchone()
            if granted is None:
                raise LedgerError(
                    f"component {component!r} is not in the ledger of {self.folder} any more: "
                    "register it again"
                )
            if demand is None:
                demand, want = said, had
            else:
                want = wanted(ask, demand)
            kept = held if charged is None else min(held, max(charged, min(granted, want)))
            grown = max(kept, want)
            capacity = self._said.get(resource, -math.inf)
            self._stale = True
            if (
                owed == (granted < had)
                and wants - had + want <= capacity
                and charges - held + grown <= capacity
                and granted >= ask.minimum
            ):  # everybody has what it wants, and so has this one: nothing to divide
                execute(TAKE, (demand, want, want, grown, number))
                return float(want)
            execute(TAKE, (demand, want, min(granted, want), kept, number))
            woken = self._settle(execute, self._tables.reaped(execute), self._now)
            granted = next(r.granted for r in self._rows if r.key == (component, resource))
        self._hints.wake(woken)
        return granted

    def want(self, demands: Mapping[tuple[str, str], float]) -> None:
        """Change what is wanted by several."""
        with self._transaction as execute:
            for row in self._tables.reaped(execute):
                if row.key in demands and row.key in self._own:
                    new = changed(row, demands[row.key], None)
                    self._tables.write(execute, new)
            woken = self._settle(execute, self._tables.read(execute), self._now)
        self._hints.wake(woken)

    def settle(self, now: float) -> tuple[Row, ...]:
        """Take back what ended participants held, divide again."""
        if self._file() != self._identity:
            raise LedgerError(
                f"the ledger {self._path} was removed or replaced: grants stay as they are; start "
                "the programs that share it again"
            )
        self._now = now
        with self._transaction as execute:
            [(version,)] = execute("PRAGMA data_version")
            calm = version == self._version and not self._stale and now < self._renew_at
            if calm and all(row.expires >= now and self._lives(row) for row in self._rows):
                return self._rows
            self._version = version
            self._renew(execute, now)
            woken = self._settle(execute, self._tables.reaped(execute), now)
            self._stale = False
            members = [seat for (seat,) in execute("SELECT seat FROM members")]
        self._hints.know(members)
        self._hints.wake(woken)
        return self._rows

    def rows(self) -> tuple[Row, ...]:
        """All rows as they are."""
        with self._transaction as execute:
            return tuple(self._tables.read(execute))

    def capacities(self) -> Mapping[str, float]:
        """What the participants say that there is."""
        with self._transaction as execute:
            return self._tables.capacities(execute)

    def labels(self) -> dict[str, str]:
        """What each participant calls itself."""
        with self._transaction as execute:
            return {str(seat): label for seat, label in execute("SELECT seat, label FROM members")}

    def divide(self, capacities: Mapping[str, float]) -> None:
        """Do nothing: what is shared with others is the whole budget, whoever is near it."""

    def wait(self, seconds: float) -> None:
        """Wait for a hint, or the end of another participant."""
        if self._open and self._hints.wait(seconds):
            self._stale = True

    def wake(self) -> None:
        """End a wait."""
        if self._open:
            self._hints.wake((self.seat,))

    def close(self) -> None:
        """Leave. What cannot be written any more, the others find out by the empty seat."""
        with self._closing:
            if not self._open:
                return
            with suppress(LedgerError), self._transaction as execute:
                self._tables.drop(execute, self.seat)
                self._hints.wake(self._settle(execute, self._tables.reaped(execute), self._now))
            self._end(f"the ledger in {self.folder} is closed")
            self._hints.close()
            self._connection.close()

    def forget(self) -> None:
        """Let go of everything in a fork's child: seat, gate and file are the parent's."""
        if self._open:
            _inherited.append(self._connection)
            self._end("this ledger belongs to the parent process: open one in the child")
            self._hints.forget()

    # -- inside a transaction -----------------------------------------------------------

    def _begin(self, label: str) -> None:
        with self._transaction as execute:
            self._tables.drop(execute, self.seat)  # of who had this seat before
            self._settle(execute, self._tables.reaped(execute), self._now)
            others = self._tables.capacities(execute)
            for resource, amount in self._said.items():
                if others.get(resource, amount) != amount:
                    raise ConfigurationError(
                        f"the limit of {resource} is {amount:g} here, but {others[resource]:g} for "
                        f"those who share the ledger in {self.folder} already: it is one budget, "
                        "so give all of them the same limit"
                    )
                execute("INSERT INTO budgets VALUES(?,?,?)", (self.seat, resource, amount))
            execute("INSERT INTO members VALUES(?,?)", (self.seat, label))

    def _lives(self, row: Row) -> bool:
        return self._seats.taken(int(row.member))

    def _settle(self, execute: Execute, rows: list[Row], now: float) -> set[int]:
        self._rows, concerned = self._tables.settle(execute, rows, now)
        self._stale = True
        return concerned

    def _renew(self, execute: Execute, now: float) -> None:
        if now < self._renew_at:
            return
        changes = execute(
            "UPDATE holdings SET expires = ? WHERE seat = ? AND hold = 'rate'",
            (now + LAPSE_SECONDS, self.seat),
        ).rowcount
        self._renew_at = now + RENEW_SECONDS if changes else math.inf

    def _file(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)
        except OSError:
            return (0, 0)
        return (found.st_dev, found.st_ino)

    def _end(self, why: str) -> None:
        self._open = False
        self._transaction.closed = why
        self._seats.close()
        self._gate.close()


def _forget_all() -> None:
    for ledger in tuple(_ledgers):
        ledger.forget()


os.register_at_fork(after_in_child=_forget_all)
