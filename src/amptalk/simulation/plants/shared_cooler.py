"""A processor that heats an accelerator: two resources that affect each other."""

from __future__ import annotations

import math
from random import Random

from amptalk.simulation.plant import PlantState
from amptalk.simulation.plants.bursty import Bursty
from amptalk.simulation.plants.seeded import LEAST

_INNER = 0.25
"""Seconds of an Euler step."""
_CPU_IDLE, _CPU_SPAN = 2.0, 6.0
_GPU_IDLE, _GPU_SPAN = 3.0, 11.0
_TO_PLATE, _TO_AIR = 1.5, 2.2
_DIE, _PLATE = 6.0, 80.0


class SharedCooler:
    """The CPU of `Bursty` and an accelerator on one cooling plate; limits on CPU and temperature.

    With the accelerator's die D and the plate B in °C, CPU use in percent:

        cpu watts = 2 + 6 · use / 100        gpu watts = 3 + 11 · allocation^2.2
        dD/dt = (gpu watts − (D − B)/1.5) / 6
        dB/dt = ((D − B)/1.5 + cpu watts − (B − air)/2.2) / 80

    The second allocation drives the accelerator only, so its control has to give way to the
    heat of a CPU that it does not see. The air gets 10 °C warmer at 900 s. Work is that of
    both together.
    """

    resource = ("cpu_percent", "temperature_celsius")
    limit = (85.0, 80.0)

    def __init__(self, period: float = 1.0) -> None:
        self.period = period
        self._cpu = Bursty(period)
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Begin anew with this seed."""
        self._cpu.reset(seed)
        self._random = Random(f"cooler {seed}")  # noqa: S311 - a plant, no secret
        self.die = self.plate = 45.0
        self._cpu_heat = _CPU_IDLE
        """CPU watts as the plate feels them: averaged over its time constant."""
        self._reading = math.nan

    @property
    def air(self) -> float:
        """°C."""
        return 25.0 if self._cpu.seconds < 900.0 else 35.0

    def step(self, allocation: tuple[float, ...]) -> tuple[PlantState, ...]:
        """Run for one period under (CPU, accelerator) allocations."""
        share = allocation[1]
        cpu = self._cpu.step(allocation[0])
        cpu_watts = _CPU_IDLE + _CPU_SPAN * min(100.0, cpu.level) / 100.0
        gpu_watts = _GPU_IDLE + _GPU_SPAN * math.pow(share, 2.2)
        steps = max(1, math.ceil(self.period / _INNER))
        dt = self.period / steps
        for _ in range(steps):
            flow = (self.die - self.plate) / _TO_PLATE
            self.die += dt * (gpu_watts - flow) / _DIE
            away = (self.plate - self.air) / _TO_AIR
            self.plate += dt * (flow + cpu_watts - away) / _PLATE
        felt = 1.0 - math.exp(-self.period / (_PLATE * _TO_AIR))
        self._cpu_heat += felt * (cpu_watts - self._cpu_heat)
        measured = round(self.die + self._random.gauss(0.0, 0.3), 1)
        late = measured if math.isnan(self._reading) else self._reading
        self._reading = measured
        return cpu, PlantState(self.die, late, share, 1.0)

    def oracle(self) -> float:
        """CPU work beside its background, and accelerator work beside the CPU's average heat."""
        room = self.limit[1] - self.air - _TO_AIR * self._cpu_heat
        watts = room / (_TO_PLATE + _TO_AIR)
        steady = max(0.0, (watts - _GPU_IDLE) / _GPU_SPAN)
        return self._cpu.oracle() + min(1.0, max(LEAST, math.pow(steady, 1.0 / 2.2)))
