"""THE temperature of the device, read on the slow thread at the 5 s cadence.

One sensor is chosen, of the first kind in this order that gives a value:

1. the hottest point of the whole processor: `x86_pkg_temp`, a Jetson's `tj-thermal`;
2. the processor's own chip (`coretemp` package, `k10temp` Tdie or Tctl, `cpu_thermal`);
3. a thermal zone of the processor or system on chip (`cpu-thermal`, `soc-thermal`);
4. another thermal zone (`acpitz`); 5. another chip.

Of several alike, such as two packages, the hottest. `AMPTALK_TEMPERATURE` chooses another one
by name or label. Batteries, drives, GPUs, wireless parts, sensors on 1-Wire and zones known to
show a constant (`PMIC-Die`, `INT3400`) count only when chosen so.

A sensor that is off (EAGAIN), hangs or says what cannot be is passed over, and the next one
counts; where it comes from says so. One that is gone is looked for at once: it may be back under
another number.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from amptalk.clock import Clock
from amptalk.model.sample import Provenance
from amptalk.sensors.files import SensorFault
from amptalk.sensors.hwmon import GONE
from amptalk.sensors.in_parts import Ask, InParts
from amptalk.sensors.report import NAN, Notes, Source, SourceInfo, nothing
from amptalk.sensors.roots import Roots
from amptalk.sensors.slow import SlowReader
from amptalk.sensors.thermometers import NEVER, Thermometer, thermometers

CHOICE = "AMPTALK_TEMPERATURE"
_AT_MOST = 32
_SEARCH = "looking for sensors"


class _Seen(NamedTuple):
    """The temperature as one pass found it."""

    sensor: Thermometer
    celsius: float
    at: float
    silent: tuple[str, ...]
    """Sensors that count before it and do not answer."""


class TemperatureSource(Source):
    """Chooses and reads the temperature; `value` is the last reading in °C."""

    name = "device temperature"
    fields = ("device.temperature_celsius",)

    def __init__(self, roots: Roots, notes: Notes, clock: Clock, slow: SlowReader) -> None:
        super().__init__(notes)
        self._roots = roots
        self._clock = clock
        self._sensors: list[Thermometer] = []
        self._others: tuple[str, ...] = ()
        self._unknown: SensorFault | None = None
        self._seen: _Seen | None = None
        self._search_due = True
        self._stays_gone = False
        self._lost_all = False
        """True while there are no sensors and there were some."""
        self.value = NAN
        self.changed: Callable[[], None] = nothing
        """Called when `value` has changed."""
        self.lose(SensorFault("the temperature has not been read yet"))
        self._parts = InParts(slow, self.name, self._read, self._take, self._miss)

    def discover(self) -> None:
        """Look for sensors anew, and read (every 60 s)."""
        self._search_due = True
        self._parts.hurry()

    def _read(self, ask: Ask) -> _Seen | SensorFault:
        """Do one pass, on the slow thread."""
        if self._search_due or self._lost_all:
            self._search_due = False
            self._search(ask)
        seen, gone = self._hottest(ask)
        if gone and not self._stays_gone:
            self._search(ask)
            seen, gone = self._hottest(ask)
        self._stays_gone = gone
        if isinstance(seen, SensorFault):
            return seen
        if seen.sensor.limits is None:
            with suppress(SensorFault):
                ask(f"limits of {seen.sensor.key}", seen.sensor.read_limits)
        return seen

    def _search(self, ask: Ask) -> None:
        """Find sensors; limits of known ones are kept."""
        known = {one.key: one.limits for one in self._sensors}
        try:
            found = ask(_SEARCH, lambda: thermometers(self._roots))
        except SensorFault:
            self._search_due = True
            return
        for sensor in found:
            sensor.limits = known.get(sensor.key)
        self._sensors = self._wanted(found)[:_AT_MOST]
        self._lost_all = not self._sensors and (bool(known) or self._lost_all)
        self._others = tuple(dict.fromkeys(one.label for one in found))

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

    def _hottest(self, ask: Ask) -> tuple[_Seen | SensorFault, bool]:
        """The hottest of the first rank that has a value, and whether a sensor was gone."""
        best: _Seen | None = None
        fault, gone = self._unknown, False
        silent: list[str] = []
        for sensor in self._sensors:
            if best is not None and sensor.rank > best.sensor.rank:
                break
            at = self._clock.monotonic()
            try:
                celsius = ask(sensor.key, sensor.celsius)
            except SensorFault as error:
                fault = fault or error
                gone = gone or error.number in GONE
                if sensor.key in self._parts.apart:
                    silent.append(sensor.key)
                continue
            if best is None or celsius > best.celsius:
                best = _Seen(sensor, celsius, at, ())
        if best is not None:
            return best._replace(silent=tuple(silent)), gone
        folders = f"{self._roots.sys}/class/thermal and {self._roots.sys}/class/hwmon"
        nowhere = self._parts.apart.get(_SEARCH, SensorFault(f"no temperature sensor in {folders}"))
        return fault or nowhere, gone

    def _take(self, seen: _Seen | SensorFault, _at: float) -> None:
        self._parts.pace(idle=not self._sensors and not self._lost_all and not self._search_due)
        if isinstance(seen, SensorFault):
            self._miss(seen)
            return
        self._seen = seen
        self.value = seen.celsius
        self.gain()
        limits = f" ({seen.sensor.limits})" if str(seen.sensor.limits or "") else ""
        silent = f"; {' and '.join(seen.silent)} does not answer" if seen.silent else ""
        source = f"{seen.sensor.key}{limits}{silent}"
        self._notes.origin(self.fields, Provenance("measured", source, seen.at))
        self.changed()

    def _miss(self, fault: SensorFault) -> None:
        self.value = NAN
        self._seen = None
        self.lose(fault)
        self.changed()

    def info(self) -> SourceInfo:
        """Name the sensor, for the report."""
        source = f"{self._roots.sys}/class/thermal, {self._roots.sys}/class/hwmon"
        if self._seen is not None:
            sensor = self._seen.sensor
            source = ", ".join(filter(None, (sensor.key, str(sensor.limits or ""), sensor.path)))
            others = [label for label in self._others if label != sensor.label]
            if others:
                source += f"; there are also {', '.join(others)} ({CHOICE} chooses)"
        return SourceInfo(
            self.name, self.fields, source, seldom=True, cost_us=self._parts.cost_us
        )  # fmt: skip
