"""A made-up Jetson Orin: 2 minutes of inference; its supply dips once and its clocks are capped."""

from __future__ import annotations

from collections.abc import Mapping

from amptalk.sensors.recorded.format import Failed
from tests.recordings.parts import (
    hwmon_links,
    loadavg,
    meminfo,
    policy,
    psi,
    stat,
    vmstat,
    zone,
    zone_links,
)

MODEL, MACHINE = "NVIDIA Jetson Orin Nano Developer Kit", "aarch64"
KERNEL, PAGE_SIZE, PID = "5.15.136-tegra", 4096, 1200
INTERVAL, SECONDS = 1.0, 120.0

DIP, CAPPED_FROM = 50.0, 80.0
"""When an under-voltage event is counted, and from when the clocks are capped."""

_INA, _OC, _GPU = (
    "platform/bus@0/c240000.i2c/i2c-1/1-0040",
    "platform/bus@0/soctherm-oc-event",
    "platform/bus@0/17000000.gpu",
)
_ZONES = ("cpu-thermal", "gpu-thermal", "cv0-thermal", "soc0-thermal", "tj-thermal")
LINKS = {
    "proc/self": str(PID),
    "proc/device-tree": "../sys/firmware/devicetree/base",
    **zone_links(len(_ZONES)),
    **hwmon_links(_INA, 1),
    **hwmon_links(_OC, 2),
    "sys/bus/i2c/devices/1-0040": f"../../../devices/{_INA}",
    "sys/class/devfreq/17000000.gpu": f"../../devices/{_GPU}/devfreq/17000000.gpu",
    f"sys/devices/{_GPU}/devfreq/17000000.gpu/device": "../..",
    f"sys/devices/{_GPU}/of_node": "../../../../firmware/devicetree/base/bus@0/gpu@17000000",
}


def input_watts(seconds: float) -> float:
    """VDD_IN: 5 V and a current of whole milliamperes that rises and falls every 20 s."""
    return 5.0 * (1400 + 40 * int(seconds % 20)) / 1000


def load(seconds: float) -> int:
    """Per-mille."""
    return 400 + 20 * int(seconds % 20)


def at(seconds: float) -> Mapping[str, str | Failed | None]:
    """All files at one moment."""
    milli = 48_000 + int(seconds * 100)
    ina, oc = f"sys/devices/{_INA}/hwmon/hwmon1", f"sys/devices/{_OC}/hwmon/hwmon2"
    gpu = f"sys/devices/{_GPU}"
    zones: dict[str, str | Failed] = {}
    for number, kind in enumerate(_ZONES):
        hotter = 3000 if kind == "tj-thermal" else 200 * number
        zones.update(zone(number, kind, milli + hotter, {"passive": 99000, "critical": 104500}))
    # The vision accelerator is not powered, as on most boards most of the time.
    zones["sys/devices/virtual/thermal/thermal_zone2/temp"] = Failed("EAGAIN")
    cap = 1_113_600 if seconds >= CAPPED_FROM else 1_510_400
    rails = {1: ("VDD_IN", 1400 + 40 * int(seconds % 20)), 2: ("VDD_CPU_GPU_CV", 610)}
    rails[3] = ("VDD_SOC", 450)
    meter: dict[str, str] = {f"{ina}/name": "ina3221\n"}
    for number, (label, milliamperes) in rails.items():
        meter[f"{ina}/in{number}_label"] = f"{label}\n"
        meter[f"{ina}/in{number}_enable"] = "1\n"
        meter[f"{ina}/in{number}_input"] = "5000\n"
        meter[f"{ina}/curr{number}_input"] = f"{milliamperes}\n"
    meter[f"{ina}/in7_label"] = "sum of shunt voltages\n"
    meter[f"{ina}/in7_input"] = "12\n"
    return {
        "sys/firmware/devicetree/base/model": f"{MODEL}\0",
        "sys/firmware/devicetree/base/compatible": "nvidia,p3768-0000\0nvidia,tegra234\0",
        "proc/stat": stat(seconds, 6, 0.5),
        "proc/meminfo": meminfo(7620, 3000 - seconds * 5, 3810, 3810),
        "proc/vmstat": vmstat(),
        "proc/loadavg": loadavg(2.2),
        "proc/pressure/cpu": psi(int(seconds * 20_000)),
        "proc/pressure/memory": psi(0),
        "proc/pressure/io": psi(int(seconds * 1000)),
        f"proc/{PID}/cgroup": "0::/\n",
        f"proc/{PID}/mountinfo": "30 1 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "sys/fs/cgroup/cpu.stat": "usage_usec 1\n",
        **zones,
        **meter,
        f"{oc}/name": "soctherm_oc\n",
        f"{oc}/oc1_event_cnt": f"{3 + (seconds >= DIP)}\n",
        f"{oc}/oc1_throt_en": "1\n",
        f"{oc}/oc2_event_cnt": "0\n",
        f"{oc}/oc3_event_cnt": "7\n",
        f"{gpu}/load": f"{load(seconds)}\n",
        f"{gpu}/power/runtime_status": "active\n",
        f"{gpu}/power/control": "auto\n",
        f"{gpu}/devfreq/17000000.gpu/cur_freq": "612000000\n",
        f"{gpu}/devfreq/17000000.gpu/max_freq": "624750000\n",
        f"{gpu}/devfreq/17000000.gpu/governor": "nvhost_podgov\n",
        "sys/firmware/devicetree/base/bus@0/gpu@17000000/name": "ga10b\0",
        "sys/kernel/debug/nvmap/iovmm/clients": Failed("EACCES"),
        **policy(0, cap, cap, 1_510_400),
        **policy(4, cap, cap, 1_510_400),
    }
