"""Files that all three made-up devices have, as functions of the seconds since the start."""

from __future__ import annotations


def stat(seconds: float, cores: int, busy: float) -> str:
    """`/proc/stat` of `cores`, each busy by the share `busy` all the time; 100 ticks a second."""
    used, rest = int(100 * seconds * busy), int(100 * seconds * (1 - busy))
    lines = []
    for name, times in (("cpu ", cores), *((f"cpu{n}", 1) for n in range(cores))):
        numbers = [5000 + used, 10, 900, 70000 + rest, 120, 0, 30, 0, 0, 0]
        lines.append(f"{name} " + " ".join(str(number * times) for number in numbers))
    return "\n".join(lines) + f"\nintr {int(90000 + 400 * seconds)}\nctxt 1234567\n"


def meminfo(total_mb: int, available_mb: float, swap_mb: int = 0, swap_free_mb: float = 0) -> str:
    """`/proc/meminfo` with what is needed and a little more."""
    return (
        f"MemTotal:       {total_mb * 1024:8d} kB\n"
        f"MemFree:        {int(available_mb * 600):8d} kB\n"
        f"MemAvailable:   {int(available_mb * 1024):8d} kB\n"
        "Buffers:           41216 kB\nCached:           812032 kB\nSwapCached:            0 kB\n"
        f"SwapTotal:      {swap_mb * 1024:8d} kB\n"
        f"SwapFree:       {int(swap_free_mb * 1024):8d} kB\n"
        "Shmem:             20480 kB\nSReclaimable:      96256 kB\n"
    )


def vmstat(pages_in: int = 0, pages_out: int = 0, refaults: int = 0) -> str:
    """The counters of `/proc/vmstat` that are kept."""
    return (
        f"nr_free_pages 200000\nworkingset_refault_anon {refaults}\n"
        f"workingset_refault_file {2 * refaults}\npswpin {pages_in}\npswpout {pages_out}\n"
        "pgfault 812345\npgmajfault 2345\n"
    )


def loadavg(load: float) -> str:
    return f"{load:.2f} {load * 0.9:.2f} {load * 0.8:.2f} 2/310 4321\n"


def psi(some: int, full: int = 0) -> str:
    return (
        f"some avg10=0.00 avg60=0.00 avg300=0.00 total={some}\n"
        f"full avg10=0.00 avg60=0.00 avg300=0.00 total={full}\n"
    )


def policy(number: int, now_khz: int, cap_khz: int, most_khz: int) -> dict[str, str]:
    """One group of cores that share a frequency."""
    folder = f"sys/devices/system/cpu/cpufreq/policy{number}"
    return {
        f"{folder}/scaling_cur_freq": f"{now_khz}\n",
        f"{folder}/scaling_max_freq": f"{cap_khz}\n",
        f"{folder}/cpuinfo_max_freq": f"{most_khz}\n",
        f"{folder}/scaling_governor": "schedutil\n",
    }


def zone(number: int, kind: str, milli: int, trips: dict[str, int] | None = None) -> dict[str, str]:
    """A thermal zone; `trips` maps the type of a trip point to m°C."""
    folder = f"sys/devices/virtual/thermal/thermal_zone{number}"
    files = {f"{folder}/type": f"{kind}\n", f"{folder}/temp": f"{milli}\n"}
    for at, (trip, limit) in enumerate((trips or {}).items()):
        files[f"{folder}/trip_point_{at}_type"] = f"{trip}\n"
        files[f"{folder}/trip_point_{at}_temp"] = f"{limit}\n"
    return files


def zone_links(count: int) -> dict[str, str]:
    name = "thermal_zone"
    return {
        f"sys/class/thermal/{name}{n}": f"../../devices/virtual/thermal/{name}{n}"
        for n in range(count)
    }


def hwmon_links(folder: str, number: int) -> dict[str, str]:
    """Links of a chip whose device is at `sys/devices/<folder>`."""
    chip = f"sys/devices/{folder}/hwmon/hwmon{number}"
    return {
        f"sys/class/hwmon/hwmon{number}": f"../../devices/{folder}/hwmon/hwmon{number}",
        f"{chip}/device": "../..",
    }
