"""What the hardware says of being slowed down, one small reader a source.

- x86: `thermal_throttle` counters; a core's is the same in all its threads, a package's in all
  its cores, so one of each is read.
- Raspberry Pi: its firmware's flags and the kernel's alarm (`throttling_pi`).
- Jetson: event counters of `soctherm_oc` (1 under-voltage, 2 average and 3 peak over-current).
- Cooling devices of the processor, and `scaling_max_freq` below `cpuinfo_max_freq`.

Counters tell by their difference: the first reading says nothing. Of each kind at most 64 files
are read, packages before cores, which bounds the cost on a server.
Formats: arch/x86/kernel/cpu/mce/therm_throt.c, Documentation/ABI/testing/sysfs-class-thermal,
Documentation/admin-guide/pm/cpufreq.rst (kHz).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from amptalk.sensors.files import SensorFault, exists, listing, read_number, text_or_nothing
from amptalk.sensors.hwmon import GONE, Chip, check, chips
from amptalk.sensors.roots import Roots

THERMAL, POWER, VOLTAGE, FREQUENCY = "thermal", "power cap", "under-voltage", "frequency cap"
_COUNTERS = {
    "core_throttle_count": THERMAL,
    "package_throttle_count": THERMAL,
    "core_power_limit_count": POWER,
    "package_power_limit_count": POWER,
}
_EVENTS = {
    "oc1_event_cnt": VOLTAGE,
    "oc2_event_cnt": POWER,
    "oc3_event_cnt": POWER,
}
_COOLERS = (
    *("processor", "intel_powerclamp", "cpufreq-", "devfreq-"),
    *("thermal-cpufreq", "thermal-devfreq"),  # the names before Linux 5.12
)


NOTHING = "nothing here shows it"
AT_MOST = 64
"""Files of one kind that are read every 5 s, about 8 µs each."""


class Finding(NamedTuple):
    """What one reader says of one cause."""

    cause: str
    seen: bool
    text: str
    """What was seen; why it cannot be told; empty when it is known not to be there."""


class Reader(Protocol):
    """One source of findings."""

    gone: bool
    """True when something was not there any more at the last reading."""

    @property
    def name(self) -> str:
        """What it is called where it does not answer."""

    @property
    def causes(self) -> tuple[str, ...]:
        """What it is there for."""

    def discover(self) -> None:
        """Look for the source anew."""

    def read(self) -> list[Finding]:
        """What it says now; at least one finding for each cause it is there for."""


def told(cause: str, texts: list[str], fault: SensorFault | None, *, there: bool) -> Finding:
    """Sum up one source: seen, not there, or why it cannot be told."""
    if texts:
        return Finding(cause, seen=True, text=", ".join(texts))
    if fault is not None:
        return Finding(cause, seen=False, text=fault.reason)
    return Finding(cause, seen=False, text="" if there else NOTHING)


class _Counting:
    """Counters that go up whenever a cause was active."""

    causes: tuple[str, ...] = (THERMAL, POWER)

    def __init__(self, roots: Roots) -> None:
        self.gone = False
        self._sys = roots.sys
        self._files: dict[str, tuple[str, str]] = {}
        self._chips: dict[str, Chip] = {}
        """Chips that files belong to, where there are any."""
        self._last: dict[str, int] = {}

    def read(self) -> list[Finding]:
        """Compare each counter with its last reading; one that went back starts anew."""
        texts: dict[str, list[str]] = {cause: [] for cause in self.causes}
        faults: dict[str, SensorFault] = {}
        self.gone = False
        for path, (cause, label) in self._files.items():
            try:
                if path in self._chips:
                    self._chips[path].check()
                value = read_number(path)
            except SensorFault as fault:
                self._last.pop(path, None)
                self.gone = self.gone or fault.number in GONE
                faults[cause] = fault
                continue
            if path not in self._last:
                faults.setdefault(cause, SensorFault(f"{path} needs two readings"))
            more = value - self._last.get(path, value)
            self._last[path] = value
            if more > 0:
                events = "1 event" if more == 1 else f"{more} events"
                texts[cause].append(f"{label}: {events}")
        there = {cause for cause, _label in self._files.values()}
        return [
            told(cause, texts[cause], faults.get(cause), there=cause in there)
            for cause in self.causes
        ]


class ProcessorCounters(_Counting):
    """Throttle counters of x86 processors."""

    name = "throttle counters of the processor"

    def discover(self) -> None:
        """Find one counter for each core and package."""
        folder = f"{self._sys}/devices/system/cpu"
        found: dict[tuple[str, ...], tuple[str, tuple[str, str]]] = {}
        for name in listing(folder):
            if not (name.startswith("cpu") and name[3:].isdigit()):
                continue
            cpu = f"{folder}/{name}"
            if not exists(f"{cpu}/thermal_throttle"):
                continue
            package = text_or_nothing(f"{cpu}/topology/physical_package_id")
            core = text_or_nothing(f"{cpu}/topology/core_id")
            for file, cause in _COUNTERS.items():
                path = f"{cpu}/thermal_throttle/{file}"
                whole = file.startswith("package")
                key = (file, package) if whole else (file, package, core)
                label = f"package {package}" if whole else f"core {core} of package {package}"
                if key not in found and exists(path):
                    found[key] = path, (cause, label)
        packages_first = sorted(found.items(), key=lambda one: not one[0][0].startswith("package"))
        self._files = dict([value for _key, value in packages_first[:AT_MOST]])


class OverCurrent(_Counting):
    """Over-current and under-voltage events of a Jetson."""

    name = "soctherm_oc"
    causes = (VOLTAGE, POWER)

    def discover(self) -> None:
        """Find the counters."""
        self._files, self._chips = {}, {}
        for chip in chips(self._sys):
            if chip.name == "soctherm_oc":
                for file, cause in _EVENTS.items():
                    if exists(f"{chip.folder}/{file}"):
                        self._files[f"{chip.folder}/{file}"] = cause, file[:3]
                        self._chips[f"{chip.folder}/{file}"] = chip


class Coolers:
    """Cooling devices that slow the processor down; fans are none of them."""

    name = "cooling devices"
    causes = (THERMAL,)

    def __init__(self, roots: Roots) -> None:
        self.gone = False
        self._folder = f"{roots.sys}/class/thermal"
        self._devices: dict[str, str] = {}

    def discover(self) -> None:
        """Find them by their type."""
        self._devices = {}
        for name in listing(self._folder):
            kind = text_or_nothing(f"{self._folder}/{name}/type")
            if name.startswith("cooling_device") and kind.lower().startswith(_COOLERS):
                self._devices[f"{self._folder}/{name}"] = kind

    def read(self) -> list[Finding]:
        """Which of them are at work."""
        texts, fault = [], None
        self.gone = False
        for folder, kind in self._devices.items():
            try:
                check(f"{folder}/type", kind)
                state = read_number(f"{folder}/cur_state")
            except SensorFault as error:
                self.gone = self.gone or error.number in GONE
                fault = error
                continue
            if state > 0:  # idle powerclamp says -1 on older kernels
                most = text_or_nothing(f"{folder}/max_state")
                texts.append(f"{kind} cools in step {state} of {most}")
        return [told(THERMAL, texts, fault, there=bool(self._devices))]


class Frequencies:
    """Cores that may not reach their highest frequency."""

    name = "frequency limits"
    causes = (FREQUENCY,)

    def __init__(self, roots: Roots) -> None:
        self.gone = False
        self._folder = f"{roots.sys}/devices/system/cpu/cpufreq"
        self._policies: dict[str, int] = {}
        self._fault: SensorFault | None = None

    def discover(self) -> None:
        """Find the groups of cores that share a frequency, and the highest of each."""
        names = [name for name in listing(self._folder) if name.startswith("policy")]
        self._policies, self._fault = {}, None
        for name in names[:AT_MOST]:
            policy = f"{self._folder}/{name}"
            try:
                self._policies[policy] = read_number(f"{policy}/cpuinfo_max_freq")
            except SensorFault as fault:
                self._fault = fault

    def read(self) -> list[Finding]:
        """Which of them are capped; by what cannot be told from the figures."""
        texts, fault = [], self._fault
        self.gone = False
        for policy, most in self._policies.items():
            try:
                capped = read_number(f"{policy}/scaling_max_freq")
            except SensorFault as error:
                self.gone = self.gone or error.number in GONE
                fault = error
                continue
            if 0 < capped < most:
                name = policy.rpartition("/")[2]
                texts.append(f"{name} may run at {capped // 1000} of {most // 1000} MHz")
        alike = {text.partition(" ")[2] for text in texts}
        if len(texts) > 1 and len(alike) == 1:
            texts = [f"{len(texts)} of {len(self._policies)} policies {alike.pop()}"]
        return [told(FREQUENCY, texts, fault, there=bool(self._policies))]
