"""A made-up Raspberry Pi 5: 3 minutes under load with a weak supply, then too warm."""

from __future__ import annotations

from collections.abc import Mapping

from amptalk.sensors.recorded.format import Failed
from tests.recordings.parts import (
    hwmon_links,
    loadavg,
    meminfo,
    policy,
    stat,
    vmstat,
    zone,
    zone_links,
)

MODEL, MACHINE = "Raspberry Pi 5 Model B Rev 1.0", "aarch64"
KERNEL, PAGE_SIZE, PID = "6.6.31+rpt-rpi-2712", 16384, 900
INTERVAL, SECONDS = 2.5, 180.0

LOW_FROM, LOW_TO = 40.0, 70.0
"""When the supply gives too little."""
WARM_FROM = 120.0
"""From then on the firmware's soft temperature limit holds."""

_FIRMWARE = "platform/soc@107c000000/soc@107c000000:firmware"
_VOLT, _ADC, _FAN = (
    f"{_FIRMWARE}/raspberrypi-hwmon",
    "platform/axi/1000120000.pcie/1f000c8000.adc",
    "platform/cooling_fan",
)
LINKS = {
    "proc/self": str(PID),
    "proc/device-tree": "../sys/firmware/devicetree/base",
    **zone_links(1),
    "sys/class/thermal/cooling_device0": "../../devices/virtual/thermal/cooling_device0",
    **hwmon_links("virtual/thermal/thermal_zone0", 0),
    **hwmon_links(_ADC, 1),
    **hwmon_links(_FAN, 2),
    **hwmon_links(_VOLT, 3),
    "sys/block/zram0": "../devices/virtual/block/zram0",
}


def celsius(seconds: float) -> float:
    """From 52 °C at a steady pace to 85.2 °C."""
    return 52.0 + min(seconds, 166.0) * 0.2


def throttled(seconds: float) -> int:
    """What `get_throttled` says: bits 0 and 3 now, 16 and 19 since the kernel cleared them."""
    low = LOW_FROM <= seconds < LOW_TO
    warm = seconds >= WARM_FROM
    return low * 0x1 | warm * 0x8 | (low or LOW_TO <= seconds < LOW_TO + 5) * 0x10000 | warm << 19


def at(seconds: float) -> Mapping[str, str | Failed | None]:
    """All files at one moment."""
    milli = int(celsius(seconds) * 1000)
    warm = seconds >= WARM_FROM
    chip = "sys/devices/virtual/thermal/thermal_zone0/hwmon/hwmon0"
    adc, fan = f"sys/devices/{_ADC}/hwmon/hwmon1", f"sys/devices/{_FAN}/hwmon/hwmon2"
    volt, zram = f"sys/devices/{_VOLT}/hwmon/hwmon3", "sys/devices/virtual/block/zram0"
    swapped = int(seconds * 4)
    return {
        "sys/firmware/devicetree/base/model": f"{MODEL}\0",
        "sys/firmware/devicetree/base/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
        "proc/stat": stat(seconds, 4, 0.75),
        "proc/meminfo": meminfo(8063, 5200 - seconds * 10, 2048, 2048 - seconds),
        "proc/vmstat": vmstat(pages_in=swapped, pages_out=2 * swapped, refaults=swapped),
        "proc/loadavg": loadavg(3.1),
        "proc/swaps": "Filename Type Size Used Priority\n"
        f"/dev/zram0 partition 2097152 {swapped} 100\n",
        "proc/cgroups": "#subsys_name hierarchy num_cgroups enabled\ncpu 0 90 1\nmemory 0 90 0\n",
        "proc/cmdline": "cgroup_disable=memory\n",
        f"proc/{PID}/cgroup": "0::/group1/group2\n",
        f"proc/{PID}/mountinfo": "30 1 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "sys/fs/cgroup/cpu.stat": "usage_usec 1\n",
        "sys/fs/cgroup/group1/group2/cgroup.events": "populated 1\nfrozen 0\n",
        "sys/fs/cgroup/group1/group2/cpu.max": "max 100000\n",
        "sys/fs/cgroup/group1/group2/cpu.stat": f"usage_usec {int(seconds * 500_000)}\n",
        "sys/fs/cgroup/group1/cgroup.events": "populated 1\nfrozen 0\n",
        **zone(0, "cpu-thermal", milli, {"critical": 110000, "active": 50000}),
        "sys/devices/virtual/thermal/cooling_device0/type": "pwm-fan\n",
        "sys/devices/virtual/thermal/cooling_device0/cur_state": f"{2 + 2 * warm}\n",
        "sys/devices/virtual/thermal/cooling_device0/max_state": "4\n",
        f"{chip}/name": "cpu_thermal\n",
        f"{chip}/temp1_input": f"{milli}\n",
        f"{adc}/name": "rp1_adc\n",
        f"{adc}/in1_input": "1486\n",
        f"{adc}/temp1_input": f"{milli - 9000}\n",
        f"{fan}/name": "pwmfan\n",
        f"{fan}/fan1_input": f"{3200 + 4000 * warm}\n",
        f"{fan}/pwm1": f"{125 + 130 * warm}\n",
        f"{volt}/name": "rpi_volt\n",
        f"{volt}/in0_lcrit_alarm": f"{int(LOW_FROM <= seconds < LOW_TO)}\n",
        f"sys/devices/{_FIRMWARE}/get_throttled": f"{throttled(seconds):x}\n",
        **policy(0, 1_500_000 if warm else 2_400_000, 2_400_000, 2_400_000),
        f"{zram}/mm_stat": f"{swapped * 16384} {swapped * 5000} {swapped * 6000} 0 0 0 0 0 0\n",
        f"{zram}/disksize": "2147483648\n",
    }
