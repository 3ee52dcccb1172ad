"""RAPL energy counters of x86 processors, Intel's and AMD's in the same tree.

Two meters: `psys`, the platform, which contains the packages; and the packages, which are the
processor alone and contain `core` and `uncore`. Neither is ever added to the other; `dram` is
left out of both, and so is `intel-rapl-mmio`, which shows the same packages again, unless it is
the only one. The dies of an AMD package all show the counter of the package (kernels before
6.11), so one of them counts. A `psys` below its own packages three times running is not wired on
that board and no longer believed.

Zone numbers are hexadecimal and only ever compared as text.
Formats: Documentation/power/powercap/powercap.rst.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

from amptalk.sensors.files import SensorFault, listing, read_number, read_start, text_or_nothing
from amptalk.sensors.hwmon import check
from amptalk.sensors.power.counters import PLAUSIBLE_WATTS, Counter, CounterGroup, renewed
from amptalk.sensors.power.meter import Reading
from amptalk.sensors.roots import Roots

_TREES = ("intel-rapl:", "intel-rapl-mmio:")
_ABOVE_LIMIT = 3.0
"""Over a quarter of a second a processor stays below this many times its own power limit."""
_NOT_BELOW = 0.95
_DOUBTS = 3
_FILES = "/sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/energy_uj"
MAKE_READABLE = (
    f"echo 'z {_FILES} 0444 root root -' | sudo tee /etc/tmpfiles.d/amptalk-rapl.conf && "
    "sudo systemd-tmpfiles --create /etc/tmpfiles.d/amptalk-rapl.conf"
)
REMEDY = (
    f"{MAKE_READABLE}; without systemd a udev "
    'rule: SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/chmod a+r /sys%p/energy_uj". '
    "For a container do it on the host. It lets every local user read the counters, which "
    "CVE-2020-8694 misuses"
)


class _Rapl(ABC):
    """Zones that are added up."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._folders: dict[str, str] = {}
        self.group: CounterGroup | None = None

    @abstractmethod
    def wanted(self, zones: dict[str, str]) -> dict[str, str]:
        """The zones of this meter, by name."""

    def discover(self) -> None:
        """Look for zones anew; the total goes on when they are the same."""
        self._folders = self.wanted(_zones(f"{self._roots.sys}/class/powercap"))
        counters = {name: _counter(folder) for name, folder in self._folders.items()}
        self.group = renewed(self.group, counters)

    def watts(self, clock: Callable[[], float]) -> float | None:
        """Power of the zones; `None` without any. Raises `SensorFault`."""
        if self.group is None:
            return None
        try:
            return self.group.watts(clock)
        except SensorFault as fault:
            if fault.number in {errno.EACCES, errno.EPERM}:
                raise SensorFault(fault.reason, REMEDY, fault.number) from None
            raise

    def paths(self) -> tuple[str, ...]:
        """Files of the counters."""
        return tuple(f"{folder}/energy_uj" for folder in self._folders.values())


class Packages(_Rapl):
    """The processor alone."""

    name = "RAPL packages"

    def wanted(self, zones: dict[str, str]) -> dict[str, str]:
        """One zone for each package; for each die of it where dies count apart."""
        amd = _is_amd(f"{self._roots.proc}/cpuinfo")
        packages: dict[str, str] = {}
        for name, folder in zones.items():
            if name.startswith("package-"):
                packages.setdefault(name.partition("-die-")[0] if amd else name, folder)
        return packages

    @property
    def source(self) -> str:
        """What is read and what it covers."""
        return f"RAPL {' + '.join(self._folders)}: processor only"

    def read(self, clock: Callable[[], float]) -> Reading | None:
        """Power of the packages."""
        watts = self.watts(clock)
        return None if watts is None else Reading(watts, "derived", self.source)


class Platform(_Rapl):
    """The whole device, where its maker wired `psys`."""

    name = "RAPL psys"
    source = "RAPL psys: whole device"

    def __init__(self, roots: Roots, packages: Packages) -> None:
        super().__init__(roots)
        self._packages = packages
        self._below = 0
        self.believed = True
        """False once it showed less than the packages, which are part of it, three times."""

    def wanted(self, zones: dict[str, str]) -> dict[str, str]:
        """Take the zone of the platform."""
        return {"psys": zones["psys"]} if "psys" in zones else {}

    def read(self, clock: Callable[[], float]) -> Reading | None:
        """Power of the platform, `None` where it is not believed."""
        if not self.believed or self.group is None:
            return None
        watts = self.watts(clock)
        try:
            inside = self._packages.watts(clock)
        except SensorFault:
            inside = None
        if watts is None:
            return None
        if inside is not None and watts < _NOT_BELOW * inside:
            self._below += 1
            self.believed = self._below < _DOUBTS
            raise SensorFault(f"psys says {watts:g} W, less than its packages with {inside:g} W")
        self._below = 0
        return Reading(watts, "derived", self.source)


def _counter(folder: str) -> Counter:
    try:
        span = max(0, read_number(f"{folder}/max_energy_range_uj"))
    except SensorFault:
        span = 0  # then a step back is never taken for a wrap
    limits = [0]
    for name in listing(folder):
        if name.startswith("constraint_") and name.endswith("_power_limit_uw"):
            try:
                limits.append(read_number(f"{folder}/{name}"))
            except SensorFault:
                continue
    limit = max(limits) / 1e6 * _ABOVE_LIMIT
    most = min(limit, PLAUSIBLE_WATTS) if limit > 0 else PLAUSIBLE_WATTS
    named = f"{folder}/name"
    return Counter(f"{folder}/energy_uj", span, most, partial(check, named, text_or_nothing(named)))


def _zones(folder: str) -> dict[str, str]:
    """Folders of the outermost zones by name, of the first tree that has any."""
    names: dict[str, str] = {}
    for tree in _TREES:
        for zone in listing(folder):
            if zone.startswith(tree) and zone.count(":") == 1:
                name = text_or_nothing(f"{folder}/{zone}/name")
                if name:
                    names.setdefault(name, f"{folder}/{zone}")
        if names:
            break
    return names


def _is_amd(path: str) -> bool:
    """From the first lines: to print all of them, the kernel asks every core for its clock."""
    try:
        return b"AuthenticAMD" in read_start(path, 200)
    except SensorFault:
        return False
