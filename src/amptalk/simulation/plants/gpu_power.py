"""An accelerator under a power cap, with clock steps and activity that jumps."""

from __future__ import annotations

import math
from bisect import bisect_right

from amptalk.simulation.plant import ToCome
from amptalk.simulation.plants.seeded import AHEAD, LEAST, Job, SeededPlant, share_in

_ACTIVITIES = (0.25, 0.6, 0.85, 1.0)
_QUIET = _ACTIVITIES[0]


class GpuPower(SeededPlant):
    """Power of an accelerator with a few clock steps (DVFS) whose activity jumps.

    clock = ⌊allocation · steps⌋ / steps, at least one step; watts = idle + span · clock³ ·
    activity. The activity is drawn anew from 0.25, 0.6, 0.85 and 1 after exponential times
    (a share `switching` of them each second). The level is the momentary power, the
    sensor an exponential average (`follows` of the way each second) with Gaussian noise.
    Work is the clock.

    With `announces` each job (activity above 0.25) is told 10 s ahead with the watts it takes
    at full clock.
    """

    resource = "power_watts"
    limit = 50.0

    def __init__(
        self,
        period: float = 1.0,
        *,
        limit: float = 50.0,
        idle: float = 18.0,
        span: float = 60.0,
        steps: int = 12,
        switching: float = 0.05,
        follows: float = 0.6,
        noise: float = 0.5,
        announces: bool = False,
    ) -> None:
        self.limit = limit
        self._idle, self._span, self._clock_steps = idle, span, steps
        self._switching = -math.log(1.0 - switching)
        self._follows, self._noise = follows, noise
        self._announces = announces
        super().__init__(period)

    def _begin(self) -> None:
        self._average = 30.0
        self._job = Job(0.0, self._random.expovariate(self._switching), 0.6)
        self._next = self._drawn(self._job.ends)

    def _drawn(self, starts: float) -> Job:
        activity = self._random.choice(_ACTIVITIES)
        return Job(starts, starts + self._random.expovariate(self._switching), activity)

    @property
    def activity(self) -> float:
        """How much of the chip switches, 0-1."""
        return self._job.strength

    def _move(self, allocation: float, dt: float) -> tuple[float, float, float]:
        while self._next.starts < self.seconds + dt:
            self._job, self._next = self._next, self._drawn(self._next.ends)
        steps = self._clock_steps
        clock = max(1, math.floor(allocation * steps + 1e-9)) / steps
        watts = self._idle + self._span * clock**3 * self._job.strength
        self._average += share_in(dt, self._follows) * (watts - self._average)
        return watts, clock, 1.0

    def _sense(self, level: float) -> float:  # noqa: ARG002 - it averages
        return max(0.0, self._average + self._random.gauss(0.0, self._noise))

    def oracle(self) -> float:
        """The fastest clock whose power stays within the cap at this activity."""
        most = (self.limit - self._idle) / (self._span * self._job.strength)
        steps = self._clock_steps
        cubes = [(n / steps) ** 3 for n in range(1, steps + 1)]
        return max(LEAST, max(1, bisect_right(cubes, most + 1e-9)) / steps)

    def _announced(self) -> tuple[ToCome, ...]:
        if not self._announces:
            return ()
        return tuple(
            job.announcement(self.resource, self._span * (job.strength - _QUIET), self.seconds)
            for job in (self._job, self._next)
            if job.strength > _QUIET and job.starts - self.seconds <= AHEAD
        )
