"""Try a strategy before trusting it: on a plant in virtual time, or on a recorded device.

from amptalk.simulation import simulate
from amptalk.simulation.plants import GpuPower

print(simulate(GpuPower(), "adaptive", seed=7))
"""

from __future__ import annotations

from amptalk.simulation.plant import CoupledPlant, Plant, PlantState
from amptalk.simulation.result import Series, SimulationResult
from amptalk.simulation.simulate import SimulationError, simulate

__all__ = [
    "CoupledPlant",
    "Plant",
    "PlantState",
    "Series",
    "SimulationError",
    "SimulationResult",
    "simulate",
]
