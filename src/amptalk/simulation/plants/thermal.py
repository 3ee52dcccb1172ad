"""A small computer that heats up: die and board as two thermal masses."""

from __future__ import annotations

import math

from amptalk.simulation.plants.seeded import LEAST, SeededPlant

_INNER = 0.1
"""Seconds of an Euler step; the fastest time constant is some 13 s."""


class Thermal(SeededPlant):
    """Two-node RC network of a passively cooled computer; the air gets warmer later on.

    With die and board temperature D and B in °C, resistances in K/W, capacities in J/K:

        watts = idle + dynamic · allocation^2.2
        dD/dt = (watts − (D − B)/to_board) / die
        dB/dt = ((D − B)/to_board − (B − air)/to_air) / board

    The level is D; the sensor adds Gaussian noise and tells tenths. Both resistances
    differ by up to ±20 % from seed to seed. The air is 25 °C and `warmer` than that from
    `changes_at` seconds on. Work is the allocation.
    """

    resource = "temperature_celsius"
    limit = 80.0

    def __init__(
        self,
        period: float = 1.0,
        *,
        to_board: float = 3.2,
        to_air: float = 5.0,
        die: float = 4.0,
        board: float = 55.0,
        idle: float = 2.0,
        dynamic: float = 5.5,
        warmer: float = 10.0,
        changes_at: float = 900.0,
        noise: float = 0.3,
    ) -> None:
        self._resistances = to_board, to_air
        self._die_capacity, self._board_capacity = die, board
        self._idle, self._dynamic = idle, dynamic
        self._warmer, self._changes_at = warmer, changes_at
        self._noise = noise
        super().__init__(period)

    def _begin(self) -> None:
        uniform = self._random.uniform
        to_board, to_air = self._resistances
        self._to_board = to_board * uniform(0.8, 1.2)
        self._to_air = to_air * uniform(0.8, 1.2)
        self.die = self.board = 45.0
        """°C."""

    @property
    def air(self) -> float:
        """°C."""
        return 25.0 + (self._warmer if self.seconds >= self._changes_at else 0.0)

    def _move(self, allocation: float, dt: float) -> tuple[float, float, float]:
        watts = self._idle + self._dynamic * math.pow(allocation, 2.2)
        die, board, air = self.die, self.board, self.air
        steps = max(1, round(dt / _INNER))
        dt /= steps
        to_die, to_board = dt / self._die_capacity, dt / self._board_capacity
        per_board, per_air = 1.0 / self._to_board, 1.0 / self._to_air
        for _ in range(steps):
            flow = (die - board) * per_board
            die += to_die * (watts - flow)
            board += to_board * (flow - (board - air) * per_air)
        self.die, self.board = die, board
        return die, allocation, 1.0

    def _sense(self, level: float) -> float:
        return round(level + self._random.gauss(0.0, self._noise), 1)

    def oracle(self) -> float:
        """The work at which the die stays at the limit for ever in this air."""
        watts = (self.limit - self.air) / (self._to_board + self._to_air)
        steady = max(0.0, (watts - self._idle) / self._dynamic)
        return min(1.0, max(LEAST, math.pow(steady, 1.0 / 2.2)))
