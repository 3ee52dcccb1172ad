"""Pacing: the account of CPU time, and processes that are stopped and go on (about 2 s)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.pace import CREDIT, Budget, Pace
from amptalk.sensors.identity import identity_of, is_stopped
from tests.helpers import eventually

STEPS = st.lists(st.tuples(st.floats(0.001, 0.5), st.floats(0.0, 1.0)), min_size=1, max_size=40)


@given(st.floats(0.05, 4.0), STEPS)
def test_what_is_owed_is_never_less_than_what_was_used_beyond_the_limit(
    cores: float, steps: list[tuple[float, float]]
) -> None:
    budget, now, used = Budget(cores), 0.0, 0.0
    budget.debt(now, used)
    for elapsed, more in steps:
        now, used = now + elapsed, used + more
        debt = budget.debt(now, used)
        assert debt >= used - cores * now - 1e-9
        assert debt >= -CREDIT * cores


def test_a_busy_process_is_stopped_and_goes_on_at_the_end(tmp_path: Path) -> None:
    folder = JournalFolder(str(tmp_path / "run"), create=True)
    journal = Journal(folder, identity_of("/proc", os.getpid()))
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        pace = Pace("/proc", journal, 0.05, lambda: [process.pid])
        pace.start()
        eventually(lambda: is_stopped("/proc", process.pid), "it is stopped")
        assert len(folder.names()) == 1
        pace.stop()
        eventually(lambda: not is_stopped("/proc", process.pid), "it goes on")
        assert folder.names() == []
        process.send_signal(signal.SIGKILL)


def test_a_stop_by_somebody_else_is_left_alone(tmp_path: Path) -> None:
    folder = JournalFolder(str(tmp_path / "run"), create=True)
    journal = Journal(folder, identity_of("/proc", os.getpid()))
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        pace = Pace("/proc", journal, 0.5, lambda: [process.pid])
        pace.suspend()
        pace.start()
        process.send_signal(signal.SIGSTOP)
        eventually(lambda: is_stopped("/proc", process.pid), "it is stopped")
        pace.stop()
        assert is_stopped("/proc", process.pid)
        process.kill()
