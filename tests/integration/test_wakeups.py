"""The kernel's notice that memory gets short has the next tick come at once; about 3 s of tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from amptalk.actuators.kernel.places import place_of
from amptalk.sensors.roots import Roots
from tests.integration.enforcing import gone, program, said, why_not

WHY_NOT = why_not("memory")
if not WHY_NOT and place_of(Roots(), os.getpid(), "memory").version == 2:
    WHY_NOT = "version 2 tells when a limit is met, not when a line is crossed: see tests/vm"
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "can be had")

CODE = """
import sys, time
from amptalk import create_resource_manager
manager = create_resource_manager(max_memory_mb=200, handling="enforce", monitoring_interval=600)
manager.start_monitoring()
print(*manager._actuation.enforcement._wakeups.names, flush=True)
first = manager.latest()
sys.stdin.readline()
hog = bytearray(b"x") * (170 * 2**20)
until = time.monotonic() + 20
while manager.latest() is first and time.monotonic() < until:
    time.sleep(0.001)
print(manager.latest() is not first, flush=True)
manager.stop_monitoring()
"""


def test_a_line_that_is_crossed_wakes_a_manager_that_ticks_every_ten_minutes(
    tmp_path: Path,
) -> None:
    with program(CODE, tmp_path / "run") as process:
        assert "cgroup.event_control" in said(process)
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert said(process) == "True"
        process.wait(20)
    gone(process.pid)
