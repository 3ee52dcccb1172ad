"""What is done to the tables inside a transaction."""

from __future__ import annotations

from amptalk.sharing.allocation import wanted
from amptalk.sharing.ledgers.contract import Row
from amptalk.sharing.ledgers.settling import settle
from amptalk.sharing.ledgers.sqlite.schema import ROWS, row_of
from amptalk.sharing.ledgers.sqlite.seats import Seats
from amptalk.sharing.ledgers.sqlite.transaction import Execute

LOOK = (
    "SELECT TOTAL(wanted), TOTAL(charged), TOTAL(granted < wanted), "
    "MAX(CASE WHEN number = ?1 THEN demand END), MAX(CASE WHEN number = ?1 THEN wanted END), "
    "MAX(CASE WHEN number = ?1 THEN granted END), MAX(CASE WHEN number = ?1 THEN charged END) "
    "FROM holdings WHERE resource = ?2"
)
"""Sums over a resource, and one row of it."""
_SET = "UPDATE holdings SET demand = ?, wanted = ?, granted = ?, charged = ?"
TAKE = f"{_SET} WHERE number = ?"
"""Change one row by its number."""
_WRITE = f"{_SET} WHERE component = ? AND resource = ?"


class Tables:
    """The tables, and the seats that say whose rows count."""

    def __init__(self, seats: Seats) -> None:
        self._seats = seats

    def read(self, execute: Execute) -> list[Row]:
        """All rows, in the order in which they joined."""
        return [row_of(found) for found in execute(f"{ROWS} ORDER BY number")]

    def reaped(self, execute: Execute) -> list[Row]:
        """All rows but those of participants that ended, which are removed."""
        for (seat,) in execute("SELECT seat FROM members").fetchall():
            if not self._seats.taken(seat):
                self.drop(execute, seat)
        return self.read(execute)

    def drop(self, execute: Execute, seat: int) -> None:
        """Remove all of a participant."""
        for table in ("holdings", "members", "budgets"):
            execute(f"DELETE FROM {table} WHERE seat = ?", (seat,))  # noqa: S608

    def capacities(self, execute: Execute) -> dict[str, float]:
        """What the participants say that there is."""
        return dict(execute("SELECT resource, MIN(amount) FROM budgets GROUP BY resource"))

    def settle(
        self, execute: Execute, rows: list[Row], now: float
    ) -> tuple[tuple[Row, ...], set[int]]:
        """Write what changes; returns the rows, and the seats that it concerns."""
        settled = settle(rows, self.capacities(execute), now)
        concerned = set()
        for row, new in zip(rows, settled, strict=True):
            if new != row:
                self.write(execute, new)
                concerned.add(int(new.member))
        return tuple(settled), concerned

    def write(self, execute: Execute, row: Row) -> None:
        """Write what can change of a row."""
        want = wanted(row.ask, row.demand)
        execute(_WRITE, (row.demand, want, row.granted, row.charged, *row.key))
