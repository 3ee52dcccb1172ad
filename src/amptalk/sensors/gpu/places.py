"""Where there are GPUs, found without touching one: device nodes, sysfs links and identities.

Reading a PCI identity or `runtime_status` never wakes a device; opening a node or asking NVML
does. Formats: Documentation/ABI/testing/sysfs-bus-pci, sysfs-devices-power, class `drm` and
`devfreq`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from amptalk.sensors.files import (
    SensorFault,
    exists,
    is_number,
    link_target,
    listing,
    read_once,
    text_or_nothing,
)
from amptalk.sensors.roots import Roots

KINDS = ("nvidia", "jetson", "amd", "intel")
"""The order in which GPUs are numbered."""
TITLES = {"nvidia": "NVIDIA", "jetson": "Jetson", "amd": "AMD", "intel": "Intel"}
_VENDORS = {"0x10de": "nvidia", "0x1002": "amd", "0x8086": "intel"}
_JETSON_NAMES = {"gpu", "gp10b", "gv11b", "ga10b", "gb10b"}
_DISPLAY = "0x03"
VIRTUAL = "vfio-pci"
"""Driver of a device that was given to a virtual machine."""
_ON_WINDOWS = "/usr/lib/wsl/lib/libnvidia-ml.so.1"
"""Linux within Windows (WSL 2) has the library of Windows' driver and no device node."""


class Place(NamedTuple):
    """One GPU as the kernel lists it."""

    kind: str
    """One of `KINDS`, or the kernel driver's name where nothing here can read it."""
    folder: str
    """Its device folder in sysfs; empty for a bare device node."""
    pci_address: str
    driver: str
    card: str = ""
    """Its folder in class `drm`; empty when it has none."""


class Display(NamedTuple):
    """A display device on PCI, whether or not a driver has taken it."""

    folder: str
    address: str
    kind: str
    """One of `KINDS`; empty for another maker's."""
    driver: str
    """Empty without one."""


def find_places(roots: Roots) -> tuple[Place, ...]:
    """All GPUs, in the order in which they are numbered: by kind, then by PCI address."""
    found = [*_nvidia(roots), *_jetson(roots), *_cards(roots)]
    if any(place.kind == "jetson" for place in found):
        # NVML lists the same GPU again as "Orin (nvgpu)" and supports none of its values.
        found = [place for place in found if place.kind != "nvidia"]
    rank = {kind: position for position, kind in enumerate(KINDS)}
    return tuple(sorted(found, key=lambda one: (rank.get(one.kind, 9), one.pci_address)))


def suspended(folder: str) -> bool:
    """Whether the device sleeps; unknown counts as awake."""
    return bool(folder) and text_or_nothing(f"{folder}/power/runtime_status") == "suspended"


def may_sleep(folder: str) -> bool:
    """Whether the kernel suspends the device when nobody holds it."""
    return bool(folder) and text_or_nothing(f"{folder}/power/control") == "auto"


def memory_total_mb(roots: Roots) -> float:
    """Memory of the machine. Raises `SensorFault`."""
    path = f"{roots.proc}/meminfo"
    for line in read_once(path).splitlines():
        words = line.replace(b":", b" ").split()
        if len(words) >= 2 and words[0] == b"MemTotal" and is_number(words[1]):
            return int(words[1]) / 1024.0
    raise SensorFault(f"{path} has no MemTotal")


def hwmon(folder: str) -> str:
    """The hardware monitoring folder of a device. Raises `SensorFault`."""
    for name in listing(f"{folder}/hwmon"):
        if name.startswith("hwmon"):
            return f"{folder}/hwmon/{name}"
    raise SensorFault(f"{folder}/hwmon has no entry: the driver gives no power or temperature")


def link_name(path: str) -> str:
    """Last part of where a link points; empty when it is none."""
    return os.path.basename(link_target(path))


def displays(sys: str) -> Iterator[Display]:
    """Every display device on PCI, in the order of their addresses."""
    folder = f"{sys}/bus/pci/devices"
    for address in listing(folder):
        path = f"{folder}/{address}"
        if text_or_nothing(f"{path}/class").startswith(_DISPLAY):
            kind = _VENDORS.get(text_or_nothing(f"{path}/vendor"), "")
            yield Display(path, address, kind, link_name(f"{path}/driver"))


def _nvidia(roots: Roots) -> list[Place]:
    """GPUs on PCI; else one that only its driver or device node shows."""
    found = []
    for one in displays(roots.sys):
        if one.kind == "nvidia" and one.driver != VIRTUAL:
            kind = "nouveau" if one.driver == "nouveau" else "nvidia"
            found.append(Place(kind, one.folder, one.address.lower(), one.driver))
    driver_loaded = exists(f"{roots.proc}/driver/nvidia/version")
    if not found and (driver_loaded or _nvidia_nodes(roots)):
        found.append(Place("nvidia", "", "", "nvidia"))
    return found


def _nvidia_nodes(roots: Roots) -> bool:
    if not roots.real:
        return False
    return any(name.startswith("nvidia") for name in listing("/dev")) or exists(_ON_WINDOWS)


def _jetson(roots: Roots) -> list[Place]:
    """GPUs of Tegra systems on chip, which devfreq scales and gives a `load` of."""
    folder = f"{roots.sys}/class/devfreq"
    for entry in listing(folder):
        device = f"{folder}/{entry}/device"
        named = text_or_nothing(f"{device}/of_node/name").strip("\0")
        if entry.rpartition(".")[2] in _JETSON_NAMES or named in _JETSON_NAMES:
            for path in (device, f"{folder}/{entry}", f"{roots.sys}/devices/platform/gpu.0"):
                if exists(f"{path}/load"):
                    return [Place("jetson", path, "", "nvgpu", f"{folder}/{entry}")]
    return []


def _cards(roots: Roots) -> list[Place]:
    folder = f"{roots.sys}/class/drm"
    found = []
    for card in listing(folder):
        if not (card.startswith("card") and card[4:].isdigit()):
            continue  # a connector, such as card1-DP-1
        device = f"{folder}/{card}/device"
        driver = link_name(f"{device}/driver")
        kind = _VENDORS.get(text_or_nothing(f"{device}/vendor"), "")
        if kind in {"amd", "intel"}:
            address = os.path.basename(os.path.realpath(device)).lower()
            address = address if address.count(":") == 2 else ""
            found.append(Place(kind, device, address, driver, f"{folder}/{card}"))
        elif not kind and driver in {"v3d", "panfrost", "panthor", "lima", "msm", "etnaviv"}:
            found.append(Place(driver, device, "", driver, f"{folder}/{card}"))
    return found
