"""What the hardware says of being slowed down, one small reader a source.

- x86: `thermal_throttle` counters; a core's is the same in all its threads, a package's in all
  its cores, so one of each is read.
- Raspberry Pi: the firmware's `get_throttled`, hexadecimal, bits 0-3 now and 16-19 since they
  were last cleared; the kernel asks every 2 s and clears the latter, so a bit that appears there
  between two readings was active. `rpi_volt` shows the same under-voltage as `in0_lcrit_alarm`.
- Jetson: event counters of `soctherm_oc` (1 under-voltage, 2 average and 3 peak over-current).
- Cooling devices of the processor, and `scaling_max_freq` below `cpuinfo_max_freq`.

Counters tell by their difference: the first reading says nothing. Of each kind at most 64 files
are read, packages before cores, which bounds the cost on a server.
Formats: arch/x86/kernel/cpu/mce/therm_throt.c, drivers/firmware/raspberrypi.c,
drivers/hwmon/raspberrypi-hwmon.c, Documentation/ABI/testing/sysfs-class-thermal,
Documentation/admin-guide/pm/cpufreq.rst (kHz).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from amptalk.sensors.files import SensorFault, exists, garbled, listing, read_number, read_text
from amptalk.sensors.hwmon import chips, text_or_nothing
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
_BITS = (
    (VOLTAGE, 0, "under-voltage"),
    (FREQUENCY, 1, "ARM frequency capped"),
    (THERMAL, 2, "throttled"),
    (THERMAL, 3, "soft temperature limit"),
)
_COOLERS = (
    *("processor", "intel_powerclamp", "cpufreq-", "devfreq-"),
    *("thermal-cpufreq", "thermal-devfreq"),  # the names before Linux 5.12
)


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

    def discover(self) -> None:
        """Look for the source anew."""

    def read(self) -> list[Finding]:
        """What it says now; at least one finding for each cause it is there for."""


def readers(roots: Roots) -> tuple[Reader, ...]:
    """All readers for a machine."""
    return (
        ProcessorCounters(roots), Firmware(roots), VoltageAlarm(roots),
        OverCurrent(roots), Coolers(roots), Frequencies(roots),
    )  # fmt: skip


def _told(cause: str, texts: list[str], fault: SensorFault | None, where: list[str]) -> Finding:
    """Sum up one source: seen, not there, or why it cannot be told."""
    if texts:
        return Finding(cause, seen=True, text=", ".join(texts))
    if fault is not None:
        return Finding(cause, seen=False, text=fault.reason)
    return Finding(cause, seen=False, text="" if where else "nothing here shows it")


class _Counting:
    """Counters that go up whenever a cause was active."""

    def __init__(self, roots: Roots) -> None:
        self._sys = roots.sys
        self._files: dict[str, tuple[str, str]] = {}
        self._last: dict[str, int] = {}

    def read(self) -> list[Finding]:
        """Compare each counter with its last reading; one that went back starts anew."""
        texts: dict[str, list[str]] = {THERMAL: [], POWER: []}
        paths: dict[str, list[str]] = {THERMAL: [], POWER: []}
        faults: dict[str, SensorFault] = {}
        for path, (cause, label) in self._files.items():
            paths.setdefault(cause, []).append(path)
            try:
                value = read_number(path)
            except SensorFault as fault:
                self._last.pop(path, None)
                faults[cause] = fault
                continue
            if path not in self._last:
                faults.setdefault(cause, SensorFault(f"{path} needs two readings"))
            more = value - self._last.get(path, value)
            self._last[path] = value
            if more > 0:
                events = "1 event" if more == 1 else f"{more} events"
                texts.setdefault(cause, []).append(f"{label}: {events}")
        return [
            _told(cause, texts.get(cause, []), faults.get(cause), paths.get(cause, []))
            for cause in dict.fromkeys((*texts, *paths))
        ]


class ProcessorCounters(_Counting):
    """Throttle counters of x86 processors."""

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

    def discover(self) -> None:
        """Find the counters."""
        self._files = {}
        for chip in chips(self._sys):
            if chip.name == "soctherm_oc":
                for file, cause in _EVENTS.items():
                    if exists(f"{chip.folder}/{file}"):
                        self._files[f"{chip.folder}/{file}"] = cause, file[:3]


class Firmware:
    """What the firmware of a Raspberry Pi says."""

    def __init__(self, roots: Roots) -> None:
        self._sys = roots.sys
        self._path = ""
        self._sticky = -1

    def discover(self) -> None:
        """Find the file: its folder has other names on other models."""
        self._path = ""
        platform = f"{self._sys}/devices/platform"
        for soc in listing(platform):
            if soc.startswith("soc"):
                for name in listing(f"{platform}/{soc}"):
                    path = f"{platform}/{soc}/{name}/get_throttled"
                    if name.endswith("firmware") and exists(path):
                        self._path = path

    def read(self) -> list[Finding]:
        """Bits that are set now, and those that were set since the last reading."""
        if not self._path:
            return []
        try:
            text = read_text(self._path)
            try:
                bits = int(text, 16)
            except ValueError:
                raise garbled(self._path, f"{text[:40]!r} is not hexadecimal") from None
        except SensorFault as fault:
            self._sticky = -1
            return [Finding(cause, seen=False, text=fault.reason) for cause, _, _ in _BITS]
        sticky = bits >> 16
        fresh = sticky & ~self._sticky if self._sticky >= 0 else 0
        self._sticky = sticky
        active = bits | fresh
        texts: dict[str, list[str]] = {cause: [] for cause, _, _ in _BITS}
        for cause, bit, label in _BITS:
            if active >> bit & 1:
                texts[cause].append(f"the firmware says {label}")
        return [_told(cause, texts[cause], None, [self._path]) for cause in texts]


class VoltageAlarm:
    """The alarm of the Raspberry Pi's kernel driver."""

    def __init__(self, roots: Roots) -> None:
        self._sys = roots.sys
        self._path = ""

    def discover(self) -> None:
        """Find the alarm."""
        found = [f"{c.folder}/in0_lcrit_alarm" for c in chips(self._sys) if c.name == "rpi_volt"]
        self._path = found[0] if found else ""

    def read(self) -> list[Finding]:
        """Whether the voltage was too low in the last 2 s."""
        if not self._path:
            return [Finding(VOLTAGE, seen=False, text="nothing here shows it")]
        try:
            low = read_number(self._path) != 0
        except SensorFault as fault:
            return [Finding(VOLTAGE, seen=False, text=fault.reason)]
        return [Finding(VOLTAGE, seen=low, text="rpi_volt raises its alarm" if low else "")]


class Coolers:
    """Cooling devices that slow the processor down; fans are none of them."""

    def __init__(self, roots: Roots) -> None:
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
        for folder, kind in self._devices.items():
            try:
                state = read_number(f"{folder}/cur_state")
            except SensorFault as error:
                fault = error
                continue
            if state > 0:  # idle powerclamp says -1 on older kernels
                most = text_or_nothing(f"{folder}/max_state")
                texts.append(f"{kind} cools in step {state} of {most}")
        return [_told(THERMAL, texts, fault, list(self._devices))]


class Frequencies:
    """Cores that may not reach their highest frequency."""

    def __init__(self, roots: Roots) -> None:
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
        for policy, most in self._policies.items():
            try:
                capped = read_number(f"{policy}/scaling_max_freq")
            except SensorFault as error:
                fault = error
                continue
            if 0 < capped < most:
                name = policy.rpartition("/")[2]
                texts.append(f"{name} may run at {capped // 1000} of {most // 1000} MHz")
        alike = {text.partition(" ")[2] for text in texts}
        if len(texts) > 1 and len(alike) == 1:
            texts = [f"{len(texts)} of {len(self._policies)} policies {alike.pop()}"]
        return [_told(FREQUENCY, texts, fault, list(self._policies))]
