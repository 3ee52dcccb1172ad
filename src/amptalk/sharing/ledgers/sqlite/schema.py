"""What the file holds, and how a file that is not ours is told from one that is.

Nothing in it is a sum: what is free is counted from the rows each time. So a program that is
killed at any moment leaves a ledger in which its rows, and nothing else, have to be removed.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from amptalk.model.decision import Ask
from amptalk.model.errors import LedgerError
from amptalk.sharing.ledgers.contract import Row

APPLICATION = 0x414D5054
"""`PRAGMA application_id`: "AMPT"."""
VERSION = 1
"""`PRAGMA user_version`: raised with every change of the tables."""
_TABLES = """
CREATE TABLE members(seat INTEGER PRIMARY KEY, label TEXT NOT NULL);
CREATE TABLE budgets(
  seat INTEGER, resource TEXT, amount REAL NOT NULL, PRIMARY KEY(seat, resource)
) WITHOUT ROWID;
CREATE TABLE holdings(
  number INTEGER PRIMARY KEY AUTOINCREMENT, component TEXT NOT NULL, resource TEXT NOT NULL,
  minimum REAL NOT NULL, maximum REAL NOT NULL, weight REAL NOT NULL, priority INTEGER NOT NULL,
  step REAL NOT NULL, hold TEXT NOT NULL, coupled INTEGER NOT NULL, demand REAL NOT NULL,
  granted REAL NOT NULL, charged REAL NOT NULL, shrink_seconds REAL NOT NULL,
  expires REAL NOT NULL, seat INTEGER NOT NULL, wanted REAL NOT NULL,
  UNIQUE(component, resource)
);
"""
ROWS = (
    "SELECT component, resource, minimum, maximum, weight, priority, step, hold, coupled, demand, "
    "granted, charged, shrink_seconds, expires, seat FROM holdings"
)


def connect(path: str) -> sqlite3.Connection:
    """Open the file, make its tables when it is new. Raises `LedgerError`.

    Call it while nobody else uses the file. It is never synced: it lies in memory, and a power
    loss ends all that it tells of.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.OperationalError as error:
        raise LedgerError(f"the ledger {path} cannot be opened: {error}") from error
    except sqlite3.DatabaseError as error:
        raise LedgerError(
            f"{path} is no ledger, or a broken one ({error}): stop the programs that share it, "
            "then remove its directory"
        ) from error
    return connection


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    [(application,)] = connection.execute("PRAGMA application_id")
    [(version,)] = connection.execute("PRAGMA user_version")
    [(tables,)] = connection.execute("SELECT count(*) FROM sqlite_master")
    if tables and application != APPLICATION:
        raise LedgerError(
            f"{path} is a database of another program: name another directory for the ledger"
        )
    if tables and version != VERSION:
        raise LedgerError(
            f"{path} has version {version} of the ledger, this program knows {VERSION}: have all "
            "programs that share it use the same version of amptalk"
        )
    connection.execute("PRAGMA page_size=1024")  # what a transaction writes is one row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    if not tables:
        connection.executescript(
            f"BEGIN IMMEDIATE;{_TABLES}PRAGMA application_id={APPLICATION};"
            f"PRAGMA user_version={VERSION};COMMIT;"
        )


def row_of(found: tuple[Any, ...]) -> Row:
    """Turn a line of `ROWS` into a row."""
    component, resource, *ask, demand, granted, charged, shrink, expires, seat = found
    return Row(
        component, resource, Ask(*ask)._replace(coupled=bool(ask[-1])), demand, granted, charged,
        shrink, expires, str(seat),
    )  # fmt: skip
