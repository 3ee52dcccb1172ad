"""All sensors together: one `read` a tick gives one immutable sample, and never raises.

Three cadences: every tick (device memory, memory and processes of the application, memory of
the control group), every 5 s (membership, swapping, file cache, control group, capacity) and
every 60 s (exact memory, limits). What may be slow (GPU, power, temperature, the hardware's flags
of throttling) is found and read on a thread of its own (`slow`) and carries its age. Rates (CPU,
pressure) are taken over at least 250 ms: a faster tick keeps the last ones. The constructor takes
the first counters, so a read after 50 ms has rates. The first waits up to 5 ms for slow sensors.

It does not pace itself (`loop`) and does not judge (`limits`).
"""

from __future__ import annotations

import os
from math import isnan, nan
from operator import itemgetter
from threading import Lock
from typing import TYPE_CHECKING

from amptalk.clock import Clock, SystemClock
from amptalk.model.energy import EnergyMark
from amptalk.model.errors import ConfigurationError, ScopeError
from amptalk.model.sample import FIELDS, INDEX, Sample
from amptalk.model.views import ScopeView
from amptalk.sensors.capacity import Limit, effective_capacity
from amptalk.sensors.gpu.choice import choice_of
from amptalk.sensors.parts import build_parts
from amptalk.sensors.report import Notes, SensorReport, SourceInfo
from amptalk.sensors.roots import Roots
from amptalk.sensors.shown import SHOWN
from amptalk.sensors.signals import SignalBoard
from amptalk.sensors.slow import DEADLINE, SlowReader
from amptalk.sensors.telling import cost_us, value_text
from amptalk.sensors.throttling import Throttling, ThrottlingSource

if TYPE_CHECKING:
    from amptalk.model.gpu import Gpu

SCOPES = tuple(SHOWN)
_SHORT = len(ScopeView._fields)
_FIRST_RATE = 0.05
_FIRST_WAIT, _REST = 0.005, 0.05
"""Seconds to wait for the slow thread: in the first read, and when there is nothing to read."""
_RATE = 0.25
_MEDIUM = 5.0
_SLOW = 60.0
_FIRST_ANSWER = 0.5  # seconds for GPUs to tell whether the one asked for is among them


class SensorSuite:
    """Reads everything once a tick.

    `scope` says whose memory and CPU the short names carry: `application` (this process and its
    descendants), `container` (its control group; `ScopeError` outside one) or `device`. `roots`
    and `clock` are injectable; `pid` is the application's own process by default. `gpu` names the
    GPU of the sample by number, UUID or PCI address; otherwise the environment variable
    `AMPTALK_GPU` does, otherwise it is number 0 (`gpu.choice`). `ConfigurationError` tells of one
    that is not there, but of the variable only where there are others. `threads` says whether slow
    sensors have a thread of their own; by default they do when machine and clock are the real
    ones. With `children_only` the process itself is no part of the application (Linux). One thread
    at a time may use a suite; after a fork the child calls `reopen`.
    """

    def __init__(
        self,
        scope: str = "application",
        clock: Clock | None = None,
        roots: Roots | None = None,
        *,
        pid: int | None = None,
        gpu: str | int | None = None,
        threads: bool | None = None,
        children_only: bool = False,
    ) -> None:
        if scope not in SCOPES:
            raise ScopeError(f"scope is {scope!r}; allowed are {', '.join(map(repr, SCOPES))}")
        if pid is not None and pid <= 0:
            raise ConfigurationError(f"pid is {pid}; it must be the number of a process, above 0")
        self.scope = scope
        self.signals = SignalBoard()  # what the application records, taken as often as rates are
        self._clock: Clock = SystemClock() if clock is None else clock
        self._roots = Roots() if roots is None else roots
        self._pid = pid
        self._children_only = children_only
        self._gpu_choice = choice_of(gpu)
        real = self._roots.real and isinstance(self._clock, SystemClock)
        self._threads = real if threads is None else threads
        self._excluded: frozenset[int] = frozenset()
        self._of_application = scope == "application"
        shown = {name: INDEX[field] - _SHORT for name, field in SHOWN[scope].items()}
        if self._of_application:
            shown["memory_percent"] = -1
        self._shown = itemgetter(*(shown[name] for name in ScopeView._fields))
        self._open()
        try:
            if scope == "container":
                self._container.demand()
            self._gpu.demand(lambda: self._slow.settle(_FIRST_ANSWER))
        except ConfigurationError:
            self.close()
            raise

    def _open(self) -> None:
        """Find all sensors and take the first counters."""
        self._notes = Notes(SHOWN[self.scope])
        pid = os.getpid() if self._pid is None else self._pid
        self._slow = SlowReader(self._clock, threads=self._threads)
        parts = build_parts(
            self._roots, self._notes, self._clock, pid, self._slow, self._gpu_choice,
            children_only=self._children_only,
        )  # fmt: skip
        self._device, self._application, self._container, self._gpu = parts
        self._throttling = ThrottlingSource(self._roots, self._slow)
        self._application.exclude(self._excluded)
        now = self._clock.monotonic()
        self._slow.run_due(now)
        self._first = True
        self._bounds: tuple[object, ...] = ()
        self._bounded_cores = nan  # that the capacity was worked out for
        self.capacity = effective_capacity((), ())
        """What 100 % of CPU and memory mean here; renewed every 5 s."""
        self.rates_fresh = False
        """True when the last read renewed the CPU and pressure rates."""
        self._row: tuple[float, ...] = (nan,) * len(FIELDS)
        self._rates_at = now
        self._rates_after = _FIRST_RATE
        self._medium_at = now + _RATE
        self._slow_at = now + _SLOW
        self._device.read(now, rates=True)
        self._renew_capacity()
        self._application.read(now, self.capacity, self._device.cores, rates=True)
        self._container.read(self._device.total_mb, self._device.cores, rates=True)

    def read(self) -> Sample:
        """Read one tick. Never raises for a sensor's fault: its fields are then missing."""
        if self._first:
            self._first = False
            self._slow.settle(_FIRST_WAIT, ahead=True)
        now = self._clock.monotonic()
        medium = now >= self._medium_at
        if medium:
            self._work(now)
        if now >= self._slow.at:
            self._slow.run_due(now)
        rates = now - self._rates_at >= self._rates_after
        if rates:
            self._rates_at = now
            self._rates_after = _RATE
        self.rates_fresh = rates
        source = self._device
        device = source.read(now, rates=rates)
        cores = source.cores
        known = self._bounded_cores
        if rates and cores is not known and cores != known:  # unknown ones are one and the same nan
            self._renew_capacity()
        capacity = self.capacity
        application = self._application.read(now, capacity, cores, rates=rates)
        container = self._container.read(source.total_mb, cores, rates=rates)
        rest = (*application, self._gpu.application_mb, *container, *device)
        # The share of the application's memory is no field of a view: it stands behind them.
        short = self._shown((*rest, 100.0 * application[0] / capacity.memory_mb))
        self._row = row = short + rest
        notes = self._notes
        if notes.stale:
            notes.refresh()
        sample = Sample(
            self._clock.time(), now, row, notes.missing, notes.provenance, source.per_core
        )
        if medium or self._throttling.fresh:
            quota = self._container.limits[0].amount
            self._throttling.renew(sample, quota, self._gpu.throttling())
        if self.signals.used:
            return self.signals.joined(sample, due=rates)
        return sample

    def refine_memory(self) -> Sample:
        """Read the application's memory exactly now and return a sample with it.

        For the moment before something costly is done about memory. It is limited by its own
        cost: asked again within 20 times what it took, it returns the estimate.
        """
        self._application.refine(self._clock.monotonic())
        fresh = self.rates_fresh
        sample = self.read()
        self.rates_fresh = fresh or self.rates_fresh
        return sample

    def energy(self) -> EnergyMark:
        """Tell the energy up to now; from any thread."""
        return self._device.energy(self._clock.monotonic())

    def throttling(self) -> Throttling:
        """Whether the machine is slower than it could be, as last judged: every 5 s or sooner."""
        return self._throttling.verdict

    def gpus(self) -> tuple[Gpu, ...]:
        """All GPUs as last read, which is done on the slow thread; from any thread."""
        return self._gpu.gpus()

    def exclude(self, pid: int) -> None:
        """Leave a helper process and its descendants out of the application."""
        self._excluded |= {pid}
        self._application.exclude(self._excluded)

    def _work(self, now: float) -> None:
        """Do what is due at the slower cadences."""
        self._medium_at = now + _MEDIUM
        parts = (self._device, self._application, self._container)
        if now >= self._slow_at:
            self._slow_at = now + _SLOW
            for part in parts:
                part.discover()
            self._throttling.discover()
            self._gpu.discover()
        for part in parts:
            part.work(now)
        self._renew_capacity()

    def _renew_capacity(self) -> None:
        device = self._device
        self._bounded_cores = device.cores
        quota, room = self._container.limits
        allowed = self._affinity()
        online = self._bound(device.cores, f"{device.cores:g} online CPUs", "device.cpu_count")
        total = "total memory of the device"
        memory = self._bound(device.total_mb, total, "device.memory_total_mb"), room
        bounds = (online, memory, allowed, quota)
        if bounds == self._bounds:
            return
        self._bounds = bounds
        cpu = [online, quota]
        if allowed:
            cpu.insert(1, Limit(allowed, f"affinity allows {allowed} CPUs"))
        self.capacity = effective_capacity(cpu, memory)
        if self._of_application:
            if isnan(self.capacity.memory_mb):
                self._notes.lose(("memory_percent",), self.capacity.memory_reason)
            else:
                self._notes.find(("memory_percent",))

    def _bound(self, amount: float, text: str, field: str) -> Limit:
        """What the machine has, or why that is not known."""
        return Limit(amount, self._notes.reason((field,)) if isnan(amount) else text)

    def _affinity(self) -> int:
        """CPUs that the scheduler may use for the application; 0 when that cannot be told."""
        if not self._roots.real or not hasattr(os, "sched_getaffinity"):
            return 0
        try:
            return len(os.sched_getaffinity(self._pid or 0))
        except OSError:
            return 0

    def files_read(self) -> tuple[str, ...]:
        """Paths that a tick reads when rates are due and nothing slower is."""
        infos = self._infos()
        paths = [path for info in infos if not info.seldom for path in info.paths]
        return tuple(dict.fromkeys(paths))

    def _infos(self) -> tuple[SourceInfo, ...]:
        return (
            *self._device.infos(),
            *self._application.infos(),
            *self._container.infos(),
        )

    def describe(self) -> tuple[SensorReport, ...]:
        """Say of each sensor what it gives, what it costs, or why it is missing and what helps."""
        self._slow.settle(DEADLINE)
        self.read()
        remedies = self._notes.remedies
        reports = []
        for info in self._infos():
            reason = self._notes.reason(info.fields)
            remedy = next((remedies[field] for field in info.fields if remedies.get(field)), "")
            reports.append(
                SensorReport(
                    info.name, info.fields, value_text(self._row, info.fields), info.source,
                    info.cost_us or cost_us(info.paths), reason, remedy,
                )
            )  # fmt: skip
        return (*reports, *self._gpu.reports(), self._throttling.report())

    def reopen(self) -> None:
        """Open everything anew: in a forked child descriptors still point to the parent."""
        self.close()
        self._open()

    def rest(self, reading: Lock) -> None:
        """End the slow thread, unless `reading` is held (a signal handler came into a tick)."""
        if reading.acquire(blocking=False):
            self._slow.close(_REST)
            reading.release()

    def close(self) -> None:
        """Close all descriptors and end the slow thread. Closing twice does no harm."""
        self._slow.close()
        for part in (self._device, self._application, self._container):
            part.close()
