"""Made-up machines as `doctor` meets them, each in a tree beneath its roots."""

from __future__ import annotations

from amptalk.sensors.diagnosis.diagnose import FIXABLE, Diagnosis, diagnose
from amptalk.sensors.diagnosis.machine import Machine, User, read_machine
from tests.sensors.trees import Tree, opened

USER = User("ann", root=False, groups=frozenset({"ann"}))
ROOT = User("root", root=True, groups=frozenset({"root"}))

INTEL = "vendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Core(TM)\nflags\t\t: fpu vme\n"
AMD = "vendor_id\t: AuthenticAMD\nmodel name\t: AMD Ryzen\nflags\t\t: fpu vme\n"


def link(tree: Tree, path: str, target: str) -> None:
    there = tree.root / path
    there.parent.mkdir(parents=True, exist_ok=True)
    there.symlink_to(target)


def namespaces(tree: Tree, *, own: bool) -> None:
    """Name spaces of the machine itself, or of a container."""
    for name, first in (("pid", 4026531836), ("cgroup", 4026531835)):
        link(tree, f"proc/self/ns/{name}", f"{name}:[{first + 777 if own else first}]")


def without_pressure(tree: Tree) -> None:
    for name in ("cpu", "memory", "io"):
        tree.remove(f"proc/pressure/{name}")


def raspberry_pi_5(tree: Tree, *, options: str = "cgroup_disable=memory console=tty1") -> None:
    """As delivered: no pressure, no memory controller, power behind the firmware's mailbox."""
    tree.put("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    tree.put("proc/cmdline", f"{options}\n")
    tree.put("proc/sys/kernel/osrelease", "6.6.31+rpt-rpi-2712\n")
    tree.put(
        "proc/cgroups", "#subsys_name\thierarchy\tnum\tenabled\nmemory\t0\t90\t0\ncpu\t0\t9\t1\n"
    )
    tree.put("boot/firmware/cmdline.txt", "console=tty1 root=/dev/mmcblk0p2\n")
    tree.put("etc/os-release", 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    tree.put("run/systemd/system/x", "")
    tree.put("dev/vcio", "")
    tree.put("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
    tree.put("sys/class/thermal/thermal_zone0/temp", "48000\n")
    without_pressure(tree)
    namespaces(tree, own=False)


def laptop(tree: Tree, cpuinfo: str = INTEL) -> None:
    """On the charger, energy counters for root only, Ubuntu with GRUB."""
    tree.put("proc/cpuinfo", cpuinfo)
    tree.put("proc/cmdline", "BOOT_IMAGE=/vmlinuz quiet\n")
    tree.put("proc/sys/kernel/osrelease", "6.8.0-40-generic\n")
    tree.put("sys/class/dmi/id/sys_vendor", "LENOVO\n")
    tree.put("sys/class/dmi/id/product_name", "20XW\n")
    tree.put("etc/os-release", 'ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 24.04 LTS"\n')
    tree.put("etc/default/grub", 'GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX="quiet"\n')
    tree.put("run/systemd/system/x", "")
    for name, value in {"type": "Battery", "status": "Charging", "power_now": "0"}.items():
        tree.put(f"sys/class/power_supply/BAT0/{name}", value)
    tree.put("sys/class/power_supply/AC/type", "Mains\n")
    tree.put("sys/class/power_supply/AC/online", "1\n")
    namespaces(tree, own=False)


def jetson(tree: Tree) -> None:
    """Orin with its meter on the bus, and no driver for it."""
    tree.put("proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0")
    tree.put("proc/cmdline", "root=/dev/nvme0n1p1\n")
    tree.put("proc/sys/kernel/osrelease", "5.15.136-tegra\n")
    tree.put("etc/os-release", 'ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 22.04"\n')
    tree.put("boot/extlinux/extlinux.conf", "LABEL primary\n      APPEND ${cbootargs} quiet\n")
    tree.put("sys/bus/i2c/devices/1-0040/name", "ina3221\n")
    tree.put("sys/class/devfreq/17000000.gpu/device/load", "420\n")
    tree.put("sys/class/thermal/thermal_zone0/type", "tj-thermal\n")
    tree.put("sys/class/thermal/thermal_zone0/temp", "51000\n")
    without_pressure(tree)
    namespaces(tree, own=False)


def docker(tree: Tree) -> None:
    """A container on a PC whose runtime hides what Docker hides."""
    tree.put("proc/cpuinfo", INTEL)
    tree.put("proc/cmdline", "quiet\n")
    tree.put("etc/os-release", "ID=debian\n")
    tree.put("etc/default/grub", 'GRUB_CMDLINE_LINUX=""\n')
    tree.put(".dockerenv", "")
    link(tree, "sys/class/powercap/intel-rapl:0", "../../devices/virtual/powercap/intel-rapl:0")
    tree.put("sys/module/coretemp/x", "")
    namespaces(tree, own=True)


def diagnosed(tree: Tree, user: User = USER) -> dict[str, Diagnosis]:
    """Each sensor's diagnosis by name; of several of one name one that can be enabled."""
    with opened(tree.suite()) as suite:
        for _ in range(2):
            tree.clock.advance(6)
            suite.read()
        found = diagnose(suite.describe(), machine(tree, user))
    ordered = sorted(found, key=lambda one: one.state == FIXABLE)
    return {one.report.name: one for one in ordered}


def machine(tree: Tree, user: User = USER) -> Machine:
    return read_machine(tree.roots, user)


def told(one: Diagnosis) -> str:
    """Everything that is said of a sensor."""
    return "\n".join(
        f"{finding.source}|{finding.cause.value}|{finding.reason}|{finding.remedy}"
        for finding in one.findings
    )
