"""Energy from samples of power where there is no counter of energy: the trapezoid rule.

Between two samples the power is taken as a straight line. Samples too far apart say nothing
of the time between them: it is unknown, not interpolated.
"""

from __future__ import annotations

from math import nan

from amptalk.sensors.power.counters import LONGEST, serials


class Trapezoid:
    """The running total of one source of power."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.serial = next(serials)
        self.joules = 0.0
        self.unknown = 0.0
        """Seconds that are not in `joules`."""
        self.at = nan
        """When power was last added."""
        self.read_at = nan
        """When it was last read, not only held."""
        self.watts = nan

    def add(self, now: float, watts: float, *, read: bool = True) -> None:
        """Take a sample; one from before the last is taken as of the last."""
        elapsed = now - self.at
        if elapsed > LONGEST:
            self.unknown += elapsed
        elif elapsed > 0.0:
            self.joules += elapsed * (self.watts + watts) / 2.0
        if not elapsed < 0.0:  # also the nan of the first sample
            self.at = now
        if read:
            self.read_at = self.at
        self.watts = watts
