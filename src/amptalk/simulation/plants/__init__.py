"""Plants to try strategies on; equations, units and parameters are in each class."""

from __future__ import annotations

from amptalk.simulation.plants.bursty import Bursty
from amptalk.simulation.plants.gpu_power import GpuPower
from amptalk.simulation.plants.memory import Memory
from amptalk.simulation.plants.queue import Queue
from amptalk.simulation.plants.thermal import Thermal

__all__ = ["Bursty", "GpuPower", "Memory", "Queue", "Thermal"]
