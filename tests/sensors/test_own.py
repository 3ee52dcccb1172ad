"""Memory of this process and what its children add, on the real kernel."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from amptalk.sensors.own import family_memory_mb, own_memory_mb
from tests.helpers import eventually

HELD = 40
HOLD = f"held = bytearray(b'x' * 4096) * (256 * {HELD}); print('held', flush=True); input()"


def added() -> float:
    return family_memory_mb() - own_memory_mb()


@pytest.fixture(autouse=True)
def alone() -> None:
    if added() != 0.0:
        pytest.skip("other children of the tests run")


def test_what_a_program_holds_that_was_started_is_added() -> None:
    with subprocess.Popen(
        [sys.executable, "-S", "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert HELD < added() < HELD + 15
        child.kill()
    eventually(lambda: added() == 0.0, "it is over")


def test_of_a_fork_only_what_it_has_written_itself_is_added() -> None:
    held = bytearray(b"x" * 4096) * (256 * 200)
    told, tell = os.pipe()
    stop, stopped = os.pipe()
    child = os.fork()
    if child == 0:
        own = bytearray(b"x" * 4096) * (256 * HELD)
        os.write(tell, b"held")
        os.read(stop, 1)
        os._exit(len(own) and 0)
    try:
        os.read(told, 4)
        eventually(lambda: HELD < added() < HELD + 40, "its own memory is seen")
    finally:
        os.write(stopped, b"x")
        os.waitpid(child, 0)
        for end in (told, tell, stop, stopped):
            os.close(end)
    assert len(held) == 200 * 2**20


def test_a_child_that_has_ended_adds_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert added() == 0.0
    child.wait()
