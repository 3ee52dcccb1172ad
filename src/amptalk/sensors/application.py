"""Memory and CPU of the application: one process and its living descendants.

Memory is counted honestly. Every tick gives the summed resident set, an upper bound that
counts pages shared after a fork again in every process. What is reported as used is anonymous
plus shared memory with each page counted once: the last reading of `smaps_rollup` over all
processes, plus what each process's anonymous resident set has grown since. Mapped files
(model weights) are shown apart: the kernel takes them back when it needs to.

`smaps_rollup` costs about 10 µs per MiB, so it is read at start, every 60 s, and sooner in
proportion to its cost (at most 0.5 % of a core): after 200 times its cost and 1 s when a process
has come or gone or when shared pages have grown, and 2 s while processes share much anonymous
memory, because a write to a shared page makes a copy that the resident set does not show: for
so long the estimate may be too low. After a change of membership it is an upper bound until
the next exact reading, and says so.
"""

from __future__ import annotations

import os
import time
from math import inf, isnan

from amptalk.clock import Clock
from amptalk.model.sample import Method, Provenance
from amptalk.sensors.capacity import Capacity
from amptalk.sensors.files import SensorFault
from amptalk.sensors.processes import ProcessTree
from amptalk.sensors.procstat import Rollup, read_rollup
from amptalk.sensors.report import HISTORY, NAN, Notes, Source, SourceInfo
from amptalk.sensors.roots import Roots

_MEMORY = tuple(f"application.{name}" for name in ("memory_mb", "anonymous_mb"))
_SLOW = tuple(f"application.{name}" for name in ("pss_mb", "shared_mb", "file_mb", "swap_mb"))
_TICK = ("application.rss_mb", "application.processes")
_CPU = ("application.cpu_percent", "application.cpu_cores")
_LOST = (NAN,) * 10

_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
_NOTABLE = 16 / _PAGE_MB
"""Pages (16 MiB) of shared memory that are worth an exact reading."""
_MEMBERSHIP = 5.0
_EXACT = 60.0
_WHILE_SHARING = 2.0
_SOONEST = 1.0
_PATIENCE = 200.0
"""An exact reading is repeated only after this many times what it cost."""


class Application(Source):
    """Everything of `ApplicationView` except GPU memory, in its order."""

    name = "application"
    fields = (*_MEMORY, *_SLOW, *_TICK, *_CPU)

    def __init__(self, roots: Roots, notes: Notes, clock: Clock, pid: int) -> None:
        super().__init__(notes)
        self._roots = roots
        self._clock = clock
        self._pid = pid
        self._tree: ProcessTree | None = None
        self._excluded: frozenset[int] = frozenset()
        self._start(clock.monotonic())

    def _start(self, now: float) -> None:
        self._cpu_at = NAN
        self._cpu_seconds = 0.0
        self._cores = NAN
        self._exact_at = self._exact_latest = -inf
        self._exact_cost = 0.0
        self._exact_generation = -1
        self._base_mb = self._base_anonymous_mb = 0.0
        self._shared_most = 0.0
        self._slow = (NAN, NAN, NAN, NAN)
        self._renewed = now
        try:
            self._tree = ProcessTree(self._roots, self._pid)
        except SensorFault as fault:
            self.lose(fault)
            return
        self.gain()
        self._notes.lose(_CPU, HISTORY)
        self.exclude(self._excluded)

    def exclude(self, pids: frozenset[int]) -> None:
        """Leave out these processes and their descendants."""
        self._excluded = pids
        if self._tree is not None and pids != self._tree.excluded:
            self._tree.excluded = pids
            self._tree.renew()

    def read(
        self, now: float, capacity: Capacity, online: float, *, rates: bool
    ) -> tuple[float, ...]:
        """Read one tick: the view's fields but the last. `online` bounds what is possible."""
        tree = self._tree
        if tree is None:
            return _LOST
        try:
            tree.read(cpu=rates)
            if rates:
                self._renew_rate(tree, online)
            if (
                now >= self._exact_latest
                or tree.generation != self._exact_generation
                or tree.shared > self._shared_most
            ):
                self._consider_exactly(tree, now)
        except SensorFault as fault:
            self._end(fault)
            return _LOST
        growth = (tree.anonymous - tree.anonymous_base) * _PAGE_MB
        rss = tree.resident * _PAGE_MB
        memory = self._base_mb + growth
        anonymous = self._base_anonymous_mb + growth
        pss, shared, file, swap = self._slow
        return (
            rss if memory > rss else memory if memory > 0.0 else 0.0, rss, pss,
            rss if anonymous > rss else anonymous if anonymous > 0.0 else 0.0,
            shared, file, swap,
            _percent(self._cores, capacity.cpu_cores), self._cores, float(tree.living),
        )  # fmt: skip

    def _renew_rate(self, tree: ProcessTree, online: float) -> None:
        at = self._clock.monotonic()
        elapsed = at - self._cpu_at
        if elapsed > 0.0:
            if isnan(self._cores):
                self._notes.find(_CPU)
            cores = (tree.seconds - self._cpu_seconds) / elapsed
            # A child found late or waited for at once may bring more than the machine can do.
            self._cores = min(cores, online) if not isnan(online) else cores
        self._cpu_at, self._cpu_seconds = at, tree.seconds

    def _consider_exactly(self, tree: ProcessTree, now: float) -> None:
        """Read exactly when its cost allows; else say that the estimate is a bound."""
        due = now >= self._exact_latest
        if due or now - self._exact_at >= max(_SOONEST, _PATIENCE * self._exact_cost):
            self._read_exactly(tree, now)
        elif tree.generation != self._exact_generation:
            source = "smaps_rollup + resident sets of processes started since: an upper bound"
            self._notes.origin(
                _MEMORY, Provenance("estimated", source, self._exact_at, renewed=True)
            )

    def refine(self, now: float) -> None:
        """Read exactly now, unless that was done less than 20 times its cost ago."""
        tree = self._tree
        if tree is None or now - self._exact_at < 20.0 * self._exact_cost:
            return
        try:
            tree.read(cpu=False)
            self._read_exactly(tree, now)
        except SensorFault as fault:
            self._end(fault)

    def _read_exactly(self, tree: ProcessTree, now: float) -> None:
        begun = time.thread_time()
        rollups: list[Rollup] = []
        for process in tree.members.values():
            if process.resident:
                try:
                    rollups.append(read_rollup(self._roots.proc, process.pid))
                except SensorFault:
                    continue  # it has ended meanwhile; the next tick notices
        tree.set_base()
        self._exact_cost = time.thread_time() - begun
        self._exact_at = now
        self._exact_generation = tree.generation
        self._shared_most = tree.shared + _NOTABLE
        anonymous = sum(rollup.anonymous for rollup in rollups) / 1024.0
        shmem = sum(rollup.shmem for rollup in rollups) / 1024.0
        file = sum(rollup.file for rollup in rollups) / 1024.0
        pss = sum(rollup.pss for rollup in rollups) / 1024.0
        swap = sum(rollup.swap for rollup in rollups) / 1024.0
        self._base_anonymous_mb, self._base_mb = anonymous, anonymous + shmem
        self._slow = pss, shmem, file, swap
        shares_much = tree.anonymous - anonymous / _PAGE_MB > _NOTABLE
        wait = _WHILE_SHARING if shares_much else _EXACT
        self._exact_latest = now + max(wait, _PATIENCE * self._exact_cost)
        self._say_exact(rollups, now)

    def _say_exact(self, rollups: list[Rollup], now: float) -> None:
        worst = next((rollup for rollup in rollups if rollup.method != "measured"), None)
        method: Method = "measured" if worst is None else "estimated"
        source = "smaps_rollup" if worst is None else worst.source
        self._notes.origin(_SLOW, Provenance(method, source, now))
        method = "derived" if worst is None else "estimated"
        self._notes.origin(
            _MEMORY, Provenance(method, f"{source} + anonymous growth", now, renewed=True)
        )
        for field, value in zip(_SLOW, self._slow, strict=True):
            if isnan(value):
                remedy = "run as the user of those processes, or as root"
                self._notes.lose((field,), f"not to be had from {source}", remedy)
            else:
                self._notes.find((field,))

    def work(self, now: float) -> None:
        """Do what is due at the 5 s cadence: membership, or finding a lost process again."""
        tree = self._tree
        if tree is None:
            self._start(now)
        elif now - self._renewed >= max(_MEMBERSHIP, 1000.0 * tree.renewal_cost):
            self._renewed = now
            tree.renew()

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
        return (
            SourceInfo("application processes", _TICK, f"{proc}/{pid}/statm", paths),
            SourceInfo("application CPU", _CPU, source),
            SourceInfo("application memory", (*_MEMORY, *_SLOW), rollup, (rollup,), seldom=True),
        )

    def close(self) -> None:
        """Close all descriptors."""
        if self._tree is not None:
            self._tree.close()
            self._tree = None


def _percent(cores: float, capacity: float) -> float:
    percent = 100.0 * cores / capacity
    return 100.0 if percent > 100.0 else percent
