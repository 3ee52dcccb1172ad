"""THE temperature of the device, at the 5 s cadence.

One sensor is chosen, of the first kind in this order that gives a value:

1. the hottest point of the whole processor: `x86_pkg_temp`, a Jetson's `tj-thermal`;
2. the processor's own chip (`coretemp` package, `k10temp` Tdie or Tctl, `cpu_thermal`);
3. a thermal zone of the processor or system on chip (`cpu-thermal`, `soc-thermal`);
4. another thermal zone (`acpitz`); 5. another chip.

Of several alike, such as two packages, the hottest. `AMPTALK_TEMPERATURE` chooses another one
by name or label. Batteries, drives, GPUs, wireless parts and zones known to show a constant
(`PMIC-Die`, `INT3400`) count only when chosen so. A sensor that is off (EAGAIN) or says what
cannot be is passed over for that reading.

A reading may be slow on a bus: such a sensor is read again after 500 times what it took, and
its last value carries its age until then. Sensors on 1-Wire, which take a second, are not read.
"""

from __future__ import annotations

import os
import time

from amptalk.model.sample import Provenance
from amptalk.sensors.files import SensorFault
from amptalk.sensors.report import NAN, Notes, Source, SourceInfo
from amptalk.sensors.roots import Roots
from amptalk.sensors.thermometers import NEVER, Thermometer, thermometers

CHOICE = "AMPTALK_TEMPERATURE"
_AT_MOST = 32
_BACK_OFF = 500.0


class TemperatureSource(Source):
    """Chooses and reads the temperature; `value` is the last reading in °C."""

    name = "device temperature"
    fields = ("device.temperature_celsius",)

    def __init__(self, roots: Roots, notes: Notes) -> None:
        super().__init__(notes)
        self._roots = roots
        self._sensors: list[Thermometer] = []
        self._unknown: SensorFault | None = None
        self._last: tuple[Thermometer, float, float] | None = None
        self.value = NAN
        self.discover()

    def discover(self) -> None:
        """Look for sensors anew (at start and every 60 s); back-offs of known ones go on."""
        known = {one.key: one for one in self._sensors}
        self.close()
        found = thermometers(self._roots)
        for sensor in found:
            if sensor.key in known:
                sensor.not_before = known[sensor.key].not_before
        self._sensors = self._wanted(found)[:_AT_MOST]
        if self._last is not None:
            key = self._last[0].key
            same = next((one for one in self._sensors if one.key == key), None)
            self._last = None if same is None else (same, *self._last[1:])

    def _wanted(self, found: list[Thermometer]) -> list[Thermometer]:
        """The sensor that was asked for by name, else all that may count."""
        self._unknown = None
        wish = os.environ.get(CHOICE, "").strip()
        if not wish:
            return [one for one in found if one.rank != NEVER]
        lowered = wish.lower()
        chosen = [
            one
            for one in found
            if lowered in {one.name.lower(), one.label.lower(), one.key.lower()}
        ]
        if not chosen:
            there = ", ".join(dict.fromkeys(one.label for one in found)) or "no sensor at all"
            self._unknown = SensorFault(
                f"{CHOICE}={wish!r} names no temperature sensor; there is {there}",
                f"set {CHOICE} to one of these, or unset it",
            )
        for one in chosen:
            one.rank = 0
        return chosen

    def renew(self, now: float) -> None:
        """Read the temperature; with nothing to read, nothing is done until `discover` finds it."""
        if self.lost and not self._sensors:
            return
        try:
            sensor, celsius, at = self._hottest(now)
        except SensorFault as fault:
            self.value = NAN
            self._last = None
            self.lose(self._unknown or fault)
            return
        self._last = sensor, celsius, at
        self.value = celsius
        self.gain()
        limits = f" ({sensor.limits})" if sensor.limits else ""
        self._notes.origin(self.fields, Provenance("measured", f"{sensor.key}{limits}", at))

    def _hottest(self, now: float) -> tuple[Thermometer, float, float]:
        """The hottest of the first rank that has a value, and when it was read."""
        best: tuple[Thermometer, float, float] | None = None
        fault = None
        for sensor in self._sensors:
            if best is not None and sensor.rank > best[0].rank:
                break
            if now < sensor.not_before:
                last = self._last
                if last is not None and last[0] is sensor and (best is None or last[1] > best[1]):
                    best = last
                continue
            begun = time.monotonic()
            try:
                celsius = sensor.celsius()
            except SensorFault as error:
                fault = error
                continue
            finally:
                sensor.not_before = now + _BACK_OFF * (time.monotonic() - begun)
            if best is None or celsius > best[1]:
                best = sensor, celsius, now
        if best is None:
            folders = f"{self._roots.sys}/class/thermal and {self._roots.sys}/class/hwmon"
            raise fault or SensorFault(f"no temperature sensor in {folders}")
        return best

    def info(self) -> SourceInfo:
        """Name the sensor, for the report."""
        paths = tuple(sensor.file.path for sensor in self._sensors)
        folders = f"{self._roots.sys}/class/thermal, {self._roots.sys}/class/hwmon"
        source = folders
        if self._last is not None:
            sensor = self._last[0]
            source = ", ".join(filter(None, (sensor.key, sensor.limits, sensor.file.path)))
        return SourceInfo(self.name, self.fields, source, paths, seldom=True)

    def close(self) -> None:
        """Close the files."""
        for sensor in self._sensors:
            sensor.file.close()
