"""Every kind of sensor that is read on Linux, missing: doctor names it, its cause and a remedy.

One row a kind of source, from the kernel's files to the drivers of boards.
"""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from amptalk.sensors.diagnosis.causes import Cause
from amptalk.sensors.diagnosis.diagnose import WORKS, diagnose
from tests.sensors.diagnosis.machines import (
    INTEL,
    diagnosed,
    docker,
    jetson,
    laptop,
    link,
    machine,
    raspberry_pi_5,
    told,
    without_pressure,
)
from tests.sensors.gpu.cards import amd, card, put_all
from tests.sensors.test_container import V1_MOUNTS, v1_group, v1_roots
from tests.sensors.test_swapspace import with_zram
from tests.sensors.trees import PID, Tree, failing, opened


class Row(NamedTuple):
    make: Callable[[Tree], None]
    """A machine where it is missing."""
    sensor: str
    words: str
    """What doctor says of it."""
    remedy: str
    """Part of the command; empty where nothing can be done."""


def without(*paths: str) -> Callable[[Tree], None]:
    def make(tree: Tree) -> None:
        laptop(tree)
        for path in paths:
            there = tree.root / path
            shutil.rmtree(there) if there.is_dir() else there.unlink()

    return make


def cgroup_v2(tree: Tree) -> None:
    laptop(tree)
    tree.cgroups("0::/\n", "30 20 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")


def cgroup_v1(tree: Tree) -> None:
    laptop(tree)
    tree.put("proc/cgroups", "memory\t0\t90\t0\n")
    tree.cgroups("3:cpu:/\n", "30 20 0:1 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n")


def uncounted_swap(tree: Tree) -> None:
    """Version 1 as Debian boots it: swap space, and memory.stat without swap."""
    laptop(tree)
    with_zram(tree, 300, 100)
    tree.cgroups("5:memory:/me\n4:cpu,cpuacct:/me\n", V1_MOUNTS)
    v1_roots(tree)
    v1_group(tree, "/me", memory=100, cache=20)
    tree.put("sys/fs/cgroup/memory/me/memory.stat", "total_inactive_file 0\n")


def pressure(tree: Tree) -> None:
    laptop(tree)
    without_pressure(tree)


def old_meter(tree: Tree) -> None:
    jetson(tree)
    tree.put("sys/bus/i2c/devices/1-0040/name", "ina3221x\n")


def jetson_gpu(tree: Tree) -> None:
    jetson(tree)
    tree.remove("sys/class/devfreq/17000000.gpu/device/load")


def amd_asleep(tree: Tree) -> None:
    laptop(tree)
    tree.put(f"{amd(tree)}/power/runtime_status", "suspended\n")


def intel(tree: Tree) -> None:
    laptop(tree)
    card(tree, 0, "0000:00:02.0", "0x8086", "i915")


def nvidia(tree: Tree) -> None:
    docker(tree)
    tree.put("proc/driver/nvidia/version", "NVRM\n")


def powerless_zone(tree: Tree) -> None:
    jetson(tree)
    tree.put("sys/class/thermal/thermal_zone0/temp", "0\n")


def no_cpufreq(tree: Tree) -> None:
    laptop(tree)
    assert not (tree.root / "sys/devices/system/cpu/cpufreq").exists()


def hybrid(tree: Tree) -> None:
    """Version 2 beside version 1, without memory: the usual half of a hybrid machine."""
    laptop(tree)
    tree.cgroups(
        "4:cpu:/own\n0::/\n",
        "30 20 0:1 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        "31 20 0:2 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
    )


ROWS = {
    "RAM": Row(without("proc/meminfo"), "device memory", "meminfo does not exist", ""),
    "process": Row(without(f"proc/{PID}"), "application processes", "does not exist", ""),
    "cgroup v2": Row(cgroup_v2, "container memory", "counts memory", "systemd-run --user"),
    "cgroup v1": Row(cgroup_v1, "container memory", "switched off at boot", "cgroup_disable"),
    "cgroup hybrid": Row(hybrid, "container memory", "counts memory", "systemd-run --user"),
    "cgroup v1 swap": Row(
        uncounted_swap, "container swap", "disabled at boot", "/&swapaccount=1 /' /etc/default/grub"
    ),
    "CPU": Row(without("proc/stat"), "device CPU", "stat does not exist", ""),
    "PSI": Row(pressure, "device io pressure", "disabled at boot", "psi=1"),
    "RAPL": Row(laptop, "device power", "RAPL|no driver", "sudo modprobe intel_rapl_msr"),
    "RAPL in a container": Row(docker, "device power", "runtime hides", "systempaths"),
    "INA3221 old": Row(old_meter, "device power", "INA3221|no driver", "modprobe ina3221"),
    "INA3221 new": Row(jetson, "device power", "INA3221|no driver", "modprobe ina3221"),
    "Jetson GPU": Row(jetson_gpu, "GPU", "no GPU that the kernel knows", ""),
    "Jetson protection": Row(jetson, "throttling", "under-voltage", ""),
    "Raspberry Pi": Row(
        raspberry_pi_5, "throttling", "get_throttled", "modprobe raspberrypi-hwmon"
    ),
    "amdgpu": Row(amd_asleep, "GPU 0", "asleep", ""),
    "Intel i915 and xe": Row(intel, "GPU 0", "of each process, not of the device", ""),
    "battery": Row(laptop, "device power", "battery|has a value later|BAT0 is charging", ""),
    "hwmon temperature": Row(laptop, "device temperature", "no driver", "modprobe coretemp"),
    "thermal zones": Row(powerless_zone, "device temperature", "has a value later", ""),
    "cpufreq": Row(no_cpufreq, "throttling", "frequency cap|no driver", "modprobe acpi-cpufreq"),
    "NVML": Row(nvidia, "GPU 0", "no permission", "docker run --gpus all"),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_missing_source_is_explained(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    row = ROWS[name]
    row.make(tree)
    found = diagnosed_rows(tree, row.sensor)
    assert row.words in found
    assert row.remedy in found


def diagnosed_rows(tree: Tree, sensor: str) -> str:
    with opened(tree.suite()) as suite:
        tree.clock.advance(6)
        suite.read()
        found = diagnose(suite.describe(), machine(tree))
    return "\n".join(told(one) for one in found if one.report.name == sensor)


def test_a_thermal_zone_that_is_not_powered_will_have_a_value(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    jetson(tree)
    failing(monkeypatch, f"{tree.roots.sys}/class/thermal/thermal_zone0/temp", errno.EAGAIN)
    temperature = diagnosed(tree)["device temperature"]
    assert temperature.findings[0].cause is Cause.LATER
    assert "it has a value when the part is powered" in told(temperature)


def test_what_works_is_not_explained_away(tree: Tree) -> None:
    laptop(tree)
    tree.put("proc/cpuinfo", INTEL)
    link(tree, "sys/class/hwmon/hwmon3/device", "../../../devices/platform/coretemp.0")
    put_all(tree, "sys/class/hwmon/hwmon3", {"name": "coretemp", "temp1_input": "50000"})
    temperature = diagnosed(tree)["device temperature"]
    assert (temperature.state, temperature.findings) == (WORKS, ())
