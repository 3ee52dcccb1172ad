"""Other programs that read the same kernel say the same, within what is stated here."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from amptalk.sensors.roots import Roots
from amptalk.sensors.thermometers import thermometers
from tests.vm.guest.chips import Bus
from tests.vm.guest.firmware import Firmware
from tests.vm.guest.groups import Workers, busy
from tests.vm.guest.looking import Look, watching

MOVED_MB = 16.0
"""What may be taken or given back between two readings of memory."""
POINTS = 15.0
"""Points of percent between rates whose intervals are not quite the same."""
SECONDS = 4


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_memory_is_what_free_says(look: Look) -> None:
    device = look.anew().device
    lines = [line.split() for line in output("free", "--kibi").splitlines()]
    total, _, _, _, _, available = (int(word) / 1024 for word in lines[1][1:])
    assert device.memory_total_mb == total
    assert device.memory_available_mb == pytest.approx(available, abs=MOVED_MB)
    assert device.memory_used_mb == pytest.approx(total - available, abs=MOVED_MB)
    assert device.swap_total_mb == int(lines[2][1]) / 1024


def test_memory_and_processors_are_what_psutil_says(look: Look) -> None:
    import psutil

    memory, device = psutil.virtual_memory(), look.anew().device
    assert device.memory_total_mb == memory.total / 2**20
    assert device.memory_available_mb == pytest.approx(memory.available / 2**20, abs=MOVED_MB)
    assert device.cpu_count == psutil.cpu_count()
    assert device.load_1m == pytest.approx(psutil.getloadavg()[0], abs=0.1)


def test_busy_processors_are_what_vmstat_and_psutil_say(workers: Workers) -> None:
    import psutil

    workers.start(busy)
    with watching() as suite:
        with subprocess.Popen(
            ["vmstat", "--one-header", str(SECONDS), "2"], stdout=subprocess.PIPE, text=True
        ) as vmstat:
            time.sleep(0.3)
            suite.read()
            psutil.cpu_percent(percpu=True)
            table, _ = vmstat.communicate()
        sample = suite.read()
        per_core = psutil.cpu_percent(percpu=True)
    heads, _, last = (line.split() for line in table.splitlines()[1:])
    idle = int(last[heads.index("id")]) + int(last[heads.index("wa")])
    assert sample.device.cpu_percent == pytest.approx(100 - idle, abs=POINTS)
    assert sample.device.cpu_percent > 40.0
    assert sample.cpu_percent_per_core == pytest.approx(per_core, abs=POINTS)


def test_temperatures_are_what_lm_sensors_says(firmware: Firmware, bus: Bus) -> None:
    firmware.set(decicelsius=427)
    for chip, celsius in (("lm75", 45.5), ("tmp102", -12.25)):
        bus.heat(chip, celsius)
        bus.add(chip)
    time.sleep(1.1)  # both drivers measure a moment after they are bound
    told = json.loads(output("sensors", "-j"))
    theirs = {
        chip.partition("-")[0]: next(
            value for name, value in features["temp1"].items() if name.endswith("_input")
        )
        for chip, features in told.items()
        if "temp1" in features
    }
    ours = {one.name: one.celsius() for one in thermometers(Roots())}
    assert ours == pytest.approx(theirs)
    assert ours == pytest.approx({"acpitz": 42.7, "lm75": 45.5, "tmp102": -12.25})
