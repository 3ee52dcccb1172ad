"""A file that does not answer: the tick never waits for it, and its values come back."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from amptalk.model.sample import Sample
from amptalk.sensors.roots import Roots
from amptalk.sensors.suite import SensorSuite
from tests.helpers import eventually
from tests.sensors.faults.disk import Disk
from tests.sensors.faults.machines import jetson, server
from tests.sensors.trees import PID, check_reasons

GPU = {
    "Jetson": (jetson, "sys/class/devfreq/17000000.ga10b/device/load"),
    "AMD": (server, "sys/devices/pci0000:00/0000:03:00.0/gpu_busy_percent"),
    "AMD hwmon": (server, "sys/devices/pci0000:00/0000:03:00.0/hwmon/hwmon7/power1_average"),
}


@pytest.mark.parametrize("name", GPU)
def test_a_gpu_that_does_not_answer_costs_its_values_only(
    name: str, tmp_path: Path, in_the_way: Callable[[Disk], Disk]
) -> None:
    make, file = GPU[name]
    machine = make()
    disk = in_the_way(Disk(tmp_path, machine.files, machine.links))
    answer = threading.Event()
    disk.hanging[str(tmp_path / file)] = answer
    roots = Roots(str(tmp_path / "proc"), str(tmp_path / "sys"))
    suite = SensorSuite(machine.scope, disk.clock, roots, pid=PID, threads=True)

    def read(seconds: float) -> Sample:
        disk.clock.advance(seconds)
        sample = suite.read()  # fails if it reads the file itself
        check_reasons(sample)
        return sample

    try:
        read(1)
        eventually(disk.waiting.is_set, "a thread of its own reads the GPU")
        sample = read(3)
        assert "has not answered" in sample.missing["gpu_utilization"]
        assert sample.power_watts > 0
        assert not math.isnan(sample.cpu_percent)
        answer.set()
        eventually(lambda: not math.isnan(read(1).gpu_utilization), "the value is back")
    finally:
        answer.set()
        suite.close()
    eventually(lambda: not disk.opened, "every file is closed")
