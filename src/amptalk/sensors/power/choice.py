"""Which source is the power of the device, and which one counts its energy.

Power is that of the whole device where something measures it, in this order: the input of the
board (INA3221), the ACPI power meter, discharging batteries, the platform's RAPL counter, a
hwmon chip that says so. Else it is the processor alone: RAPL packages, other processor meters,
at last a board's only meter. Provenance says which one, and what it covers. A source that fails
is missing for three readings before the next one may stand in for it, because that one covers
something else.

Energy is that of counters where there are any, since they miss nothing between two readings;
else the trapezoid of power. So the two may cover different things, and each says what.

Read at the 5 s cadence, and at each mark of a measurement from its own thread: under a lock.
"""

from __future__ import annotations

import threading

from amptalk.model.energy import EnergyMark, no_energy
from amptalk.model.sample import Provenance
from amptalk.sensors.files import SensorFault
from amptalk.sensors.power.acpi import AcpiMeter
from amptalk.sensors.power.batteries import Batteries
from amptalk.sensors.power.counters import CounterGroup
from amptalk.sensors.power.hwmon_power import HwmonPower, SocketEnergy, raspberry_pi_5
from amptalk.sensors.power.ina3221 import Ina3221
from amptalk.sensors.power.meter import Meter, Reading
from amptalk.sensors.power.rapl import Packages, Platform
from amptalk.sensors.power.trapezoid import Trapezoid
from amptalk.sensors.report import NAN, Notes, Source, SourceInfo
from amptalk.sensors.roots import Roots

_PATIENCE = 3
_FRESH = 0.25
_MOST = 20_000.0


class PowerSource(Source):
    """Finds and reads the power; `value` is the last reading in watts."""

    name = "device power"
    fields = ("device.power_watts",)

    def __init__(self, roots: Roots, notes: Notes) -> None:
        super().__init__(notes)
        self._roots = roots
        self._lock = threading.Lock()
        self._packages = Packages(roots)
        self._platform = Platform(roots, self._packages)
        self._sockets = SocketEnergy(roots)
        self._meters: tuple[Meter, ...] = (
            Ina3221(roots), AcpiMeter(roots), Batteries(roots), self._platform,
            HwmonPower(roots, "device"), self._packages, self._sockets,
            HwmonPower(roots, "processor"), HwmonPower(roots, "board"),
        )  # fmt: skip
        self._chosen: Meter | None = None
        self._faults = 0
        self._trapezoid = Trapezoid("")
        self._read_at = NAN
        self.value = NAN

    def discover(self) -> None:
        """Look for every source anew (every 60 s)."""
        with self._lock:
            for meter in self._meters:
                meter.discover()

    def renew(self, now: float) -> None:
        """Read the power from the first source that gives it."""
        with self._lock:
            self._keep_counting(now)
            try:
                reading = self._read(now)
            except SensorFault as fault:
                self.value = NAN
                self.lose(fault)
                return
        self.value = reading.watts
        self.gain()
        self._notes.origin(self.fields, Provenance(reading.method, reading.source, now))

    def _read(self, now: float) -> Reading:
        """The best reading there is. Raises `SensorFault` with why there is none."""
        fault = None
        for meter in self._meters:
            try:
                reading = meter.read(now)
                if reading is not None and not 0.0 < reading.watts <= _MOST:
                    raise SensorFault(f"{reading.source}: {reading.watts:g} W cannot be")  # noqa: TRY301
            except SensorFault as error:
                fault = fault or error
                if meter is self._chosen and self._faults < _PATIENCE:
                    self._faults += 1
                    raise
                continue
            if reading is not None:
                self._chosen, self._faults = meter, 0
                self._sum_up(now, reading)
                return reading
        self._chosen = None
        raise fault or raspberry_pi_5(self._roots) or self._nothing()

    def _nothing(self) -> SensorFault:
        return SensorFault(
            "no power sensor: no INA3221, ACPI power meter, discharging battery, RAPL counter or "
            f"hwmon power in {self._roots.sys}"
        )

    def _sum_up(self, now: float, reading: Reading) -> None:
        if self._trapezoid.source != reading.source:
            self._trapezoid = Trapezoid(reading.source)
        self._trapezoid.add(now, reading.watts)
        self._read_at = now

    def _keep_counting(self, now: float) -> None:
        """Read the energy counter even while another source gives the power: it may wrap."""
        group, _source = self._counting()
        if group is not None:
            try:
                group.advance(now)
            except SensorFault:
                return  # the time stays owed; a mark says why

    def _counting(self) -> tuple[CounterGroup | None, str]:
        """The counters that energy is taken from, and what they cover."""
        if self._platform.group is not None and self._platform.believed:
            return self._platform.group, self._platform.source
        if self._packages.group is not None:
            return self._packages.group, self._packages.source
        return self._sockets.group, self._sockets.source

    def energy(self, now: float) -> EnergyMark:
        """Tell the energy up to now; from any thread, at the cost of one reading."""
        with self._lock:
            group, source = self._counting()
            fault = None
            if group is not None:
                try:
                    group.advance(now)
                except SensorFault as error:
                    fault = error
                else:
                    return EnergyMark(
                        now, group.joules, group.unknown, "derived", source, group.serial, ""
                    )
            try:
                total = self._up_to(now)
            except SensorFault as error:
                return no_energy(now, (fault or error).reason)
            source = f"trapezoid of power samples, {total.source}"
            return EnergyMark(now, total.joules, total.unknown, "derived", source, total.serial, "")

    def _up_to(self, now: float) -> Trapezoid:
        """Bring the trapezoid up to now: by a reading, or by the last one when that is fresh."""
        total = self._trapezoid
        if now - self._read_at < _FRESH:
            total.add(now, total.watts)
        else:
            self._read(now)
        return self._trapezoid

    def info(self) -> SourceInfo:
        """Name the sensor, for the report."""
        paths = tuple(path for meter in self._meters for path in meter.paths())
        source = f"power_supply, hwmon, i2c and powercap in {self._roots.sys}"
        chosen = self._chosen.paths() if self._chosen is not None else ()
        return SourceInfo(self.name, self.fields, ", ".join(chosen) or source, paths, seldom=True)

    def close(self) -> None:
        """Close the counters; the next reading opens them again."""
        for meter in self._meters:
            meter.close()
