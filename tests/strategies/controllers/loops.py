"""Small machines in closed loop with one controller, in virtual time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from random import Random

from amptalk.strategies.controllers.contract import Controller


class Loop:
    """A level that follows `load(second) · share ** elasticity`, read late and with noise."""

    def __init__(
        self,
        controller: Controller,
        load: Callable[[float], float],
        *,
        elasticity: float = 1.0,
        delay: int = 1,
        pace: float = 1.0,
        noise: float = 0.0,
        step: float = 0.0,
        wanted: Callable[[float], float] = lambda _second: 1.0,
    ) -> None:
        """`delay`: readings from a decision to its effect; `pace`: part of the way a second;
        `step`: the knob does whole multiples of it; `wanted`: share that is asked for."""
        self.controller = controller
        self.level = math.nan
        self.share = 1.0
        self._load, self._wanted = load, wanted
        self._elasticity, self._pace, self._noise, self._step = elasticity, pace, noise, step
        self._shares = deque([1.0] * delay, maxlen=delay)
        self._random = Random(1)
        self.now = 0.0

    def run(self, seconds: float, interval: float = 1.0) -> list[tuple[float, float]]:
        """Levels (as a part of the limit) and shares from here on."""
        told = []
        for _ in range(round(seconds / interval)):
            self.now += interval
            share = self._shares[0]
            if self._step:
                share = max(self._step, math.floor(share / self._step + 1e-9) * self._step)
            share = min(share, self._wanted(self.now))
            heading = self._load(self.now) * share**self._elasticity
            if math.isnan(self.level):
                self.level = heading
            self.level += (1.0 - (1.0 - self._pace) ** interval) * (heading - self.level)
            seen = self.level + self._random.gauss(0.0, self._noise)
            self.share = self.controller.take(self.now, seen)
            self._shares.append(self.share)
            told.append((self.level, self.share))
        return told
