"""Which source is the power of the device, and which one counts its energy.

Power is that of the whole device where something measures it, in this order: the input of the
board (INA3221), the ACPI power meter, discharging batteries, the platform's RAPL counter, a
hwmon chip that says so; then the rails of a Raspberry Pi 5, an estimate. Else it is the processor
alone: RAPL packages, other processor meters, at last a board's only meter. Provenance says which
one, and what it covers. A source that fails, hangs or is gone is missing for three readings
before the next one may stand in for it, because that one covers something else. What is gone is
looked for at once: it may be back under another number.

Energy is that of counters where there are any, since they miss nothing between two readings;
else the trapezoid of power. So the two may cover different things, and each says what.

Read on the slow thread at the 5 s cadence. At each mark of a measurement, from its own thread,
counters are read at once, for they are registers of the processor; a meter on a bus is read on
the slow thread, waited for at most 0.25 s, and not again before 50 times what it took.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from amptalk.clock import Clock
from amptalk.model.energy import EnergyMark, no_energy
from amptalk.model.sample import Provenance
from amptalk.sensors.files import SensorFault
from amptalk.sensors.hwmon import GONE
from amptalk.sensors.in_parts import Ask, InParts
from amptalk.sensors.power.acpi import AcpiMeter
from amptalk.sensors.power.batteries import Batteries
from amptalk.sensors.power.counters import CounterGroup
from amptalk.sensors.power.hwmon_power import HwmonPower, SocketEnergy
from amptalk.sensors.power.ina3221 import Ina3221
from amptalk.sensors.power.meter import Meter, NotYetError, Reading
from amptalk.sensors.power.pmic import Pmic
from amptalk.sensors.power.rapl import Packages, Platform
from amptalk.sensors.power.trapezoid import Trapezoid
from amptalk.sensors.report import NAN, Notes, Source, SourceInfo, nothing
from amptalk.sensors.roots import Roots
from amptalk.sensors.slow import SlowReader

_PATIENCE = 3
_FRESH = 0.25
_WAIT = 0.25
_PAUSE = 50.0
_SOON = 0.5
_FIRST_WAIT = 0.005
_MOST = 20_000.0


class _Seen(NamedTuple):
    """The power as one pass found it."""

    reading: Reading
    at: float
    silent: tuple[str, ...]
    """Sources that count before it and do not answer."""


class PowerSource(Source):
    """Finds and reads the power; `value` is the last reading in watts."""

    name = "device power"
    fields = ("device.power_watts",)

    def __init__(self, roots: Roots, notes: Notes, clock: Clock, slow: SlowReader) -> None:
        super().__init__(notes)
        self._roots = roots
        self._clock = clock
        self._slow = slow
        self._packages = Packages(roots)
        self._platform = Platform(roots, self._packages)
        self._sockets = SocketEnergy(roots)
        self._meters: tuple[Meter, ...] = (
            Ina3221(roots), AcpiMeter(roots), Batteries(roots), self._platform,
            HwmonPower(roots, "device"), Pmic(roots), self._packages, self._sockets,
            HwmonPower(roots, "processor"), HwmonPower(roots, "board"),
        )  # fmt: skip
        self._search_due = True
        self._chosen: Meter | None = None
        self._faults = 0
        self._gone: SensorFault | None = None
        """That the chosen one is gone, while it is waited for."""
        self._stays_gone = self._idle = False
        self._fault = SensorFault("the power has not been read yet")
        self._lock = threading.Lock()
        """For the trapezoid; never held while a sensor is read."""
        self._trapezoid = Trapezoid("")
        self._took = 0.0
        self._read_once = threading.Event()
        self._may_hurry = True
        self.value = NAN
        self.changed: Callable[[], None] = nothing
        """Called when `value` has changed."""
        self.lose(self._fault)
        self._parts = InParts(slow, self.name, self._read, self._take, self._miss)

    def discover(self) -> None:
        """Look for every source anew, and read (every 60 s)."""
        self._search_due = True
        self._parts.hurry()

    def _read(self, ask: Ask) -> _Seen | SensorFault:
        """Do one pass, on the slow thread."""
        if self._search_due or self._gone is not None:
            self._search_due = False
            self._search(ask)
        seen, gone = self._first(ask)
        if gone and not self._stays_gone:
            self._search(ask)
            seen, gone = self._first(ask, again=True)
        self._stays_gone = gone
        if isinstance(seen, _Seen):
            self._sum_up(seen.at, seen.reading)
        self._keep_counting(ask)
        self._idle = self._gone is None and not any(meter.paths() for meter in self._meters)
        self._read_once.set()
        return seen

    def _search(self, ask: Ask) -> None:
        for meter in self._meters:
            with suppress(SensorFault):
                ask(meter.name, meter.discover)

    def _first(self, ask: Ask, *, again: bool = False) -> tuple[_Seen | SensorFault, bool]:
        """The best reading there is, or why there is none; and whether a source was gone."""
        first, gone = None, False
        silent: list[str] = []
        for meter in self._meters:
            fault, reading = None, None
            at = self._clock.monotonic()
            try:
                reading = ask(meter.name, lambda one=meter: _plausible(one, self._clock))  # type: ignore[misc]
            except SensorFault as error:
                fault = error
                if error.number in GONE:
                    gone = True
                    self._gone = error if meter is self._chosen else self._gone
                if meter.name in self._parts.apart:
                    silent.append(meter.name)
            if reading is not None:
                self._chosen, self._faults, self._gone = meter, 0, None
                self._took = self._clock.monotonic() - at
                return _Seen(reading, at, tuple(silent)), gone
            if meter is self._chosen:
                fault = fault or self._gone
            if fault is None:
                continue
            first = first or fault
            if meter is self._chosen and self._faults < _PATIENCE:
                self._faults += not again
                return fault, gone
        self._chosen = self._gone = None
        nothing_here = SensorFault(
            "no power sensor: no INA3221, ACPI power meter, discharging battery, RAPL counter or "
            f"hwmon power in {self._roots.sys}"
        )
        return first or nothing_here, gone

    def _sum_up(self, at: float, reading: Reading) -> None:
        with self._lock:
            if self._trapezoid.source != reading.source:
                self._trapezoid = Trapezoid(reading.source)
            self._trapezoid.add(at, reading.watts)

    def _keep_counting(self, ask: Ask) -> None:
        """Read the energy counter even while another source gives the power: it may wrap."""
        meter, group, _source = self._counting()
        if group is not None and meter is not self._chosen:
            with suppress(SensorFault):  # the time stays owed; a mark says why
                ask(meter.name, lambda: group.advance(self._clock.monotonic))

    def _counting(self) -> tuple[Meter, CounterGroup | None, str]:
        """The counters that energy is taken from, and what they cover."""
        if self._platform.group is not None and self._platform.believed:
            return self._platform, self._platform.group, self._platform.source
        if self._packages.group is not None:
            return self._packages, self._packages.group, self._packages.source
        return self._sockets, self._sockets.group, self._sockets.source

    def _take(self, seen: _Seen | SensorFault, _at: float) -> None:
        soon = isinstance(seen, NotYetError) and self._may_hurry
        self._may_hurry = self._may_hurry and isinstance(seen, NotYetError) and not soon
        self._parts.pace(idle=self._idle)
        if soon:
            self._parts.every = _SOON
        if isinstance(seen, SensorFault):
            self._miss(seen)
            return
        self.value = seen.reading.watts
        self.gain()
        silent = f"; {' and '.join(seen.silent)} does not answer" if seen.silent else ""
        source = f"{seen.reading.source}{silent}"
        self._notes.origin(self.fields, Provenance(seen.reading.method, source, seen.at))
        self.changed()

    def _miss(self, fault: SensorFault) -> None:
        self.value = NAN
        self._fault = fault
        self.lose(fault)
        self.changed()

    def energy(self, now: float) -> EnergyMark:
        """Tell the energy up to now; from any thread, at the cost of one reading.

        Waits for the very first reading for at most 5 ms.
        """
        self._read_once.wait(_FIRST_WAIT)
        meter, group, source = self._counting()
        fault = self._parts.apart.get(meter.name)
        if group is not None and fault is None:
            try:
                group.advance(self._clock.monotonic)
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
        meter = self._chosen
        if meter is None or meter.name in self._parts.apart:
            fault = None if meter is None else self._parts.apart.get(meter.name)
            raise fault or self._fault
        with self._lock:
            total = self._trapezoid
            if now - total.read_at < max(_FRESH, _PAUSE * self._took):
                total.add(now, total.watts, read=False)
                return total
        self._sum_up(now, self._ask_now(meter))
        return self._trapezoid

    def _ask_now(self, meter: Meter) -> Reading:
        """Read a meter for a mark. Raises `SensorFault`."""
        found: list[Reading | SensorFault | None] = []

        def read() -> None:
            try:
                found.append(_plausible(meter, self._clock))
            except SensorFault as fault:
                found.append(fault)

        answered = self._slow.ask(read, _WAIT)
        reading = found[0] if answered and found else None
        if isinstance(reading, Reading):
            return reading
        if isinstance(reading, SensorFault):
            raise reading
        why = "gives no power at the moment" if answered else f"did not answer within {_WAIT:g} s"
        raise SensorFault(f"{meter.name} {why}")

    def info(self) -> SourceInfo:
        """Name the sensor, for the report."""
        source = f"power_supply, hwmon, i2c and powercap in {self._roots.sys}"
        chosen = self._chosen.paths() if self._chosen is not None else ()
        return SourceInfo(
            self.name,
            self.fields,
            ", ".join(chosen) or source,
            seldom=True,
            cost_us=self._parts.cost_us,
        )


def _plausible(meter: Meter, clock: Clock) -> Reading | None:
    reading = meter.read(clock.monotonic)
    if reading is not None and not 0.0 < reading.watts <= _MOST:
        raise SensorFault(f"{reading.source}: {reading.watts:g} W cannot be")
    return reading
