"""Several processes on one ledger: those that die, fork, or live in a container of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from amptalk.model.decision import Ask
from amptalk.model.errors import LedgerError
from amptalk.sharing.ledgers.contract import Entry, boottime
from amptalk.sharing.ledgers.sqlite.ledger import SqliteLedger
from tests.helpers import DEADLINE, environment, eventually
from tests.sharing.ledgers.chaos import CAPACITY, run

MEMORY = {"memory": 1000.0}
HOLDER = """
import sys
from amptalk.model.decision import Ask
from amptalk.sharing.ledgers.contract import Entry
from amptalk.sharing.ledgers.sqlite.ledger import SqliteLedger
ledger = SqliteLedger(sys.argv[1], {"memory": 1000.0}, "holder")
ledger.join(Entry("holder", {"memory": Ask(100.0, 900.0)}, {}))
print(ledger.change("holder", "memory", demand=900.0), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return f"{tmp_path}/shares"


@pytest.fixture
def ledger(folder: str) -> Iterator[SqliteLedger]:
    found = SqliteLedger(folder, MEMORY, "test")
    yield found
    found.close()


def holder(folder: str, *around: str) -> subprocess.Popen[str]:
    """A process that holds 900 of 1000 until it is killed or its input ends."""
    process = subprocess.Popen(
        [*around, sys.executable, "-c", HOLDER, folder], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "900.0\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(DEADLINE)
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


def grant_of(ledger: SqliteLedger, name: str) -> float:
    return next((row.granted for row in ledger.settle(boottime()) if row.component == name), -1.0)


def test_what_a_killed_holder_held_is_back_as_soon_as_the_kernel_says_so(
    folder: str, ledger: SqliteLedger
) -> None:
    process = holder(folder)
    ledger.join(Entry("waits", {"memory": Ask(0.0, 900.0)}, {}))
    assert grant_of(ledger, "waits") == 100
    while ledger._hints.wait(0.0):
        pass
    os.kill(process.pid, signal.SIGKILL)
    begun = time.monotonic()
    assert ledger._hints.wait(DEADLINE), "its end wakes the others"
    eventually(lambda: grant_of(ledger, "waits") == 900, "its seat is free")
    assert time.monotonic() - begun < DEADLINE / 2, "not the deadline woke it"
    end(process)


def test_a_stopped_holder_keeps_what_it_holds(folder: str, ledger: SqliteLedger) -> None:
    process = holder(folder)
    ledger.join(Entry("waits", {"memory": Ask(0.0, 900.0)}, {}))
    os.kill(process.pid, signal.SIGSTOP)
    assert grant_of(ledger, "waits") == 100
    rows = {row.component: row for row in ledger.settle(boottime() + 1e6)}
    assert (rows["holder"].granted, rows["holder"].charged) == (500, 900)
    assert rows["waits"].granted == 100
    end(process)


def test_a_fork_neither_has_its_parents_lease_nor_keeps_it(folder: str) -> None:
    parent = SqliteLedger(folder, MEMORY, "parent")
    parent.join(Entry("parent", {"memory": Ask(0.0, 900.0)}, {}))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            parent.change("parent", "memory", demand=1.0)
        except LedgerError as error:
            os.write(writing, str(error).encode())
        time.sleep(DEADLINE)  # it outlives its parent's lease
        os._exit(0)
    os.close(writing)
    assert b"belongs to the parent process" in os.read(reading, 1000)
    os.close(reading)
    assert grant_of(parent, "parent") == 900, "the parent goes on"
    other = SqliteLedger(folder, MEMORY, "other")
    parent.forget()  # as if it were killed: its descriptors are gone, the child's too
    assert [row.component for row in other.settle(boottime())] == []
    other.close()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_fork_that_ends_leaves_its_parents_file_whole(folder: str) -> None:
    parent = SqliteLedger(folder, MEMORY, "parent")
    parent.join(Entry("parent", {"memory": Ask(0.0, 900.0)}, {}))
    for _ in range(3):
        child = os.fork()
        if child == 0:
            parent.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        parent.change("parent", "memory", demand=500.0)
    other = SqliteLedger(folder, MEMORY, "other")
    assert {row.component: row.charged for row in other.rows()} == {"parent": 900}
    other.close()
    parent.close()


def namespace() -> list[str]:
    """What starts a program in a PID namespace of its own; skips where that is not allowed."""
    for more in ([], ["--user", "--map-root-user"]):
        command = ["unshare", *more, "--pid", "--fork", "--kill-child", "--mount-proc"]
        if (
            shutil.which("unshare")
            and not subprocess.run([*command, "true"], capture_output=True, check=False).returncode
        ):
            return [*command, "--"]
    pytest.skip("no PID namespace can be made here")


def test_a_second_grant_from_another_pid_namespace_is_refused(
    folder: str, ledger: SqliteLedger
) -> None:
    apart = holder(folder, *namespace())
    here = holder_refused(folder)
    assert "minimum of 950" in here
    ledger.join(Entry("waits", {"memory": Ask(0.0, 900.0)}, {}))
    assert grant_of(ledger, "waits") == 100, "what lives there is seen to live"
    end(apart)
    eventually(lambda: grant_of(ledger, "waits") == 900, "its end is seen, too")


def holder_refused(folder: str) -> str:
    code = HOLDER.replace("100.0, 900.0", "950.0, 960.0").replace("holder", "second")
    result = subprocess.run(
        [*namespace(), sys.executable, "-c", code, folder], capture_output=True, text=True,
        env=environment(), check=False,
    )  # fmt: skip
    assert result.returncode == 1
    return result.stderr


def test_after_any_kills_nothing_was_over_committed_and_all_is_back() -> None:
    found = run(kills=25, workers=4, seed=1)
    assert found.audits >= 10
    assert found.most_held > CAPACITY / 3, "the budget was really used"
    assert (found.overcommitted, found.left) == (0, 0.0)
