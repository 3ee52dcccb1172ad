"""A server whose latency grows once more is in flight than it can work on at a time."""

from __future__ import annotations

from amptalk.simulation.plants.seeded import LEAST, SeededPlant


class Queue(SeededPlant):
    """Latency of a server with a fixed concurrency, of which a neighbour takes a part later.

        in flight = most · allocation
        latency = unloaded · max(1, in flight / capacity)
        work = min(in flight, capacity) / the capacity at the start

    in ms. From `changes_at` seconds on the share `taken` of the capacity is gone. The sensor
    tells the mean of a few requests: the latency times a log-normal factor with sigma `noise`.
    """

    resource = "latency_ms"
    limit = 60.0

    def __init__(
        self,
        period: float = 1.0,
        *,
        capacity: float = 32.0,
        most: float = 64.0,
        unloaded: float = 30.0,
        taken: float = 0.4,
        changes_at: float = 900.0,
        noise: float = 0.06,
    ) -> None:
        self._capacity, self._most, self._unloaded = capacity, most, unloaded
        self._taken, self._changes_at = taken, changes_at
        self._noise = noise
        super().__init__(period)

    def _begin(self) -> None:
        """Nothing is remembered from step to step."""

    @property
    def capacity(self) -> float:
        """Requests that are worked on at a time."""
        left = 1.0 - self._taken if self.seconds >= self._changes_at else 1.0
        return self._capacity * left

    def _move(self, allocation: float, dt: float) -> tuple[float, float, float]:  # noqa: ARG002
        in_flight, capacity = self._most * allocation, self.capacity
        latency = self._unloaded * max(1.0, in_flight / capacity)
        return latency, min(in_flight, capacity) / self._capacity, 1.0

    def _sense(self, level: float) -> float:
        return max(1.0, level * self._random.lognormvariate(0.0, self._noise))

    def oracle(self) -> float:
        """The work of as much in flight as keeps the latency at its limit."""
        in_flight = min(self._most, self.capacity * self.limit / self._unloaded)
        return max(LEAST, min(in_flight, self.capacity) / self._capacity)
