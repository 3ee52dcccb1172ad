"""Made-up machines whose every value stays the same while nothing is wrong, though counters move.

Counters grow in proportion to time, so that every rate is constant; whatever a sample then shows
beside the value of the healthy machine is wrong, or comes from another source and says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from tests.sensors.faults.disk import Content
from tests.sensors.faults.files import MB, base, grows, in_v1, in_v2, numbers
from tests.sensors.faults.others import Other, common_others
from tests.sensors.trees import PID, SWAPS


class Machine(NamedTuple):
    """What is in its files, and what else than its healthy values it may rightly show."""

    files: dict[str, Content]
    links: Mapping[str, str] = MappingProxyType({})
    scope: str = "application"
    others: tuple[Other, ...] = ()
    swept: tuple[str, ...] = ("",)
    """Beginnings of the files that are tried; the others are as in another machine."""


def _frequencies(count: int) -> dict[str, Content]:
    found: dict[str, Content] = {}
    for number in range(count):
        folder = f"sys/devices/system/cpu/cpufreq/policy{number}"
        found |= numbers(folder, cpuinfo_max_freq=1_800_000, scaling_max_freq=1_800_000)
    return found


def raspberry_pi() -> Machine:
    chip, zone = "sys/class/hwmon/hwmon0", "sys/class/thermal/thermal_zone0"
    files = {
        **base(), **in_v2(), **_frequencies(1),
        "proc/device-tree/model": "Raspberry Pi 4 Model B\0",
        **numbers(zone, type="cpu-thermal", temp=52_000, trip_point_0_type="critical",
                  trip_point_0_temp=110_000),
        **numbers(chip, name="cpu_thermal", temp1_input=52_500),
        **numbers("sys/class/hwmon/hwmon1", name="rpi_volt", in0_lcrit_alarm=0),
        **numbers("sys/devices/platform/soc/soc:firmware", get_throttled="0"),
        **numbers("sys/class/thermal/cooling_device0", type="cpufreq-cpu0", cur_state=0,
                  max_state=4),
    }  # fmt: skip
    zram = "sys/block/zram0"
    files["proc/swaps"] = SWAPS.replace("/dev/mmcblk0p3", "/dev/zram0")
    files |= numbers(zram, mm_stat=f"{480 * MB} 1 {122.0703125 * MB:.0f} 0 9 0 0", bd_stat="0 0 0")
    for path in [name for name in files if "/memory." in name]:
        del files[path]
    files["proc/cgroups"] = "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t9\t0\n"
    left_out = "swapped memory left out"
    others = (
        Other("temperature_celsius", 52, "cpu-thermal"),
        *(other for file in (zram, "proc/swaps") for other in (
            Other("memory_used_mb", 136.71875, left_out, file),
            Other("memory_mb", 136.71875, left_out, file),
            Other("memory_percent", 1.75, "", file),
        )),
    )  # fmt: skip
    return Machine(files, others=(*others, *common_others(0.25)))


def jetson() -> Machine:
    meter, thermal = "sys/class/hwmon/hwmon3", "sys/class/thermal"
    gpu = "sys/class/devfreq/17000000.ga10b"
    rails = {
        "name": "ina3221",
        "in1_label": "VDD_IN", "in1_input": 5000, "curr1_input": 1200, "in1_enable": 1,
        "in2_label": "VDD_CPU_GPU_CV", "in2_input": 5000, "curr2_input": 400,
        "in3_label": "VDD_SOC", "in3_input": 5000, "curr3_input": 200,
        "in4_input": 3, "in7_label": "sum of shunt voltages", "in7_input": 9,
    }  # fmt: skip
    zones: dict[str, Content] = {}
    for number, (kind, value) in enumerate(
        [("cpu-thermal", 48_000), ("gpu-thermal", 46_000), ("cv0-thermal", -256_000),
         ("tj-thermal", 49_500)]
    ):  # fmt: skip
        zones |= numbers(f"{thermal}/thermal_zone{number}", type=kind, temp=value,
                         trip_point_0_type="passive", trip_point_0_temp=99_000)  # fmt: skip
    files = {
        **base(), **in_v2(), **_frequencies(2), **zones,
        **numbers(meter, **rails),
        **numbers("sys/class/hwmon/hwmon4", name="soctherm_oc", oc1_event_cnt=0, oc2_event_cnt=0,
                  oc3_event_cnt=0),
        **numbers(gpu, cur_freq=918_000_000, governor="nvhost_podgov"),
        **numbers(f"{gpu}/device", load=437),
        "sys/kernel/debug/nvmap/iovmm/clients": "CLIENT PROCESS PID SIZE\n"
        f"user python3 {PID} 204800K\nuser gnome-shell 900 51200K\ntotal 256000K\n",
    }  # fmt: skip
    others = (
        Other("temperature_celsius", 48, "cpu-thermal"),
        Other("temperature_celsius", 49.5, "thermal_zone3"),
        # Without the rail at the input: the sum of the rails of the module, which says so.
        Other("power_watts", 3, "VDD_CPU_GPU_CV + VDD_SOC: rails of the module"),
    )
    return Machine(files, others=(*others, *common_others()), swept=("sys/class", "sys/kernel"))


def laptop() -> Machine:
    power, supply = "sys/class/powercap", "sys/class/power_supply"
    chip = "sys/class/hwmon/hwmon2"
    cpu = "sys/devices/system/cpu/cpu0"
    card = "sys/devices/pci0000:00/0000:00:02.0"
    files = {
        **base(), **in_v2(), **_frequencies(2),
        **numbers(f"{supply}/BAT0", type="Battery", status="Discharging", power_now=7_500_000,
                  voltage_now=12_000_000),
        **numbers(f"{supply}/AC", type="Mains", online=0),
        **numbers(f"{supply}/mouse", type="Battery", scope="Device", status="Discharging"),
        **numbers(chip, name="coretemp", temp1_label="Package id 0", temp1_input=61_500,
                  temp1_max=100_000, temp1_crit=100_000, temp2_label="Core 0", temp2_input=60_000),
        **numbers("sys/class/thermal/thermal_zone0", type="acpitz", temp=40_000),
        **numbers("sys/class/thermal/thermal_zone1", type="x86_pkg_temp", temp=61_000),
        **numbers("sys/class/thermal/cooling_device0", type="Processor", cur_state=0, max_state=3),
        **numbers(f"{cpu}/topology", physical_package_id=0, core_id=0),
        **numbers(f"{cpu}/thermal_throttle", core_throttle_count=7, package_throttle_count=9),
        **numbers(card, vendor="0x8086"), **numbers(f"{card}/power", runtime_status="active"),
        f"proc/{PID}/fdinfo/9": "drm-driver:\ti915\ndrm-client-id:\t7\ndrm-pdev:\t0000:00:02.0\n"
        "drm-resident-system0:\t51200 KiB\ndrm-engine-render:\t100 ns\npos:\t0\n",
    }  # fmt: skip
    for zone, name, watts in (
        ("intel-rapl:0", "package-0", 4.0), ("intel-rapl:0:0", "core", 2.0),
        ("intel-rapl:1", "psys", 9.0),
    ):  # fmt: skip
        files |= numbers(f"{power}/{zone}", name=name, max_energy_range_uj=262_143_328_850)
        files[f"{power}/{zone}/energy_uj"] = grows("%d\n", (1e9, watts * 1e6))
    links = {
        "sys/class/drm/card1/device": card,
        f"{card}/driver": "sys/bus/pci/drivers/i915",
        f"proc/{PID}/fd/9": "/dev/dri/renderD128",
    }
    others = (
        Other("temperature_celsius", 61.5, "coretemp Package"),
        Other("temperature_celsius", 61, "thermal_zone1"),
        Other("power_watts", 9, "psys: whole device"),
        Other("power_watts", 4, "processor only"),
        Other("gpu_memory_mb", 0, "fdinfo", f"proc/{PID}/fdinfo", "absent"),  # closed meanwhile
    )
    swept = "sys/class", "sys/devices", f"proc/{PID}/fdinfo", "proc/cpuinfo"
    return Machine(files, links, others=(*others, *common_others()), swept=swept)


def server(version: str = "v2") -> Machine:
    groups = in_v2() if version == "v2" else in_v1(hybrid=version == "hybrid")
    card, power = "sys/devices/pci0000:00/0000:03:00.0", "sys/class/powercap"
    compute = "sys/class/kfd/kfd"
    files = {
        **base(), **groups,
        **numbers("sys/class/hwmon/hwmon5", name="power_meter", power1_average=180_000_000),
        **numbers("sys/class/hwmon/hwmon6", name="k10temp", temp1_label="Tctl", temp1_input=80_000,
                  temp3_label="Tccd1", temp3_input=70_000),
        **numbers(card, vendor="0x1002", gpu_busy_percent=37, unique_id="abc",
                  mem_info_vram_used=2000 * MB, mem_info_vram_total=8176 * MB,
                  product_name="Card"),
        **numbers(f"{card}/power", runtime_status="active"),
        **numbers(f"{card}/hwmon/hwmon7", name="amdgpu", power1_average=30_000_000,
                  temp1_input=66_000, freq1_input=1_000_000_000),
        **numbers(f"{compute}/topology/nodes/1", gpu_id=77,
                  properties=f"simd_count 1\nlocation_id {3 << 8}\ndomain 0"),
        **numbers(f"{compute}/proc/{PID}", vram_77=300 * MB),
        f"proc/{PID}/fdinfo/9": "drm-client-id:\t7\ndrm-pdev:\t0000:03:00.0\n"
        "drm-memory-vram:\t204800 KiB\n",
    }  # fmt: skip
    for zone, watts in ((0, 60.0), (1, 50.0)):
        folder = f"{power}/intel-rapl:{zone}"
        files |= numbers(folder, name=f"package-{zone}", max_energy_range_uj=65_532_610_987,
                         constraint_0_power_limit_uw=120_000_000)  # fmt: skip
        files[f"{folder}/energy_uj"] = grows("%d\n", (1e9, watts * 1e6))
    links = {
        "sys/class/drm/card0/device": card,
        f"{card}/driver": "sys/bus/pci/drivers/amdgpu",
        f"proc/{PID}/fd/9": "/dev/dri/renderD128",
    }
    v1 = "sys/fs/cgroup/cpu/apps/cpu.cfs_quota_us", "absent"
    limit = "sys/fs/cgroup/memory/apps/memory.limit_in_bytes", "absent"
    fdinfo = "fdinfo and KFD"
    others = (
        Other("power_watts", 110, "package-0 + package-1: processor only"),
        Other("temperature_celsius", 70, "Tccd1"),
        # Without the compute driver's word, what the descriptors say; without both, nothing.
        Other("gpu_memory_mb", 200, fdinfo, "sys/class/kfd", "absent,no permission"),
        Other("cpu_limit_cores", math.inf, "", *v1), Other("cpu_percent", 12.5, "", *v1),
        Other("throttled_percent", 0, "", *v1), Other("cpu_percent", 20, "", *v1),
        Other("memory_limit_mb", math.inf, "", *limit), Other("memory_percent", 2.048, "", *limit),
    )  # fmt: skip
    groups_only = "sys/fs/cgroup", f"proc/{PID}/cgroup", "proc/self"
    swept = ("sys", f"proc/{PID}", "proc/self") if version == "v2" else groups_only
    return Machine(
        files, links, "container", swept=swept,
        others=(*others, *common_others()),
    )  # fmt: skip


MACHINES: dict[str, Callable[[], Machine]] = {
    "Raspberry Pi": raspberry_pi,
    "Jetson": jetson,
    "laptop": laptop,
    "server with cgroup v2": server,
    "server with cgroup v1": lambda: server("v1"),
    "server with both": lambda: server("hybrid"),
}
