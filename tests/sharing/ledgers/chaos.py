"""Processes that share a ledger and are killed at any moment, beside a witness that counts.

    python -m tests.sharing.ledgers.chaos [--kills N] [--workers N] [--seed N]

Each worker writes what it really holds into memory shared with the parent: after it was granted
more, and before it says that it has less. The parent kills workers (SIGKILL), starts others, and
audits: inside the gate, so that nothing moves, the sum over all participants that live must be
within the capacity, by the ledger and by the witness. `make chaos` runs it at full length.
"""

from __future__ import annotations

import argparse
import math
import mmap
import os
import random
import signal
import struct
import sys
import tempfile
import time
from typing import NamedTuple, NoReturn

from amptalk.model.decision import Ask
from amptalk.sharing.ledgers.contract import Entry, boottime
from amptalk.sharing.ledgers.sqlite.ledger import SqliteLedger

CAPACITY = 1000.0
MEMORY = {"memory": CAPACITY}
_PLACE = struct.Struct("d")
_NEAR = 1e-6


class Chaos(NamedTuple):
    """What came of a run."""

    kills: int
    audits: int
    overcommitted: int
    """Audits in which more than the capacity was charged, or really held."""
    most_held: float
    """The largest sum that the witness saw: that the budget was really used."""
    left: float
    """What was not free after the last one had died."""
    seconds: float


class Witness:
    """What each worker really holds, by its number; in memory that forks share."""

    def __init__(self, places: int) -> None:
        self._memory = mmap.mmap(-1, places * _PLACE.size)

    def write(self, number: int, amount: float) -> None:
        _PLACE.pack_into(self._memory, number * _PLACE.size, amount)

    def read(self, number: int) -> float:
        return float(_PLACE.unpack_from(self._memory, number * _PLACE.size)[0])


def work(folder: str, number: int, witness: Witness, seed: int) -> NoReturn:
    """Ask for more and less, give back what is asked for, until killed."""
    dice = random.Random(seed * 100_003 + number)
    ledger = SqliteLedger(folder, MEMORY, str(number))
    name = f"worker {number}"
    ledger.join(Entry(name, {"memory": Ask(20.0, 700.0, dice.choice([1.0, 2.0]))}, {}))
    while True:
        granted = ledger.change(name, "memory", demand=float(dice.randint(20, 700)))
        witness.write(number, granted)
        ledger.wait(dice.random() * 0.002)
        row = next(row for row in ledger.settle(boottime()) if row.component == name)
        witness.write(number, row.granted)  # what was taken back is let go of first
        ledger.change(name, "memory", charged=row.granted)
        if dice.random() < 0.05:
            witness.write(number, 0.0)
            ledger.leave(name)
            ledger.join(Entry(name, {"memory": Ask(20.0, 700.0)}, {}))


def audit(ledger: SqliteLedger, witness: Witness) -> tuple[float, float]:
    """Sums of what is charged and of what is really held by participants that live."""
    with ledger._transaction as execute:
        rows = ledger._tables.reaped(execute)
        members = execute("SELECT seat, label FROM members").fetchall()
        living = [int(label) for seat, label in members if ledger._seats.taken(seat)]
        held = math.fsum(witness.read(number) for number in living if number >= 0)
        return math.fsum(row.charged for row in rows), held


def run(kills: int, workers: int = 8, seed: int = 0) -> Chaos:
    """Kill so many workers one after the other, then all; returns what the audits saw."""
    with tempfile.TemporaryDirectory(dir=_memory_folder()) as folder:
        return _run(folder, kills, workers, seed)


def _run(folder: str, kills: int, workers: int, seed: int) -> Chaos:
    begun = time.monotonic()
    dice, witness = random.Random(seed), Witness(kills + workers)
    ledger = SqliteLedger(folder, MEMORY, "-1")
    living = [_start(folder, number, witness, seed) for number in range(workers)]
    audits = overcommitted = 0
    most = 0.0
    try:
        for number in range(workers, kills + workers):
            until = time.monotonic() + dice.random() * 0.01
            while time.monotonic() < until:
                charged, held = audit(ledger, witness)
                audits += 1
                overcommitted += charged > CAPACITY + _NEAR or held > CAPACITY + _NEAR
                most = max(most, held)
            _kill(living.pop(dice.randrange(len(living))))
            living.append(_start(folder, number, witness, seed))
    finally:
        for worker in living:
            _kill(worker)
    ledger.join(Entry("whole", {"memory": Ask(0.0, CAPACITY)}, {}))
    rows = ledger.settle(boottime())
    left = CAPACITY - math.fsum(row.granted for row in rows if row.component == "whole")
    ledger.close()
    return Chaos(kills, audits, overcommitted, most, left, time.monotonic() - begun)


def _start(folder: str, number: int, witness: Witness, seed: int) -> int:
    worker = os.fork()
    if worker == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            work(folder, number, witness, seed)
        finally:  # a fork of the parent must never run its code
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    return worker


def _kill(worker: int) -> None:
    os.kill(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    if os.WIFEXITED(status):
        raise AssertionError(f"a worker ended by itself with {os.WEXITSTATUS(status)}, see above")


def _memory_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main() -> None:
    """Run and tell; fails when anything was over-committed or is not back."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = run(options.kills, options.workers, options.seed)
    sys.stdout.write(
        f"{found.kills} SIGKILLs of {options.workers} processes in {found.seconds:.0f} s: "
        f"{found.audits} audits, {found.overcommitted} over-committed, at most "
        f"{found.most_held:.0f} of {CAPACITY:.0f} held, {found.left:g} not back at the end\n"
    )
    if found.overcommitted or found.left:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
