"""Memory and CPU of the application where there is no Linux `/proc`, by psutil.

Memory is the unique set size (USS, pages that no other process has) read every 60 s, plus what
resident sets have grown since: an estimate, and labelled so. CPU time of children that ended
between two readings is not counted.
"""

from __future__ import annotations

from math import inf, isnan
from typing import TYPE_CHECKING

from amptalk.clock import Clock
from amptalk.model.sample import Provenance
from amptalk.sensors.capacity import Capacity
from amptalk.sensors.files import SensorFault
from amptalk.sensors.portable import ELSEWHERE
from amptalk.sensors.report import HISTORY, NAN, Notes, Source, SourceInfo

if TYPE_CHECKING:
    import psutil

_MB = 2.0**20


class PortableApplication(Source):
    """Application values from psutil."""

    name = "application"
    fields = tuple(
        f"application.{name}"
        for name in ("memory_mb", "rss_mb", "anonymous_mb", "cpu_percent", "cpu_cores", "processes")
    )

    def __init__(self, notes: Notes, clock: Clock, pid: int) -> None:
        import psutil

        super().__init__(notes)
        self._psutil = psutil
        self._clock = clock
        self._pid = pid
        self._excluded: frozenset[int] = frozenset()
        self._members: dict[int, _Member] = {}
        self._exact_at = -inf
        self._at = self._cores = NAN
        self._seconds = 0.0
        for name in ("pss_mb", "shared_mb", "file_mb", "swap_mb", "swap_ram_mb", "major_faults_s"):
            notes.lose((f"application.{name}",), f"{name} {ELSEWHERE}")
        notes.lose(self.fields[3:5], HISTORY)
        self.work(clock.monotonic())

    def exclude(self, pids: frozenset[int]) -> None:
        """Leave out these processes and their descendants."""
        self._excluded = pids
        self.work(self._clock.monotonic())

    def work(self, now: float) -> None:  # noqa: ARG002 - of the Protocol
        """Find out who belongs here."""
        try:
            root = self._psutil.Process(self._pid)
            processes = [root, *self._descendants(root)]
        except self._psutil.Error as error:
            self._members = {}
            self.lose(SensorFault(f"psutil cannot read process {self._pid}: {error}"))
            return
        if self.lost:
            self.gain()
            self._notes.lose(self.fields[3:5], HISTORY)
            self._at = self._cores = NAN
        known = self._members
        self._members = {one.pid: known.get(one.pid) or _Member(one) for one in processes}
        if known.keys() != self._members.keys():
            self._exact_at = -inf

    def _descendants(self, process: psutil.Process) -> list[psutil.Process]:
        found = []
        for child in process.children():
            if child.pid not in self._excluded:
                found.append(child)
                try:
                    found += self._descendants(child)
                except self._psutil.NoSuchProcess:
                    continue
        return found

    def read(
        self, now: float, capacity: Capacity, online: float, *, rates: bool
    ) -> tuple[float, ...]:
        """Read one tick."""
        for pid, member in tuple(self._members.items()):
            if not self._renew(member, cpu=rates):
                del self._members[pid]
        if self._pid not in self._members and not self.lost:
            self.lose(SensorFault(f"process {self._pid} has ended"))
        if self.lost:
            return (NAN,) * 12
        if now - self._exact_at >= 60.0:
            self.refine(now)
        if rates:
            self._renew_rate(online)
        members = self._members.values()
        rss = sum(member.rss for member in members) / _MB
        memory = sum(member.unique + max(0, member.rss - member.base) for member in members) / _MB
        cores = self._cores
        percent = min(100.0, 100.0 * cores / capacity.cpu_cores) if not isnan(cores) else NAN
        used = min(rss, memory)
        unread = (NAN,) * 5
        return used, rss, NAN, used, *unread, percent, cores, float(len(members))

    def _renew(self, member: _Member, *, cpu: bool) -> bool:
        """Read one process; False when it has ended."""
        try:
            self._seconds += member.renew(cpu=cpu)
        except self._psutil.NoSuchProcess:
            return False
        except self._psutil.AccessDenied:
            return True  # its last values stay
        return True

    def _renew_rate(self, online: float) -> None:
        at = self._clock.monotonic()
        elapsed = at - self._at
        if elapsed > 0.0:
            if isnan(self._cores):
                self._notes.find(self.fields[3:5])
            cores = self._seconds / elapsed
            self._cores = min(cores, online) if not isnan(online) else cores
        self._at, self._seconds = at, 0.0

    def refine(self, now: float) -> None:
        """Read the unique set size of every process."""
        exact = True
        for member in self._members.values():
            try:
                member.unique = int(member.process.memory_full_info().uss)
            except (self._psutil.Error, AttributeError):
                member.unique, exact = member.rss, False
            member.base = member.rss
        self._exact_at = now
        source = "psutil USS + RSS growth" if exact else "psutil RSS: USS is not to be had"
        origin = Provenance("estimated", source, now, renewed=True)
        self._notes.origin(("application.memory_mb", "application.anonymous_mb"), origin)

    def discover(self) -> None:
        """Nothing to look for."""

    def infos(self) -> tuple[SourceInfo, ...]:
        """Name the sensor, for the report."""
        return (SourceInfo(self.name, self.fields, "psutil"),)

    def close(self) -> None:
        """Nothing is kept open."""


class _Member:
    """One process: psutil's handle (bound to its start time) and what was last seen; bytes."""

    def __init__(self, process: psutil.Process) -> None:
        self.process = process
        self.rss = self.base = self.unique = 0
        self.seconds = -1.0

    def renew(self, *, cpu: bool) -> float:
        """Read the process; returns the CPU seconds used since the last time asked for."""
        self.rss = int(self.process.memory_info().rss)
        if not cpu:
            return 0.0
        times = self.process.cpu_times()
        used = float(times.user + times.system)
        spent = used - self.seconds if self.seconds >= 0.0 else 0.0
        self.seconds = used
        return max(0.0, spent)
