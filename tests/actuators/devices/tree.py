"""Devices whose files can be lowered, on the made-up kernel: clocks, processor power, a meter."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

MHZ, WATT = 1000, 1_000_000
CPUFREQ = "sys/devices/system/cpu/cpufreq"
RAPL = "sys/class/powercap/intel-rapl:0"
METER = "sys/devices/LNXSYSTM:00/ACPI000D:00"
FILES = {
    "cpufreq": f"{CPUFREQ}/policy0/scaling_max_freq",
    "rapl": f"{RAPL}/constraint_0_power_limit_uw",
    "acpi_power": f"{METER}/power1_cap",
}
"""The first file of each limit."""
FULL = {"cpufreq": 2000 * MHZ, "rapl": 66 * WATT, "acpi_power": 60 * WATT}


class Tree(Protocol):
    """A folder with made-up files of the kernel."""

    root: Path

    def put(self, path: str, text: str) -> object:
        """Have a file hold a text."""


def policy(machine: Tree, number: int, *, listed: str = "") -> None:
    """A policy of cpufreq of 600 to 2000 MHz."""
    folder = f"{CPUFREQ}/policy{number}"
    machine.put(f"{folder}/scaling_max_freq", f"{2000 * MHZ}\n")
    machine.put(f"{folder}/cpuinfo_min_freq", f"{600 * MHZ}\n")
    if listed:
        machine.put(f"{folder}/scaling_available_frequencies", listed + "\n")


def zone(machine: Tree, number: int = 0, *, enabled: str = "1", name: str = "package-0") -> None:
    """A zone of RAPL that limits to 125 W, of which the processor does 66."""
    folder = f"sys/class/powercap/intel-rapl:{number}"
    for file, text in {
        "name": name, "enabled": enabled, "constraint_0_name": "long_term",
        "constraint_0_power_limit_uw": str(125 * WATT), "constraint_0_max_power_uw": str(66 * WATT),
        "constraint_1_name": "short_term", "constraint_1_power_limit_uw": str(200 * WATT),
    }.items():  # fmt: skip
        machine.put(f"{folder}/{file}", text + "\n")


def meter(machine: Tree, cap: int = 60 * WATT) -> None:
    """A power meter of 5 to 60 W, as older kernels show it: its chip has no name."""
    for file, value in {
        "power1_cap": cap, "power1_cap_min": 5 * WATT, "power1_cap_max": 60 * WATT,
        "power1_average": 10 * WATT,
    }.items():  # fmt: skip
        machine.put(f"{METER}/{file}", f"{value}\n")
    chip = machine.root / METER / "hwmon/hwmon0"
    chip.mkdir(parents=True)
    (chip / "device").symlink_to(machine.root / METER)
    folder = machine.root / "sys/class/hwmon"
    folder.mkdir(parents=True)
    (folder / "hwmon0").symlink_to(chip)


def all_of(machine: Tree) -> None:
    """Every device that has files."""
    policy(machine, 0, listed="2000000 1500000 1000000 600000")
    policy(machine, 1, listed="2000000 1500000 1000000 600000")
    zone(machine)
    meter(machine)


def texts(machine: Tree) -> dict[str, str]:
    """What stands in every file that may be changed."""
    found = [*machine.root.rglob("scaling_max_freq"), *machine.root.rglob("*_power_limit_uw"),
             *(machine.root / METER).glob("power1_cap")]  # fmt: skip
    return {str(path.relative_to(machine.root)): path.read_text().strip() for path in found}


def journal_is_empty(path: Path) -> bool:
    return not path.exists() or not list(path.iterdir())
