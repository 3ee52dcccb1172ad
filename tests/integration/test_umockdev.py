"""psutil and ours beside each other on one mocked `/sys`: equal where psutil is right.

umockdev puts files of its own in the place of `/sys` for a whole process, so the third-party
reader sees the same machine. Where psutil says something else, that is asserted too: the known
cases in which it is wrong, or says nothing, are why these sensors are not read through it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.helpers import ROOT

RUN = shutil.which("umockdev-run")
pytestmark = pytest.mark.skipif(RUN is None, reason="umockdev is not installed (Debian: umockdev)")

SCRIPT = """
import json, os, shutil, subprocess, sys
from pathlib import Path
mocked = Path(os.environ["UMOCKDEV_DIR"])
(mocked / "sys/class/power_supply").mkdir(parents=True)  # psutil raises without it
for name, text in json.loads(sys.argv[1]).items():
    path = mocked / name.replace("PID", str(os.getpid()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\\n")
import psutil
from amptalk.sensors.suite import SensorSuite
suite = SensorSuite("device", threads=False)  # without them no deadline: the machine may be busy
sample = suite.read()
suite.close()
battery = psutil.sensors_battery()
sensors = shutil.which("sensors")
told = sensors and subprocess.run([sensors, "-j"], capture_output=True, text=True).stdout
print(json.dumps({
    "ours": sample.as_dict(), "missing": dict(sample.missing),
    "origins": {name: origin.source for name, origin in sample.provenance.items()},
    "temperatures": psutil.sensors_temperatures(),
    "battery": battery and battery._asdict(),
    "sensors": told and json.loads(told),
    "memory": psutil.virtual_memory().total,
    "capacity": suite.capacity.memory_mb,
}))
"""


def mocked(*folders: tuple[str, dict[str, object]]) -> Any:
    """What both say of a machine with these files."""
    files = {f"{folder}/{name}": str(value) for folder, of in folders for name, value in of.items()}
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    environment.pop("AMPTALK_TEMPERATURE", None)
    done = subprocess.run(
        [str(RUN), "--", sys.executable, "-c", SCRIPT, json.dumps(files)],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def hwmon(number: int, **files: object) -> tuple[str, dict[str, object]]:
    return f"sys/class/hwmon/hwmon{number}", files


def zone(number: int, **files: object) -> tuple[str, dict[str, object]]:
    return f"sys/class/thermal/thermal_zone{number}", files


def supply(name: str, **files: object) -> tuple[str, dict[str, object]]:
    return f"sys/class/power_supply/{name}", files


PACKAGE: dict[str, object] = {
    "name": "coretemp", "temp1_label": "Package id 0", "temp1_input": 61500,
    "temp1_max": 100000, "temp1_crit": 105000,
}  # fmt: skip
DISK: dict[str, object] = {
    "name": "nvme", "temp1_label": "Composite", "temp1_input": 70850, "temp1_max": 65261850,
}  # fmt: skip


def test_the_temperature_of_a_processor_is_the_same() -> None:
    said = mocked(hwmon(0, **PACKAGE))
    assert said["temperatures"]["coretemp"] == [["Package id 0", 61.5, 100.0, 105.0]]
    assert said["ours"]["device.temperature_celsius"] == 61.5
    if said["sensors"] is not None:  # lm-sensors is installed
        (chip,) = said["sensors"].values()
        assert chip["Package id 0"]["temp1_input"] == 61.5
    assert "slows at 100 °C, stops at 105 °C" in said["origins"]["device.temperature_celsius"]


def test_a_drive_is_not_the_device_and_its_limit_of_65261_degrees_is_none() -> None:
    said = mocked(hwmon(0, **DISK), hwmon(1, **PACKAGE))
    ((_label, current, high, critical),) = said["temperatures"]["nvme"]
    assert (current, high, critical) == (70.85, 65261.85, 65261.85)  # taken as they are
    assert said["ours"]["device.temperature_celsius"] == 61.5


def test_the_passive_trip_of_a_zone_is_where_the_kernel_slows_down() -> None:
    """psutil looks for a trip called "high", of which the kernel has none.

    It also divides by 1000 once for each trip that follows, in the order of a set: 110 or 0.11 °C.
    """
    trips = {"trip_point_0_type": "passive", "trip_point_0_temp": 95000,
             "trip_point_1_type": "critical", "trip_point_1_temp": 110000}  # fmt: skip
    said = mocked(zone(0, type="cpu-thermal", temp=48000, **trips))
    ((_label, current, high, critical),) = said["temperatures"]["cpu-thermal"]
    assert current == said["ours"]["device.temperature_celsius"] == 48
    assert critical in {110, 0.11}
    assert high in {110, 0.11, None}  # never 95
    assert "slows at 95 °C, stops at 110 °C" in said["origins"]["device.temperature_celsius"]


def test_a_zone_that_is_off_does_not_count_as_minus_256_degrees() -> None:
    said = mocked(
        zone(0, type="cpu-thermal", temp=48000), zone(1, type="cv0-thermal", temp=-256000)
    )
    assert said["temperatures"]["cv0-thermal"][0][1] == -256
    assert said["ours"]["device.temperature_celsius"] == 48


def test_both_batteries_give_the_power_that_psutil_has_no_word_for() -> None:
    """psutil#2314 asks for power; of two batteries psutil reads the first."""
    battery = {"type": "Battery", "status": "Discharging", "energy_full": 40_000_000}
    said = mocked(
        supply("BAT0", **battery, energy_now=20_000_000, power_now=4_000_000),
        supply("BAT1", **battery, energy_now=36_000_000, power_now=3_000_000),
    )
    assert said["battery"]["percent"] == 50  # 70 % of both together
    assert said["battery"]["power_plugged"] is False
    assert said["ours"]["device.power_watts"] == 7


def test_a_charger_of_another_name_is_a_charger() -> None:
    """psutil knows `AC` and `AC0` only, and goes by the battery's status else."""
    battery = {"type": "Battery", "status": "Discharging", "capacity": 50, "power_now": 4_000_000}
    said = mocked(supply("BAT0", **battery), supply("ADP1", type="Mains", online=1))
    assert said["battery"]["power_plugged"] is False
    assert said["ours"]["device.power_watts"] is None  # the battery gives a part at most


def test_in_a_container_the_memory_is_that_of_the_container() -> None:
    """psutil#2100: psutil shows the host's in every container."""
    group = {
        "cgroup.events": "populated 1", "memory.current": 100 << 20, "memory.max": 256 << 20,
        "memory.stat": "anon 1\ninactive_file 0", "memory.events": "oom_kill 0",
        "cpu.stat": "usage_usec 1", "cpu.max": "max 100000",
    }  # fmt: skip
    said = mocked(
        ("sys/fs/cgroup/me", group),
        ("proc/PID", {"cgroup": "0::/me"}),
        ("proc/self", {"mountinfo": "30 20 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"}),
    )
    assert said["memory"] > 256 << 20
    assert said["capacity"] == said["ours"]["container.memory_limit_mb"] == 256
    assert said["ours"]["container.memory_usage_mb"] == 100
