"""The whole machine as one view: what each of its sensors says, in the view's order.

Memory is read every tick; CPU and pressure when rates are due; swap space, swapping and load
every 5 s. Power, temperature and the GPU come from the slow thread.
"""

from __future__ import annotations

from amptalk.clock import Clock
from amptalk.model.energy import EnergyMark
from amptalk.model.sample import Provenance
from amptalk.sensors.cpu import CpuSource
from amptalk.sensors.files import SensorFault, garbled, read_once
from amptalk.sensors.gpu.source import GpuSource
from amptalk.sensors.power import PowerSource
from amptalk.sensors.pressure import PressureSource
from amptalk.sensors.report import NAN, Notes, SourceInfo
from amptalk.sensors.roots import Roots
from amptalk.sensors.slow import SlowReader
from amptalk.sensors.swapping import SwapSource
from amptalk.sensors.swapspace import SwapSpace
from amptalk.sensors.temperature import TemperatureSource

_LOAD = ("device.load_1m", "device.load_5m", "device.load_15m")


class Device:
    """Everything of `DeviceView`, in its order."""

    def __init__(  # noqa: PLR0917 - what the parts share
        self,
        roots: Roots,
        notes: Notes,
        clock: Clock,
        gpu: GpuSource,
        space: SwapSpace,
        slow: SlowReader,
    ) -> None:
        self._notes = notes
        self._clock = clock
        self._load_path = f"{roots.proc}/loadavg"
        self._memory = space.memory
        self._cpu = CpuSource(roots, notes)
        self._pressure_cpu = PressureSource(roots, notes, "cpu")
        self._pressure_memory = PressureSource(roots, notes, "memory", full=True)
        self._pressure_io = PressureSource(roots, notes, "io")
        self._space = space
        self._swapping = SwapSource(roots, notes)
        self._gpu = gpu
        self._power = PowerSource(roots, notes, clock, slow)
        self._temperature = TemperatureSource(roots, notes, clock, slow)
        self._rest: tuple[float, ...] = ()
        self.cores = self.total_mb = NAN
        """Online cores and MB of memory, `nan` when unknown."""
        self.per_core: tuple[float, ...] = ()
        """Percent of each core, at the place of its number; `nan` for one that is offline."""
        self.work(clock.monotonic())
        gpu.changed = self._power.changed = self._temperature.changed = self._compose

    def read(self, now: float, *, rates: bool) -> tuple[float, ...]:
        """Read one tick."""
        memory = self._memory.read(now)
        if rates:
            self._cpu.renew()
            at = self._clock.monotonic()
            self._pressure_cpu.renew(at)
            self._pressure_memory.renew(at)
            self._pressure_io.renew(at)
            self._compose()
        return memory + self._rest

    def _compose(self) -> None:
        """Put together what comes after memory and does not change every tick."""
        cpu, waiting = self._cpu, self._pressure_memory
        self.cores, self.per_core, self.total_mb = cpu.cores, cpu.per_core, self._memory.total_mb
        self._rest = (
            *self._space.values, *self._swapping.rates, cpu.percent, cpu.cores, *self._loads,
            self._pressure_cpu.some, waiting.some, waiting.full, self._pressure_io.some,
            *self._gpu.values, self._power.value, self._temperature.value,
        )  # fmt: skip

    def _renew_load(self, now: float) -> None:
        """Read the load averages; the kernel renews them every 5 s."""
        path = self._load_path
        try:
            one, five, fifteen = map(float, read_once(path).split()[:3])
        except SensorFault as fault:
            self._loads = (NAN, NAN, NAN)
            self._notes.lose(_LOAD, fault.reason, fault.remedy)
            return
        except ValueError:
            self._loads = (NAN, NAN, NAN)
            self._notes.lose(_LOAD, garbled(path, "it does not begin with 3 numbers").reason)
            return
        self._loads = (one, five, fifteen)
        self._notes.find(_LOAD)
        self._notes.origin(_LOAD, Provenance("measured", path, now))

    def work(self, now: float) -> None:
        """Do what is due every 5 s."""
        memory = self._memory
        self._space.renew(now)
        self._swapping.renew(now, zswap=memory.zswap is not None and memory.zswap[1] > 0.0)
        self._renew_load(now)
        memory.retry()
        for pressure in (self._pressure_cpu, self._pressure_memory, self._pressure_io):
            pressure.retry()
        self._compose()

    def discover(self) -> None:
        """Have sensors looked for anew, every 60 s."""
        self._power.discover()
        self._temperature.discover()

    def energy(self, now: float) -> EnergyMark:
        """Tell the energy up to now; from any thread."""
        return self._power.energy(now)

    def infos(self) -> tuple[SourceInfo, ...]:
        """Name the sensors, for the report."""
        each_tick = (
            *(self._memory, self._cpu),
            *(self._pressure_cpu, self._pressure_memory, self._pressure_io),
        )
        seldom = (self._space, self._swapping)
        return (
            *(
                SourceInfo(one.name, one.fields, one.path, () if one.lost else (one.path,))
                for one in each_tick
            ),
            *(
                SourceInfo(one.name, one.fields, one.path, (one.path,), seldom=True)
                for one in seldom
            ),
            SourceInfo("load average", _LOAD, self._load_path, (self._load_path,), seldom=True),
            self._power.info(),
            self._temperature.info(),
        )

    def close(self) -> None:
        """Close all descriptors; the next reading opens the files again."""
        for source in (
            *(self._memory, self._cpu, self._space, self._swapping),
            *(self._pressure_cpu, self._pressure_memory, self._pressure_io),
        ):
            source.close()
