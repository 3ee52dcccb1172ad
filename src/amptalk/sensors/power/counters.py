"""Energy counters of the kernel in µJ: unwrapped, added up, and differentiated to a power.

A counter that went back has wrapped or was reset (by a suspend, or its driver loaded anew).
It counts as a wrap only when the power this implies is plausible, and only when no second wrap
can have happened since the last reading; otherwise the energy of that time is unknown. A read
that fails changes nothing: the next one covers the whole time since the last that did not. A
counter whose device was gone starts anew when it is back; the time between is unknown.

Format: Documentation/power/powercap/powercap.rst.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from itertools import count
from math import isnan, nan

from amptalk.sensors.files import SensorFault, read_once, whole_number
from amptalk.sensors.hwmon import GONE
from amptalk.sensors.power.meter import NotYetError

PLAUSIBLE_WATTS = 2000.0
"""No processor or platform with such a counter takes more."""
SHORTEST = 0.25
"""Seconds over which a power is told; counters move in steps of about a millisecond."""
LONGEST = 15.0
"""Seconds after which two readings do not tell the power now: three of the cadence."""
_JITTER = 0.01
"""Seconds by which the times of reading and counting may differ."""
_PATIENCE = 0.25
"""Seconds to wait for another thread that is reading the same counters."""
_TOO_LONG = 1.0
"""Seconds of a reading after which it cannot be told which moment it is of."""
serials = count(1)
"""Numbers for sums of energy, so that two of them are never mistaken for one."""


def difference(
    old: int, new: int, elapsed: float, span: int = 0, wrap_watts: float = PLAUSIBLE_WATTS
) -> float | None:
    """Joules between two readings in µJ that lie `elapsed` seconds apart; `None` if unknown.

    `span` is where the counter wraps, 0 for one that does not; `wrap_watts` the most that a
    wrap may imply.
    """
    used, most = new - old, PLAUSIBLE_WATTS
    if span and elapsed * wrap_watts * 1e6 >= span:
        return None  # it may have wrapped more than once
    if used < 0:
        used += span
        most = wrap_watts
    return used / 1e6 if 0 <= used <= most * 1e6 * (elapsed + _JITTER) else None


class Counter:
    """One counter file; `check` raises `SensorFault` when it has become another device's."""

    __slots__ = ("check", "path", "span", "wrap_watts")

    def __init__(
        self,
        path: str,
        span: int = 0,
        wrap_watts: float = PLAUSIBLE_WATTS,
        check: Callable[[], None] | None = None,
    ) -> None:
        self.path = path
        self.span = span
        self.wrap_watts = wrap_watts
        self.check = check

    def read(self) -> int:
        """Microjoules. Raises `SensorFault`."""
        if self.check is not None:
            self.check()
        return whole_number(read_once(self.path), self.path)


class CounterGroup:
    """Counters that belong together, such as one for each package; any thread may advance it."""

    def __init__(self, counters: Mapping[str, Counter]) -> None:
        self.counters = dict(counters)
        """By a name that stays when their numbers move."""
        self.serial = next(serials)
        self.joules = 0.0
        """Energy since the first reading, as far as it is known."""
        self.unknown = 0.0
        """Seconds since then whose energy is not in `joules`."""
        self._at = nan
        self._values: tuple[int, ...] = ()
        self._power = nan
        self._power_from = (nan, 0.0, 0.0)
        self._lock = threading.Lock()

    def advance(self, clock: Callable[[], float]) -> float:
        """Read the counters; when that was. Raises `SensorFault`, and then takes from none."""
        if not self._lock.acquire(timeout=_PATIENCE):
            raise SensorFault(f"{self._path()} is being read by another thread and does not answer")
        try:
            return self._advance(clock)
        except SensorFault as fault:
            if fault.number in GONE:
                self._values = ()
            raise
        finally:
            self._lock.release()

    def _advance(self, clock: Callable[[], float]) -> float:
        now = clock()
        values = tuple([counter.read() for counter in self.counters.values()])
        if clock() - now > _TOO_LONG:
            raise SensorFault(f"{self._path()} took more than {_TOO_LONG:g} s to read")
        elapsed = 0.0 if isnan(self._at) else max(0.0, now - self._at)
        self._at = now if isnan(self._at) else max(now, self._at)
        before, self._values = self._values, values
        if not before:
            self.unknown += elapsed
            return now
        joules = 0.0
        for counter, old, new in zip(self.counters.values(), before, values, strict=True):
            step = difference(old, new, elapsed, counter.span, counter.wrap_watts)
            if step is None:
                self.unknown += max(elapsed, _JITTER)
                return now
            joules += step
        self.joules += joules
        return now

    def replace(self, counters: Mapping[str, Counter]) -> None:
        """Go on with the same devices under other numbers: their counters start anew."""
        with self._lock:
            self.counters = dict(counters)
            self._values = ()

    def watts(self, clock: Callable[[], float]) -> float:
        """Mean power since it was last told, at least 0.25 s ago. Raises `SensorFault`."""
        now = self.advance(clock)
        at, joules, unknown = self._power_from
        if isnan(at):
            self._power_from = now, self.joules, self.unknown
        elif now - at >= SHORTEST:
            known = self.unknown == unknown and now - at <= LONGEST
            self._power = (self.joules - joules) / (now - at) if known else nan
            self._power_from = now, self.joules, self.unknown
        if isnan(self._power):
            raise NotYetError(
                f"{self._path()} needs two plausible readings to tell power from energy"
            )
        return self._power

    def _path(self) -> str:
        return next(iter(self.counters.values())).path


def renewed(group: CounterGroup | None, counters: Mapping[str, Counter]) -> CounterGroup | None:
    """The group for what was found: the same one as long as it is of the same devices.

    One whose devices are gone is kept, for they may be back; reading it says that they are gone.
    """
    if not counters:
        return group
    if group is None or list(group.counters) != list(counters):
        return CounterGroup(counters)
    if [one.path for one in group.counters.values()] != [one.path for one in counters.values()]:
        group.replace(counters)
    return group
