"""How soon a share is back: of a holder that was killed, and of one that is asked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from amptalk import create_resource_manager
from amptalk.model.decision import Ask
from amptalk.sharing.ledgers.contract import Entry, boottime
from amptalk.sharing.ledgers.sqlite.ledger import SqliteLedger

SHRINK_SECONDS = 0.05
"""What the borrower takes to give back, and says so."""
_PATIENCE = 30.0
_MB = 1 << 20
_BUDGET = {"memory": 1000.0}
_LENT_BUDGET = 300.0
LENT_MB = 180
"""What the borrower holds."""


def of_a_killed_holder(folder: Path, times: int) -> list[float]:
    """Seconds from SIGKILL until a waiter, which only waits as every manager does, has the rest."""
    found = []
    for turn in range(times):
        reading, writing = os.pipe()
        holder = os.fork()
        if holder == 0:
            ledger = SqliteLedger(str(folder / "shares"), _BUDGET, "holder")
            ledger.join(Entry("holder", {"memory": Ask(100.0, 900.0)}, {}))
            os.write(writing, b"!")
            time.sleep(_PATIENCE)
            os._exit(1)
        os.read(reading, 1)
        os.close(reading)
        os.close(writing)
        waiter = SqliteLedger(str(folder / "shares"), _BUDGET, "waiter")
        waiter.join(Entry("waiter", {"memory": Ask(0.0, 900.0)}, {}))
        waiter.settle(boottime())
        time.sleep(0.003 * (turn % 7))
        begun = time.perf_counter()
        os.kill(holder, signal.SIGKILL)
        while waiter.rows()[-1].granted < 900.0:
            waiter.wait(0.1)
            waiter.settle(boottime())
        found.append(time.perf_counter() - begun)
        os.waitpid(holder, 0)
        waiter.close()
    return sorted(found)


def of_a_borrower(folder: Path, times: int) -> list[float]:
    """Seconds from a demand until another program's manager has shrunk its component for it."""
    url = f"sqlite:{folder}/lent"
    borrower = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.dividing.reclaim", url], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[:2])},
    )  # fmt: skip
    assert borrower.stdin is not None
    assert borrower.stdout is not None
    manager = create_resource_manager(
        max_memory_mb=_LENT_BUDGET, strategy="cooperative", sharing=url
    )
    found = []
    try:
        with manager:
            lender = manager.component("lender", memory_mb=(30, 210))
            lender.demand(memory_mb=30)
            for _ in range(times):
                borrower.stdin.write("borrow\n")
                borrower.stdin.flush()
                if borrower.stdout.readline() != "borrowed\n":
                    raise RuntimeError("the borrower has ended")
                begun = time.perf_counter()
                with lender.hold(memory_mb=120, timeout=_PATIENCE):
                    found.append(time.perf_counter() - begun)
                _wait(lambda: lender.grant("memory") == 30)
    finally:
        borrower.kill()
        borrower.communicate()
    return sorted(found)


def _borrow(url: str) -> None:
    """Be the borrower: fill what is granted, and give it back when asked, which takes a while."""
    held: list[bytearray] = []

    def shrink(_request: object) -> None:
        time.sleep(SHRINK_SECONDS)
        held.clear()

    manager = create_resource_manager(
        max_memory_mb=_LENT_BUDGET, strategy="cooperative", sharing=url
    )
    with manager:
        part = manager.component(
            "borrower", memory_mb=(60, 255), on_shrink=shrink, shrink_seconds=SHRINK_SECONDS
        )
        for _ in sys.stdin:
            _wait(lambda: part.grant("memory") == 255)
            held.append(bytearray(LENT_MB * _MB))
            sys.stdout.write("borrowed\n")
            sys.stdout.flush()


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError("what was lent did not come back in time")
        time.sleep(0.005)


if __name__ == "__main__":
    _borrow(sys.argv[1])
