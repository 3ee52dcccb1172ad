"""The device's decisive temperature, at the 5 s cadence.

One value is chosen by rule: the hottest of the processor's own sensors (zones and chips named
after a processor or system on chip); where there is none, the hottest other thermal zone; then
the hottest other chip. Batteries, drives, wireless parts and zones known to show a constant
(`PMIC-Die`, `INT3400`) are left out. A sensor that is off (EAGAIN) or shows something outside
-40 to 150 °C is passed over for that reading; the others count. Trip points and throttling
are not covered.

Formats: Documentation/ABI/testing/sysfs-class-thermal, Documentation/hwmon/sysfs-interface.rst
(m°C). A reading may be slow on a bus: it is repeated only after 500 times what it took.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from amptalk.model.sample import Provenance
from amptalk.sensors.files import KeptFile, SensorFault, listing, read_text
from amptalk.sensors.report import NAN, Notes, Source, SourceInfo
from amptalk.sensors.roots import Roots

_PROCESSOR = ("cpu", "soc", "pkg", "package", "tj-", "coretemp", "k10temp", "k8temp", "zenpower")
_NOT_THE_DEVICE = (
    *("pmic-die", "int3400", "bat", "nvme", "drivetemp", "iwl", "wifi", "phy", "ath", "mt79"),
    *("charger", "usb", "gpu", "nouveau", "radeon", "jc42", "spd5118"),
)
_WHOLE_CHIP = ("package", "physical", "tctl", "tdie")
_AT_MOST = 32
_LOWEST, _HIGHEST = -40_000, 150_000
_BACK_OFF = 500.0


class _Candidate(NamedTuple):
    rank: int
    """0 the processor, 1 another thermal zone, 2 another chip."""
    label: str
    file: KeptFile


class TemperatureSource(Source):
    """Chooses and reads the temperature; `value` is the last reading in °C."""

    name = "device temperature"
    fields = ("device.temperature_celsius",)

    def __init__(self, roots: Roots, notes: Notes) -> None:
        super().__init__(notes)
        self._sys = roots.sys
        self._candidates: list[_Candidate] = []
        self._not_before = -1e9
        self.value = NAN
        self.discover()

    def discover(self) -> None:
        """Look for sensors anew (at start and every 60 s)."""
        self.close()
        found = [*self._zones(), *self._chips()]
        found.sort(key=lambda candidate: candidate.rank)
        self._candidates = found[:_AT_MOST]
        if not found:
            self.value = NAN
            folders = f"{self._sys}/class/thermal and {self._sys}/class/hwmon"
            self.lose(SensorFault(f"no temperature sensor in {folders}"))

    def _zones(self) -> list[_Candidate]:
        folder = f"{self._sys}/class/thermal"
        found = []
        for name in listing(folder):
            if name.startswith("thermal_zone"):
                label = _text(f"{folder}/{name}/type") or name
                rank = _rank(label, 1)
                if rank is not None:
                    file = KeptFile(f"{folder}/{name}/temp", 64)
                    found.append(_Candidate(rank, label, file))
        return found

    def _chips(self) -> list[_Candidate]:
        folder = f"{self._sys}/class/hwmon"
        found = []
        for chip in listing(folder):
            name = _text(f"{folder}/{chip}/name")
            rank = _rank(name, 2) if name else None
            if rank is None:
                continue
            labels = {
                entry: _text(f"{folder}/{chip}/{entry[:-5]}label")
                for entry in listing(f"{folder}/{chip}")
                if entry.startswith("temp") and entry.endswith("_input")
            }
            # One value for the whole chip says more, and wakes fewer cores, than each core's.
            whole = [one for one in labels if labels[one].lower().startswith(_WHOLE_CHIP)]
            for one in whole or labels:
                label = f"{name} {labels[one]}".strip()
                found.append(_Candidate(rank, label, KeptFile(f"{folder}/{chip}/{one}", 64)))
        return found

    def renew(self, now: float) -> None:
        """Read the temperature, unless the last reading took so long that it must wait."""
        if not self._candidates or now < self._not_before:
            return
        begun = time.monotonic()
        hottest, reason = _hottest(self._candidates)
        self._not_before = now + _BACK_OFF * (time.monotonic() - begun)
        if hottest is None:
            self.value = NAN
            self.lose(SensorFault(reason))
            return
        self.value = hottest[0] / 1000.0
        self.gain()
        source = f"{hottest[1].label}: {hottest[1].file.path}"
        self._notes.origin(self.fields, Provenance("measured", source, now))

    def info(self) -> SourceInfo:
        """Name the sensor, for the report."""
        paths = tuple(candidate.file.path for candidate in self._candidates)
        folders = f"{self._sys}/class/thermal, {self._sys}/class/hwmon"
        return SourceInfo(self.name, self.fields, ", ".join(paths) or folders, paths, seldom=True)

    def close(self) -> None:
        """Close the files."""
        for candidate in self._candidates:
            candidate.file.close()


def _hottest(candidates: list[_Candidate]) -> tuple[tuple[int, _Candidate] | None, str]:
    """The hottest plausible of the best rank that has one, else why the last gave none."""
    best: tuple[int, _Candidate] | None = None
    reason = ""
    for candidate in candidates:
        if best is not None and candidate.rank > best[1].rank:
            break
        try:
            value = int(candidate.file.read())
        except (SensorFault, ValueError) as fault:
            reason = str(fault)
            continue
        if not _LOWEST <= value <= _HIGHEST:
            reason = f"{candidate.file.path} says {value / 1000:g} °C, which cannot be"
        elif best is None or value > best[0]:
            best = value, candidate
    return best, reason


def _rank(label: str, otherwise: int) -> int | None:
    """0 for a processor, `otherwise` for what is not known, `None` for another part."""
    lowered = label.lower()
    if lowered.startswith(_NOT_THE_DEVICE):
        return None
    return 0 if any(word in lowered for word in _PROCESSOR) else otherwise


def _text(path: str) -> str:
    try:
        return read_text(path)
    except SensorFault:
        return ""
