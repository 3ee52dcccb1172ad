"""Memory and CPU of the application: one process and its living descendants.

Memory is counted honestly. Every tick gives the summed resident set, an upper bound that
counts pages shared after a fork again in every process. What is reported as used is anonymous
plus shared memory with each page counted once: the anonymous resident set of each process less
what `smaps_rollup` last found charged to others, never below 0, plus its proportional shares of
shared memory, never above what the processes hold of it now, plus the RAM that swapped memory
still occupies in compressed swap (`exact`). Mapped files (model weights) are shown apart: the
kernel takes them back when it needs to.

Major faults are summed over the living and what they have waited for, every 5 s; those of a
child that ended and was waited for by none of them are lost to the rate.

A write to a page shared after a fork makes a copy that the resident set does not show: until the
next exact reading (`exact`) the estimate may be too low by that. After a change of membership
it is an upper bound until then, and says so.
"""

from __future__ import annotations

from math import isnan

from amptalk.clock import Clock
from amptalk.model.sample import Provenance
from amptalk.sensors.capacity import Capacity
from amptalk.sensors.exact import FROM_ROLLUP, FROM_STATM, FROM_SWAP, ExactMemory
from amptalk.sensors.files import SensorFault
from amptalk.sensors.processes import ProcessTree
from amptalk.sensors.procstat import PAGE_KIB
from amptalk.sensors.report import HISTORY, NAN, Notes, Source, SourceInfo
from amptalk.sensors.roots import Roots
from amptalk.sensors.swapspace import SwapSpace

_TICK = ("application.rss_mb", "application.processes")
_CPU = ("application.cpu_percent", "application.cpu_cores")
_FAULTS = ("application.major_faults_s",)
_LOST = (NAN,) * 12

_PAGE_MB = PAGE_KIB / 1024.0
_MEMBERSHIP = 5.0
_FIRST_FAULTS = "needs 250 ms of history: a rate is the difference of two readings"


class Application(Source):
    """Everything of `ApplicationView` except GPU memory, in its order."""

    name = "application"
    fields = (*FROM_STATM, *FROM_ROLLUP, *FROM_SWAP, *_TICK, *_CPU, *_FAULTS)

    def __init__(
        self, roots: Roots, notes: Notes, clock: Clock, pid: int, space: SwapSpace,
        *, children_only: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(notes)
        self._roots = roots
        self._space = space
        self._clock = clock
        self._pid = pid
        self._children_only = children_only
        self._tree: ProcessTree | None = None
        self._excluded: frozenset[int] = frozenset()
        self._start(clock.monotonic())

    def _start(self, now: float) -> None:
        self._cpu_at = NAN
        self._cpu_seconds = 0.0
        self._cores = self._percent = self._faults_s = NAN
        self._renewed = now
        try:
            self._tree = ProcessTree(self._roots, self._pid, children_only=self._children_only)
        except SensorFault as fault:
            self.lose(fault)
            return
        self.gain()
        self._notes.lose(_CPU, HISTORY)
        self._notes.lose(_FAULTS, _FIRST_FAULTS)
        self._faults = self._tree.major_faults
        self.exclude(self._excluded)
        self._exact = ExactMemory(self._tree, self._roots.proc, self._notes, now, self._space)

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that belong here at the moment."""
        return () if self._tree is None else tuple(self._tree.members)

    def exclude(self, pids: frozenset[int]) -> None:
        """Leave out these processes and their descendants."""
        self._excluded = pids
        if self._tree is not None and pids != self._tree.excluded:
            self._tree.excluded = pids
            self._renew(self._tree)

    def read(
        self, now: float, capacity: Capacity, online: float, *, rates: bool
    ) -> tuple[float, ...]:
        """Read one tick: the view's fields but the last. `online` bounds what is possible."""
        tree = self._tree
        if tree is None:
            return _LOST
        exact = self._exact
        try:
            tree.read(cpu=rates)
            if rates:
                self._renew_rate(tree, online, capacity)
            exact.consider(now)
        except SensorFault as fault:
            self._end(fault)
            return _LOST
        pss, shmem, file, swap = exact.values
        shared = tree.shared * _PAGE_MB
        anonymous = tree.used * _PAGE_MB
        return (
            anonymous + (shmem if shmem < shared else shared) + exact.occupied_mb,
            tree.resident * _PAGE_MB, pss, anonymous, shmem, file,
            swap, exact.swap_ram_mb, self._faults_s, self._percent, self._cores, float(tree.living),
        )  # fmt: skip

    def _renew_rate(self, tree: ProcessTree, online: float, whole: Capacity) -> None:
        at = self._clock.monotonic()
        elapsed = at - self._cpu_at
        if elapsed > 0.0:
            if isnan(self._cores):
                self._notes.find(_CPU[1:])
            capacity = whole.cpu_cores
            if isnan(capacity):
                self._notes.lose(_CPU[:1], whole.cpu_reason)
            elif isnan(self._percent):
                self._notes.find(_CPU[:1])
            cores = (tree.seconds - self._cpu_seconds) / elapsed
            # A child found late or waited for at once may bring more than the machine can do.
            self._cores = cores = online if cores > online else cores
            self._percent = 100.0 if cores >= capacity else 100.0 * cores / capacity
        self._cpu_at, self._cpu_seconds = at, tree.seconds

    def refine(self, now: float) -> None:
        """Read exactly now, unless that was done less than 20 times its cost ago.

        With very many processes it ends after 100 ms and the next ticks go on.
        """
        tree = self._tree
        if tree is None:
            return
        try:
            tree.read(cpu=False)
            self._exact.refine(now)
        except SensorFault as fault:
            self._end(fault)

    def work(self, now: float) -> None:
        """Do what is due at the 5 s cadence: membership, or finding a lost process again."""
        tree = self._tree
        if tree is None:
            self._start(now)
            return
        self._exact.settle()
        if isnan(self._faults_s) or (
            now - self._renewed >= max(_MEMBERSHIP, 1000.0 * tree.renewal_cost)
        ):
            elapsed, self._renewed = now - self._renewed, now
            if self._renew(tree):
                self._renew_faults(tree, elapsed)

    def _renew(self, tree: ProcessTree) -> bool:
        try:
            tree.renew()
        except SensorFault as fault:
            self._end(fault)
            return False
        return True

    def _renew_faults(self, tree: ProcessTree, elapsed: float) -> None:
        if elapsed <= 0.0:
            return
        faults = tree.major_faults
        self._faults_s = max(0, faults - self._faults) / elapsed
        self._faults = faults
        self._notes.find(_FAULTS)
        source = "major faults of stat, of children waited for too"
        self._notes.origin(_FAULTS, Provenance("measured", source, self._renewed))

    def discover(self) -> None:
        """Nothing to look for: lost processes are found again every 5 s."""

    def _end(self, fault: SensorFault) -> None:
        self.close()
        self.lose(fault)

    def infos(self) -> tuple[SourceInfo, ...]:
        """Name the sensors, for the report."""
        proc, pid = self._roots.proc, self._pid
        tree = self._tree
        paths = () if tree is None else tree.paths()
        rollup = f"{proc}/{pid}/smaps_rollup"
        source = "process CPU clocks and waited-for children"
        memory = (*FROM_STATM, *FROM_ROLLUP, *FROM_SWAP)
        return (
            SourceInfo("application processes", _TICK, f"{proc}/{pid}/statm", paths),
            SourceInfo("application CPU", _CPU, source),
            SourceInfo("application faults", _FAULTS, f"{proc}/{pid}/stat"),
            SourceInfo("application memory", memory, rollup, (rollup,), seldom=True),
        )

    def close(self) -> None:
        """Close all descriptors."""
        if self._tree is not None:
            self._tree.close()
            self._tree = None
