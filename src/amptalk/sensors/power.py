"""Power of the device, at the 5 s cadence, from the first of these that gives a value.

1. A discharging battery: the whole device (`power_now`, or current times voltage).
2. A meter at the input of the board: an ACPI power meter, or a rail of an INA3221 labelled
   `VDD_IN` or `POM_5V_IN` (voltage times current).
3. RAPL energy counters, differentiated: `psys` (the platform), else the sum of the packages,
   which is the processor alone. `core`, `uncore` and `dram` are never added, nor the duplicate
   `intel-rapl-mmio`. A wrap is accepted only when the power it implies is plausible; a failed
   read is missing, never 0.

Which one it was is in the provenance. GPU power is not the device's and is not used here.

Formats: Documentation/ABI/testing/sysfs-class-power, Documentation/hwmon/sysfs-interface.rst,
Documentation/power/powercap/powercap.rst (µW, µA, µV, mV, mA, µJ).
"""

from __future__ import annotations

import errno

from amptalk.model.sample import Method, Provenance
from amptalk.sensors.files import SensorFault, exists, listing, read_number, read_text
from amptalk.sensors.report import NAN, Notes, Source, SourceInfo
from amptalk.sensors.roots import Roots

_INPUT_RAILS = {"VDD_IN", "POM_5V_IN"}
_PLAUSIBLE_WATTS = 2000.0
_SHORTEST = 0.25

Reading = tuple[float, Method, str]


class PowerSource(Source):
    """Finds and reads the power; `value` is the last reading in watts."""

    name = "device power"
    fields = ("device.power_watts",)

    def __init__(self, roots: Roots, notes: Notes) -> None:
        super().__init__(notes)
        self._sys = roots.sys
        self._batteries: list[str] = []
        self._meters: list[tuple[str, ...]] = []
        self._zones: list[_Zone] = []
        self.value = NAN
        self.discover()

    def discover(self) -> None:
        """Look for batteries, meters and counters anew (at start and every 60 s)."""
        self._batteries = _batteries(f"{self._sys}/class/power_supply")
        self._meters = _meters(f"{self._sys}/class/hwmon")
        zones = _rapl_zones(f"{self._sys}/class/powercap")
        if zones != {zone.name: zone.folder for zone in self._zones}:
            self._zones = [_Zone(name, folder) for name, folder in zones.items()]
        self._absent = not (self._batteries or self._meters or self._zones)
        if self._absent:
            self.value = NAN
            self.lose(self._nothing())

    def _nothing(self) -> SensorFault:
        return SensorFault(
            f"no power sensor: no discharging battery, input meter or RAPL counter in {self._sys}"
        )

    def renew(self, now: float) -> None:
        """Read the power from the first source that gives it."""
        if self._absent:
            return
        fault = self._nothing()
        for reader in (self._battery, self._meter, self._rapl):
            try:
                reading = reader(now)
            except SensorFault as error:
                fault = error
                continue
            if reading is not None:
                self.value = reading[0]
                self.gain()
                self._notes.origin(self.fields, Provenance(reading[1], reading[2], now))
                return
        self.value = NAN
        self.lose(fault)

    def _battery(self, _now: float) -> Reading | None:
        watts, method, used = 0.0, "measured", []
        for folder in self._batteries:
            if read_text(f"{folder}/status") != "Discharging":
                continue
            if exists(f"{folder}/power_now"):
                watts += abs(read_number(f"{folder}/power_now")) / 1e6
            else:
                current = abs(read_number(f"{folder}/current_now"))
                watts += current * read_number(f"{folder}/voltage_now") / 1e12
                method = "derived"
            used.append(folder)
        if watts <= 0.0:
            return None
        kept: Method = "measured" if method == "measured" else "derived"
        return watts, kept, f"discharging battery: {', '.join(used)}"

    def _meter(self, _now: float) -> Reading | None:
        for paths in self._meters:
            if len(paths) == 1:
                return read_number(paths[0]) / 1e6, "measured", f"power meter: {paths[0]}"
            watts = read_number(paths[0]) * read_number(paths[1]) / 1e6
            return watts, "derived", f"input rail: {paths[0]} x {paths[1]}"
        return None

    def _rapl(self, now: float) -> Reading | None:
        if not self._zones:
            return None
        try:
            readings = [zone.watts(now) for zone in self._zones]
        except SensorFault as fault:
            for zone in self._zones:
                zone.forget()
            if fault.number in {errno.EACCES, errno.EPERM}:
                remedy = f"sudo chmod a+r {self._sys}/class/powercap/intel-rapl:*/energy_uj"
                raise SensorFault(fault.reason, f"{remedy} (until the next boot)") from None
            raise
        if any(watts is None for watts in readings):
            raise SensorFault("RAPL needs two plausible readings to tell power from energy")
        names = " + ".join(zone.name for zone in self._zones)
        covers = "platform" if names == "psys" else "processor only"
        return sum(watts or 0.0 for watts in readings), "derived", f"RAPL {names}: {covers}"

    def info(self) -> SourceInfo:
        """Name the sensor, for the report."""
        paths = [f"{folder}/power_now" for folder in self._batteries]
        paths += [path for meter in self._meters for path in meter]
        paths += [f"{zone.folder}/energy_uj" for zone in self._zones]
        source = ", ".join(paths) or f"power_supply, hwmon and powercap in {self._sys}/class"
        return SourceInfo(self.name, self.fields, source, tuple(paths), seldom=True)


class _Zone:
    """One RAPL energy counter."""

    def __init__(self, name: str, folder: str) -> None:
        self.name = name
        self.folder = folder
        self._last: tuple[float, int] | None = None

    def forget(self) -> None:
        """Start anew: after a failed read the next difference would cover an unknown time."""
        self._last = None

    def watts(self, now: float) -> float | None:
        """Power since the last reading; `None` when that cannot be told."""
        energy = read_number(f"{self.folder}/energy_uj")
        if self._last is None or energy < 0:
            self._last = now, energy
            return None
        elapsed, used = now - self._last[0], energy - self._last[1]
        if elapsed < _SHORTEST:
            return None
        self._last = now, energy
        if used < 0:  # wrapped, or reset by a suspend: only a wrap implies plausible power
            used += read_number(f"{self.folder}/max_energy_range_uj")
        watts = used / 1e6 / elapsed
        return watts if 0.0 <= watts <= _PLAUSIBLE_WATTS else None


def _batteries(folder: str) -> list[str]:
    """Batteries that feed the device; those of mice and keyboards have the scope `Device`."""
    found = []
    for name in listing(folder):
        path = f"{folder}/{name}"
        if _text(f"{path}/type") == "Battery" and _text(f"{path}/scope") != "Device":
            found.append(path)
    return found


def _meters(folder: str) -> list[tuple[str, ...]]:
    """Files of meters at the input: one in µW, or a pair in mV and mA."""
    found: list[tuple[str, ...]] = []
    for chip in listing(folder):
        # An ACPI power meter has its files in device/ and no name of its own.
        average = f"{folder}/{chip}/device/power1_average"
        if not exists(f"{folder}/{chip}/name") and exists(average):
            found.append((average,))
        for entry in listing(f"{folder}/{chip}"):
            if entry.startswith("in") and entry.endswith("_label"):
                number = entry[2:-6]
                if _text(f"{folder}/{chip}/{entry}") in _INPUT_RAILS:
                    pair = (f"in{number}_input", f"curr{number}_input")
                    found.append(tuple(f"{folder}/{chip}/{name}" for name in pair))
    return found


def _rapl_zones(folder: str) -> dict[str, str]:
    """Name and folder of the platform's zone, else of one zone for each package."""
    names: dict[str, str] = {}
    for zone in listing(folder):
        if zone.startswith("intel-rapl:") and zone.count(":") == 1:
            name = _text(f"{folder}/{zone}/name")
            if name == "psys" or name.startswith("package-"):
                names.setdefault(name, f"{folder}/{zone}")
    return {"psys": names["psys"]} if "psys" in names else names


def _text(path: str) -> str:
    try:
        return read_text(path)
    except SensorFault:
        return ""
