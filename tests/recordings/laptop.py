"""A made-up laptop: 4 minutes, the first half on battery; its package counter wraps on the way."""

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

MODEL, MACHINE = "Example Computer Notebook 14", "x86_64"
KERNEL, PAGE_SIZE, PID = "6.8.0-45-generic", 4096, 5000
INTERVAL, SECONDS = 5.0, 240.0

PLUGGED_AT = 120.0
"""From then on the charger is there and the battery is charged."""
SPAN = 262_143_328_850
"""µJ at which the counters begin anew."""
PACKAGE_WATTS, PLATFORM_WATTS, BATTERY_WATTS = 15.0, 22.0, 24.0
WRAPS_AT = 62.0
"""Seconds at which the counters of package and platform begin anew."""
HOT_FROM, HOT_TO = 180.0, 200.0
"""When the processor throttles itself."""

_POWERCAP, _POWER = "virtual/powercap/intel-rapl", "LNXSYSTM:00/LNXSYBUS:00/PNP0A08:00"
_CORE, _NVME = "platform/coretemp.0", "pci0000:00/0000:00:1d.0/0000:02:00.0/nvme/nvme0"
_ZONES_OF = {
    "intel-rapl:0": "intel-rapl:0",
    "intel-rapl:0:0": "intel-rapl:0/intel-rapl:0:0",
    "intel-rapl:0:1": "intel-rapl:0/intel-rapl:0:1",
    "intel-rapl:1": "intel-rapl:1",
}
LINKS = {
    "proc/self": str(PID),
    **zone_links(2),
    **hwmon_links(_CORE, 3),
    **hwmon_links(_NVME, 1),
    **{
        f"sys/class/powercap/{name}": f"../../devices/{_POWERCAP}/{path}"
        for name, path in _ZONES_OF.items()
    },
    "sys/class/power_supply/BAT0": f"../../devices/{_POWER}/PNP0C0A:00/power_supply/BAT0",
    "sys/class/power_supply/AC": f"../../devices/{_POWER}/ACPI0003:00/power_supply/AC",
    "sys/class/dmi/id": "../../devices/virtual/dmi/id",
}


def counter(seconds: float, watts: float) -> int:
    """An energy counter in µJ that begins anew at `WRAPS_AT`."""
    return int(SPAN + (seconds - WRAPS_AT) * watts * 1e6) % SPAN


def _rapl(seconds: float) -> dict[str, str | Failed]:
    top = f"sys/devices/{_POWERCAP}"
    files: dict[str, str | Failed] = {}
    for name, watts in (
        ("package-0", PACKAGE_WATTS), ("core", 9.0), ("uncore", 0.0), ("psys", PLATFORM_WATTS),
    ):  # fmt: skip
        zone_name = dict(
            zip(("package-0", "core", "uncore", "psys"), _ZONES_OF.values(), strict=True)
        )[name]
        folder = f"{top}/{zone_name}"
        files[f"{folder}/name"] = f"{name}\n"
        files[f"{folder}/max_energy_range_uj"] = f"{SPAN}\n"
        files[f"{folder}/energy_uj"] = f"{counter(seconds, watts)}\n"
        files[f"{folder}/constraint_0_name"] = "long_term\n"
        files[f"{folder}/constraint_0_power_limit_uw"] = "28000000\n"
    files[f"{top}/{_ZONES_OF['intel-rapl:0:1']}/energy_uj"] = Failed("EACCES")
    return files


def _supplies(seconds: float) -> dict[str, str | Failed]:
    battery = f"sys/devices/{_POWER}/PNP0C0A:00/power_supply/BAT0"
    mains = f"sys/devices/{_POWER}/ACPI0003:00/power_supply/AC"
    plugged = seconds >= PLUGGED_AT
    # As the ABI has it: negative while it discharges, positive while it is charged.
    watts = 31.0 if plugged else -BATTERY_WATTS
    return {
        f"{battery}/type": "Battery\n",
        f"{battery}/status": "Charging\n" if plugged else "Discharging\n",
        f"{battery}/present": "1\n",
        f"{battery}/capacity": "63\n",
        f"{battery}/power_now": f"{int(watts * 1e6)}\n",
        f"{battery}/voltage_now": "11520000\n",
        f"{battery}/energy_full": "50000000\n",
        f"{mains}/type": "Mains\n",
        f"{mains}/online": f"{int(plugged)}\n",
    }


def at(seconds: float) -> Mapping[str, str | Failed | None]:
    """All files at one moment."""
    hot = HOT_FROM <= seconds < HOT_TO
    milli = 97_000 if hot else 61_000 + int(seconds * 50)
    core, nvme = f"sys/devices/{_CORE}/hwmon/hwmon3", f"sys/devices/{_NVME}/hwmon/hwmon1"
    events = 12 + (max(0, min(int(seconds - HOT_FROM), 20)) if seconds >= HOT_FROM else 0)
    processors: dict[str, str] = {}
    for number in range(4):
        cpu = f"sys/devices/system/cpu/cpu{number}"
        processors[f"{cpu}/topology/physical_package_id"] = "0\n"
        processors[f"{cpu}/topology/core_id"] = f"{number // 2}\n"
        processors[f"{cpu}/thermal_throttle/core_throttle_count"] = "4\n"
        processors[f"{cpu}/thermal_throttle/package_throttle_count"] = f"{events}\n"
        processors.update(policy(number, 2_400_000, 4_200_000, 4_200_000))
    return {
        "sys/devices/virtual/dmi/id/sys_vendor": "Example Computer\n",
        "sys/devices/virtual/dmi/id/product_name": "Notebook 14\n",
        "proc/stat": stat(seconds, 4, 0.25),
        "proc/meminfo": meminfo(15800, 9000 - seconds, 4096, 4096),
        "proc/vmstat": vmstat(),
        "proc/loadavg": loadavg(1.4),
        "proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\n",
        "proc/pressure/cpu": psi(int(seconds * 5000)),
        "proc/pressure/memory": psi(0),
        "proc/pressure/io": psi(0),
        f"proc/{PID}/cgroup": "0::/group1\n",
        f"proc/{PID}/mountinfo": "30 1 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "sys/fs/cgroup/cpu.stat": "usage_usec 1\n",
        "sys/fs/cgroup/group1/cgroup.events": "populated 1\nfrozen 0\n",
        "sys/fs/cgroup/group1/memory.current": f"{900 * 2**20}\n",
        "sys/fs/cgroup/group1/memory.max": "max\n",
        "sys/fs/cgroup/group1/memory.stat": f"anon 1\ninactive_file {100 * 2**20}\n",
        "sys/fs/cgroup/group1/memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n",
        "sys/fs/cgroup/group1/cpu.max": "max 100000\n",
        "sys/fs/cgroup/group1/cpu.stat": f"usage_usec {int(seconds * 400_000)}\n",
        **zone(0, "acpitz", 45_000, {"critical": 120000}),
        **zone(1, "x86_pkg_temp", milli),
        f"{core}/name": "coretemp\n",
        f"{core}/temp1_label": "Package id 0\n",
        f"{core}/temp1_input": f"{milli}\n",
        f"{core}/temp1_crit": "100000\n",
        f"{core}/temp2_label": "Core 0\n",
        f"{core}/temp2_input": f"{milli - 2000}\n",
        f"{nvme}/name": "nvme\n",
        f"{nvme}/temp1_label": "Composite\n",
        f"{nvme}/temp1_input": "38850\n",
        f"{nvme}/temp1_max": "65261850\n",
        **processors,
        **_rapl(seconds),
        **_supplies(seconds),
    }
