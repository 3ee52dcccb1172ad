"""Ways for processes to take a token of a budget that is never short, and to give it back.

Ours is a ledger that knows who holds what. A jobserver's pipe (GNU make) holds a byte for each
token, a POSIX semaphore a count: both know how many are left, and neither whose they are.
"""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Protocol

from amptalk.model.decision import Ask
from amptalk.sharing.ledgers.contract import Entry
from amptalk.sharing.ledgers.sqlite.ledger import SqliteLedger

TOKENS = 64


class Way(Protocol):
    """A way, opened in the process that uses it."""

    def acquire(self) -> None:
        """Take one token."""

    def release(self) -> None:
        """Give it back."""


class Ledger:
    """Our SQLite ledger: one component a process."""

    name = "SQLite ledger"

    def __init__(self, folder: Path, number: int) -> None:
        self._ledger = SqliteLedger(str(folder / "shares"), {"memory": TOKENS}, str(number))
        self._name = f"worker {number}"
        ask = Ask(0.0, float(TOKENS))
        self._ledger.join(Entry(self._name, {"memory": ask}, {"memory": 0.0}))

    def acquire(self) -> None:
        """Want one, which is granted at once."""
        if self._ledger.change(self._name, "memory", demand=1.0) != 1.0:
            raise AssertionError("the budget is never short, but a token was not granted")

    def release(self) -> None:
        """Want none, and have none."""
        self._ledger.change(self._name, "memory", demand=0.0, charged=0.0)


class Jobserver:
    """A named pipe with a byte for each token."""

    name = "jobserver FIFO"

    def __init__(self, folder: Path, number: int) -> None:
        del number
        self._pipe = os.open(folder / "tokens", os.O_RDWR)

    @staticmethod
    def prepare(folder: Path) -> None:
        """Make the pipe; whoever calls this must keep it open."""
        os.mkfifo(folder / "tokens")
        pipe = os.open(folder / "tokens", os.O_RDWR)
        os.write(pipe, b"+" * TOKENS)

    def acquire(self) -> None:
        """Read a byte."""
        os.read(self._pipe, 1)

    def release(self) -> None:
        """Write it back."""
        os.write(self._pipe, b"+")


class Semaphore:
    """`sem_open(3)`, as `multiprocessing` has it."""

    name = "POSIX semaphore"
    shared = multiprocessing.get_context("fork").Semaphore(TOKENS)

    def __init__(self, folder: Path, number: int) -> None:
        del folder, number

    def acquire(self) -> None:
        """Count down."""
        self.shared.acquire()

    def release(self) -> None:
        """Count up."""
        self.shared.release()


WAYS = (Ledger, Jobserver, Semaphore)
