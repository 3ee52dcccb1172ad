"""Plants to try strategies on; equations, units and parameters are in each class.

Wrappers that spoil sensors and actuators are in `faults`.
"""

from __future__ import annotations

from amptalk.simulation.plants.beside_recorded import BesideRecorded, read_trace
from amptalk.simulation.plants.bursty import Bursty
from amptalk.simulation.plants.components import Components
from amptalk.simulation.plants.faults import DeadTime, DropOut, Firmware, Late, Stuck
from amptalk.simulation.plants.gpu_power import GpuPower
from amptalk.simulation.plants.memory import Memory
from amptalk.simulation.plants.paced_jobs import PacedJobs
from amptalk.simulation.plants.queue import Queue
from amptalk.simulation.plants.shared_cooler import SharedCooler
from amptalk.simulation.plants.thermal import Thermal

__all__ = [
    "BesideRecorded",
    "Bursty",
    "Components",
    "DeadTime",
    "DropOut",
    "Firmware",
    "GpuPower",
    "Late",
    "Memory",
    "PacedJobs",
    "Queue",
    "SharedCooler",
    "Stuck",
    "Thermal",
    "read_trace",
]
