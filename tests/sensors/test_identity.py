"""A process is named for good by its start, its boot and its namespace."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from amptalk.sensors.files import SensorFault
from amptalk.sensors.identity import identity_of, read_boot, start_of
from tests.helpers import eventually
from tests.sensors.trees import stat_line


def test_a_process_keeps_its_identity() -> None:
    mine = identity_of("/proc", os.getpid())
    assert mine == identity_of("/proc", os.getpid())
    assert mine.pid == os.getpid()
    assert mine.boot == read_boot("/proc")
    assert mine.namespace.startswith("pid:")
    assert identity_of("/proc", os.getppid()) != mine


def test_a_killed_process_has_ended_before_anybody_waits_for_it() -> None:
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    assert start_of("/proc", pid) is not None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: start_of("/proc", pid) is None, "a zombie has ended")
    os.waitpid(pid, 0)
    assert start_of("/proc", pid) is None
    with pytest.raises(SensorFault, match=f"process {pid} has ended"):
        identity_of("/proc", pid)


def test_a_line_that_is_not_as_documented_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/stat").write_text(stat_line(7)[:20])
    with pytest.raises(SensorFault, match="not as documented"):
        start_of(str(tmp_path), 7)
    (tmp_path / "7/stat").unlink()
    with pytest.raises(SensorFault):
        start_of(str(tmp_path), 7)


def test_without_proc_nothing_has_ended(tmp_path: Path) -> None:
    with pytest.raises(SensorFault, match="does not exist"):
        start_of(f"{tmp_path}/none", 7)
