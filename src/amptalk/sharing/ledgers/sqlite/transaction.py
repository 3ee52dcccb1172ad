"""A transaction inside the gate, as a `with` block: whole, or it has not happened."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from amptalk.model.errors import LedgerError
from amptalk.sharing.ledgers.sqlite.gate import Gate

Execute = Callable[..., sqlite3.Cursor]


class Transaction:
    """Reused for every transaction of a ledger: the gate lets one in at a time."""

    def __init__(self, connection: sqlite3.Connection, gate: Gate, path: str) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._gate = gate
        self._path = path
        self.closed = ""
        """Why there can be none any more; empty while there can."""

    def __enter__(self) -> Execute:
        if self.closed:
            raise LedgerError(self.closed)
        try:
            self._gate.enter()
        except OSError as error:
            self._told(error)
        try:
            self._execute("BEGIN IMMEDIATE")
        except BaseException as error:
            self._gate.leave()
            self._told(error)
            raise
        return self._execute

    def __exit__(self, _kind: object, error: BaseException | None, _trace: Any) -> None:
        try:
            if error is None:
                self._execute("COMMIT")
        except sqlite3.Error as failed:
            error = failed
        finally:
            if error is not None:
                with suppress(sqlite3.Error):
                    self._connection.rollback()
            self._gate.leave()
        if error is not None:
            self._told(error)

    def _told(self, error: BaseException) -> None:
        """Raise a `LedgerError` for an error of SQLite's or of a lock's."""
        if isinstance(error, (sqlite3.OperationalError, OSError)):
            raise LedgerError(
                f"the ledger {self._path} cannot be written, nothing was changed: {error}"
            ) from error
        if isinstance(error, sqlite3.DatabaseError):
            raise LedgerError(
                f"the ledger {self._path} is broken ({error}): stop the programs that share it, "
                "then remove its directory"
            ) from error
