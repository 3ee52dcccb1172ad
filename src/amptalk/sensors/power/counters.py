"""Energy counters of the kernel in µJ: unwrapped, added up, and differentiated to a power.

A counter that went back has wrapped or was reset (by a suspend, or its driver loaded anew).
It counts as a wrap only when the power this implies is plausible, and only when no second wrap
can have happened since the last reading; otherwise the energy of that time is unknown. A read
that fails changes nothing: the next one covers the whole time since the last that did not.

Format: Documentation/power/powercap/powercap.rst.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from math import isnan, nan

from amptalk.sensors.files import KeptFile, SensorFault, whole_number

PLAUSIBLE_WATTS = 2000.0
"""No processor or platform with such a counter takes more."""
SHORTEST = 0.25
"""Seconds over which a power is told; counters move in steps of about a millisecond."""
LONGEST = 15.0
"""Seconds after which two readings do not tell the power now: three of the cadence."""
_JITTER = 0.01
"""Seconds by which the times of reading and counting may differ."""
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
    """One counter file."""

    __slots__ = ("_file", "path", "span", "wrap_watts")

    def __init__(self, path: str, span: int = 0, wrap_watts: float = PLAUSIBLE_WATTS) -> None:
        self.path = path
        self.span = span
        self.wrap_watts = wrap_watts
        self._file = KeptFile(path, 64)

    def read(self) -> int:
        """Microjoules. Raises `SensorFault`."""
        return whole_number(self._file.read(), self.path)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class CounterGroup:
    """Counters that belong together, such as one for each package."""

    def __init__(self, counters: Sequence[Counter]) -> None:
        self.counters = tuple(counters)
        self.serial = next(serials)
        self.joules = 0.0
        """Energy since the first reading, as far as it is known."""
        self.unknown = 0.0
        """Seconds since then whose energy is not in `joules`."""
        self._at = nan
        self._values: tuple[int, ...] = ()
        self._power = nan
        self._power_from = (nan, 0.0, 0.0)

    def advance(self, now: float) -> None:
        """Read the counters. Raises `SensorFault`, and then takes nothing from any of them."""
        values = tuple([counter.read() for counter in self.counters])
        if not self._values:
            self._at, self._values = now, values
            self._power_from = now, 0.0, 0.0
            return
        elapsed = max(0.0, now - self._at)
        joules = 0.0
        for counter, old, new in zip(self.counters, self._values, values, strict=True):
            step = difference(old, new, elapsed, counter.span, counter.wrap_watts)
            if step is None:
                self.unknown += max(elapsed, _JITTER)
                joules = 0.0
                break
            joules += step
        self.joules += joules
        self._at, self._values = max(now, self._at), values

    def watts(self, now: float) -> float:
        """Mean power since it was last told, at least 0.25 s ago. Raises `SensorFault`."""
        self.advance(now)
        at, joules, unknown = self._power_from
        if now - at >= SHORTEST:
            known = self.unknown == unknown and now - at <= LONGEST
            self._power = (self.joules - joules) / (now - at) if known else nan
            self._power_from = now, self.joules, self.unknown
        if isnan(self._power):
            raise SensorFault(
                f"{self.counters[0].path} needs two plausible readings to tell power from energy"
            )
        return self._power

    def close(self) -> None:
        """Close the files."""
        for counter in self.counters:
            counter.close()
