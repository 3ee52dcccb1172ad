"""Which files of a device are kept: an allow list by folder and name, never a crawl.

What the sensors read, and what a sensor for an unknown device would need. Every file here is
only read by showing it: none wakes a device, clears a latch, starts a measurement that takes
long or waits. So `*_alarm` is not kept (many chips clear it when it is read) but for the plain
one of the Raspberry Pi, nor are `config` and `rom` of PCI, the tracing folders and debugfs, with
one exception: the list of GPU memory on a Jetson, which the sensors read as well.

Nothing here names a device in the world: see `NEVER`, and `scrub` for what is taken out of the
rest. Files of processes and control groups are in `processes` and `groups`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

NEVER = (
    *("uevent", "edid", "config", "rom", "modalias", "vpd", "wwid", "cid", "csd", "mac*"),
    *("*serial*", "*uuid*", "*unique_id*", "*address*", "*asset_tag*", "*guid*", "*manufactur*"),
    *("trigger", "reset", "remove", "rescan", "*_reset*", "resource*", "*reset_history*"),
)
"""Names that are not kept wherever they are: they tell which device it is, or do something."""


class Place(NamedTuple):
    """Files of one kind of folder, by patterns of names (`fnmatch`)."""

    folder: str
    """Relative to `/`, with `*` for a part of it; links on the way are followed and kept."""
    changing: tuple[str, ...] = ()
    """Read for every frame."""
    fixed: tuple[str, ...] = ()
    """Read when the device is looked over: at the start and every 60 s."""
    links: tuple[str, ...] = ()
    """Links whose target alone says something."""


_CPU = "sys/devices/system/cpu"
_DRM = "sys/class/drm/card*"
_CHIP = (
    *("temp*_input", "in*_input", "curr*_input", "power*_input", "power*_average", "energy*_input"),
    *("fan*_input", "freq*_input", "humidity*_input", "pwm[0-9]", "in0_lcrit_alarm"),
    *("oc[0-9]_event_cnt", "in*_enable", "power*_cap", "pwm*_enable"),
)
_CHIP_FIXED = (
    *("name", "*_label", "temp*_max", "temp*_crit", "temp*_emergency", "curr*_max", "curr*_crit"),
    *("in*_min", "in*_max", "power*_cap_max", "power*_cap_min", "shunt*_resistor"),
    *("oc[0-9]_throt_en", "update_interval", "samples"),
)
_SLEEP = ("runtime_status", "control")

PLACES = (
    Place(
        "proc",
        ("stat", "meminfo", "vmstat", "loadavg", "swaps"),
        ("cpuinfo", "cgroups", "cmdline"),
    ),
    Place("proc/pressure", ("cpu", "memory", "io", "irq")),
    Place("proc/device-tree", (), ("model", "compatible")),
    Place("proc/driver/nvidia", (), ("version",)),
    Place("sys/class/dmi/id", (), ("sys_vendor", "product_name", "board_vendor", "board_name")),
    Place(
        "sys/class/thermal/*",
        ("temp", "cur_state", "mode"),
        ("type", "max_state", "policy", "trip_point_*_type", "trip_point_*_temp"),
    ),
    Place("sys/class/hwmon/*", _CHIP, _CHIP_FIXED, ("device",)),
    Place("sys/class/hwmon/*/device", ("power*_average", "power*_cap"), ("name",)),
    Place(
        "sys/class/powercap/*",
        ("energy_uj", "power_uw"),
        (
            *("name", "enabled", "max_energy_range_uj", "constraint_*_name"),
            *("constraint_*_power_limit_uw", "constraint_*_max_power_uw"),
        ),
    ),
    Place(
        "sys/class/power_supply/*",
        (
            *("status", "online", "present", "capacity", "capacity_level", "power_now", "temp"),
            *("current_now", "voltage_now", "energy_now", "charge_now", "time_to_empty_now"),
            *("input_current_limit", "charge_type", "usb_type"),
        ),
        (
            *("type", "scope", "technology", "energy_full", "energy_full_design", "charge_full"),
            *("charge_full_design", "voltage_min_design"),
        ),
    ),
    Place(
        "sys/class/devfreq/*",
        ("cur_freq", "target_freq", "min_freq", "max_freq", "load"),
        ("governor", "available_frequencies"),
        ("device",),
    ),
    Place("sys/class/devfreq/*/device", ("load",), (), ("driver",)),
    Place("sys/class/devfreq/*/device/of_node", (), ("name", "compatible")),
    Place("sys/class/devfreq/*/device/power", _SLEEP),
    Place("sys/devices/platform/gpu.0", ("load",)),
    Place("sys/devices/platform/gpu.0/power", _SLEEP),
    Place(_DRM, ("gt_act_freq_mhz", "gt_cur_freq_mhz", "gt_max_freq_mhz"), (), ("device",)),
    Place(
        f"{_DRM}/device",
        ("gpu_busy_percent", "mem_busy_percent", "mem_info_*_used"),
        ("vendor", "device", "class", "product_name", "mem_info_*_total"),
        ("driver",),
    ),
    Place(f"{_DRM}/device/power", _SLEEP),
    Place(f"{_DRM}/device/hwmon/*", _CHIP, _CHIP_FIXED),
    Place(f"{_DRM}/gt/gt*", ("throttle_reason_*",)),
    Place(f"{_DRM}/device/tile*/gt*/freq*/throttle", ("status", "reason_*")),
    Place(f"{_DRM}/device/tile*/gt*/freq*", ("act_freq", "cur_freq", "max_freq")),
    Place(
        "sys/class/accel/*/device",
        ("npu_busy_time_us", "npu_memory_utilization", "npu_current_frequency_mhz"),
        ("npu_max_frequency_mhz", "vendor", "device", "class"),
        ("driver",),
    ),
    Place("sys/bus/pci/devices/*", (), ("vendor", "class", "device"), ("driver",)),
    Place("sys/bus/pci/devices/*/power", _SLEEP),
    Place(
        "sys/bus/i2c/devices/*/iio:device*",
        ("in_power*_input", "in_current*_input", "in_voltage*_input"),
        ("name", "rail_name_*", "warn_current_limit_*", "crit_current_limit_*"),
    ),
    Place(
        "sys/bus/iio/devices/*",
        ("in_temp*_input", "in_power*_input", "in_current*_input", "in_voltage*_input"),
        ("name", "in_temp*_label", "in_power*_label", "in_current*_label", "in_voltage*_label"),
    ),
    Place(_CPU, ("online", "present"), ("possible", "isolated")),
    Place(f"{_CPU}/cpufreq", ("boost",)),
    Place(
        f"{_CPU}/cpufreq/policy*",
        ("scaling_cur_freq", "scaling_max_freq", "scaling_min_freq"),
        (
            *("cpuinfo_max_freq", "cpuinfo_min_freq", "base_frequency", "scaling_governor"),
            *("scaling_driver", "related_cpus"),
        ),
    ),
    Place(f"{_CPU}/intel_pstate", ("no_turbo", "max_perf_pct"), ("status",)),
    Place(
        f"{_CPU}/cpu*/thermal_throttle",
        (
            *("core_throttle_count", "package_throttle_count"),
            *("core_power_limit_count", "package_power_limit_count"),
        ),
    ),
    Place(f"{_CPU}/cpu*/topology", (), ("physical_package_id", "core_id", "die_id")),
    Place("sys/devices/platform/soc*/*firmware", ("get_throttled",)),
    Place("sys/block/zram*", ("mm_stat", "bd_stat", "io_stat"), ("disksize",)),
    Place("sys/module/zswap/parameters", (), ("enabled", "compressor", "max_pool_percent")),
    Place("sys/class/kfd/kfd/topology/nodes/*", (), ("gpu_id", "properties")),
    Place("sys/kernel/debug/nvmap/iovmm", ("clients",)),
)


def wanted(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a file of that name is kept where `patterns` hold."""
    return any(fnmatchcase(name, one) for one in patterns) and not any(
        fnmatchcase(name.lower(), one) for one in NEVER
    )


def covers(path: str) -> bool:
    """Whether a file or link, or a folder on the way to one, is among what is kept.

    `path` is relative to `/` and as a sensor names it, through links.
    """
    parts = path.strip("/").split("/")
    return any(_leads_to(parts, place) for place in PLACES)


def _leads_to(parts: list[str], place: Place) -> bool:
    folders = place.folder.split("/")
    if not all(map(fnmatchcase, parts, folders)):  # as far as both go
        return False
    if len(parts) <= len(folders):
        return True
    names = (*place.changing, *place.fixed, *place.links)
    return len(parts) == len(folders) + 1 and wanted(parts[-1], names)
