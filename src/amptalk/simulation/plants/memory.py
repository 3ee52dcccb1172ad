"""A process whose memory grows with the work it takes in."""

from __future__ import annotations

import math

from amptalk.simulation.plants.seeded import LEAST, SeededPlant


class Memory(SeededPlant):
    """Memory that admitted work ramps up, that drains slowly, under a sawtooth of garbage.

        d used/dt = leak · allocation − drain · (used − 250)      (plus a random walk)
        level = used + sawtooth · (seconds mod 40) / 40

    in MB. `leak` differs from seed to seed (10-16 MB/s for full work) and is `worse`
    times as much from `changes_at` seconds on. The sensor adds Gaussian noise and tells whole MB.
    Work is the allocation.
    """

    resource = "memory_mb"
    limit = 900.0

    def __init__(
        self,
        period: float = 1.0,
        *,
        leak: tuple[float, float] = (10.0, 16.0),
        drain: float = 0.012,
        sawtooth: float = 25.0,
        worse: float = 1.6,
        changes_at: float = 900.0,
        walk: float = 1.0,
        noise: float = 2.0,
    ) -> None:
        self._leaks, self._drain, self._sawtooth = leak, drain, sawtooth
        self._worse, self._changes_at = worse, changes_at
        self._walk, self._noise = walk, noise
        super().__init__(period)

    def _begin(self) -> None:
        self.used = 300.0
        """MB without the garbage."""
        self._leak = self._random.uniform(*self._leaks)

    @property
    def leak(self) -> float:
        """MB a second that full work takes."""
        return self._leak * (self._worse if self.seconds >= self._changes_at else 1.0)

    def _move(self, allocation: float, dt: float) -> tuple[float, float, float]:
        walk = self._random.gauss(0.0, self._walk * math.sqrt(dt))
        self.used += dt * (self.leak * allocation - self._drain * (self.used - 250.0)) + walk
        garbage = self._sawtooth * ((self.seconds + dt) % 40.0) / 40.0
        return self.used + garbage, allocation, 1.0

    def _sense(self, level: float) -> float:
        return float(max(0, round(level + self._random.gauss(0.0, self._noise))))

    def oracle(self) -> float:
        """The work at which the top of the sawtooth stays at the limit."""
        steady = self._drain * (self.limit - self._sawtooth - 250.0) / self.leak
        return min(1.0, max(LEAST, steady))
