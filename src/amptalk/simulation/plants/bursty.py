"""A processor with bursts of work beside a background that wanders."""

from __future__ import annotations

import math

from amptalk.simulation.plant import ToCome
from amptalk.simulation.plants.seeded import AHEAD, LEAST, Job, SeededPlant, share_in

_IDLE_DEMAND, _FULL_DEMAND = 0.25, 1.0
_MOST = 140.0
"""Percent: what is run and what waits for a processor, at most."""


class Bursty(SeededPlant):
    """Use of a processor: demand in bursts, exponential on and off, over a random walk.

        demand = 1 in a burst, 0.25 between;  work = min(allocation, demand)
        level → background + span · work, `follows` of the way each second

    in percent. The background is another's load: it wanders between 5 and 45 with a
    standard deviation of `wander` after a second. The sensor adds Gaussian noise.

    With `announces` each burst is told 10 s ahead with the percent it takes at full work.
    """

    resource = "cpu_percent"
    limit = 85.0

    def __init__(
        self,
        period: float = 1.0,
        *,
        on: float = 30.0,
        off: float = 60.0,
        span: float = 95.0,
        wander: float = 0.6,
        follows: float = 0.7,
        noise: float = 2.0,
        announces: bool = False,
    ) -> None:
        self._on, self._off, self._span = on, off, span
        self._wander, self._follows, self._noise = wander, follows, noise
        self._announces = announces
        super().__init__(period)

    def _begin(self) -> None:
        self.background = self._level = 15.0
        self._burst = self._drawn(0.0)

    def _drawn(self, since: float) -> Job:
        starts = since + self._random.expovariate(1.0 / self._off)
        return Job(starts, starts + self._random.expovariate(1.0 / self._on), 1.0)

    @property
    def demand(self) -> float:
        """Share of full work that wants to run."""
        return _FULL_DEMAND if self._burst.starts <= self.seconds else _IDLE_DEMAND

    def _move(self, allocation: float, dt: float) -> tuple[float, float, float]:
        end = self.seconds + dt
        while self._burst.ends < end:
            self._burst = self._drawn(self._burst.ends)
        demand = _FULL_DEMAND if self._burst.starts < end else _IDLE_DEMAND
        walked = self.background + self._random.gauss(0.0, self._wander * math.sqrt(dt))
        self.background = min(45.0, max(5.0, walked))
        work = min(allocation, demand)
        target = min(_MOST, self.background + self._span * work)
        self._level += share_in(dt, self._follows) * (target - self._level)
        return self._level, work, demand

    def _sense(self, level: float) -> float:
        return min(_MOST, max(0.0, level + self._random.gauss(0.0, self._noise)))

    def oracle(self) -> float:
        """The most work beside this background, not more than is demanded."""
        return max(LEAST, min(self.demand, (self.limit - self.background) / self._span))

    def _announced(self) -> tuple[ToCome, ...]:
        burst = self._burst
        if not self._announces or burst.starts - self.seconds > AHEAD:
            return ()
        amount = self._span * (_FULL_DEMAND - _IDLE_DEMAND)
        return (burst.announcement(self.resource, amount, self.seconds),)
