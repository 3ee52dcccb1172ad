"""When to read exactly how much of the application's memory is shared, and the sums of it.

One pass reads `smaps_rollup` of every process. That costs about 10 µs per MiB, so passes are
made at start, every 60 s, and sooner in proportion to their cost (at most 0.5 % of a core):
after 200 times the cost and 1 s when a process has come or gone, when shared pages have grown
or shrunk or when the device's swap space in use has (only a pass says what of it is ours), and
2 s while processes share much anonymous memory.

A tick spends about 20 ms on a pass, the next ticks go on with it; one process is the least, and
each is corrected when it is read. The sums are renewed at the end of the pass; they are as old as
its beginning. How the exact figures correct the estimate is for `processes`.

Swapped memory that lies compressed in RAM still occupies some of it: what a pass found in swap
is turned into RAM at the rate of the device (`swapspace`). It counts as memory of the application,
so that pushing it to such swap does not look as if it had been freed.
"""

from __future__ import annotations

import time
from math import inf, isnan

from amptalk.model.sample import Method, Provenance
from amptalk.sensors.files import SensorFault
from amptalk.sensors.processes import ProcessTree
from amptalk.sensors.procstat import PAGE_KIB, Rollup, read_rollup
from amptalk.sensors.report import NAN, Notes
from amptalk.sensors.swapspace import SwapSpace

FROM_STATM = tuple(f"application.{name}" for name in ("memory_mb", "anonymous_mb"))
"""Fields that statm gives each tick, corrected by the last pass."""
FROM_ROLLUP = tuple(f"application.{name}" for name in ("pss_mb", "shared_mb", "file_mb", "swap_mb"))
"""Fields that only a pass gives."""
FROM_SWAP = ("application.swap_ram_mb",)
"""What follows from a pass and where the device's swap space lies."""

A_TICK = 0.02
"""CPU seconds of a pass in one tick."""
AT_ONCE = 0.1
"""CPU seconds of a pass at start and when it is asked for."""
_NOTABLE = 16 * 1024 / PAGE_KIB
"""Pages (16 MiB) of shared memory that are worth a pass."""
_NOTABLE_SWAP = 16.0
"""MB of the device's swap space that are worth a pass."""
_SELDOM = 60.0
_WHILE_SHARING = 2.0
_SOONEST = 1.0
_PATIENCE = 200.0
"""A pass is repeated only after this many times what it cost."""
_ASKED_PATIENCE = 20.0
_FIRST = "the first exact reading of all processes has not ended yet"


class ExactMemory:
    """Passes over the processes of one tree."""

    def __init__(
        self, tree: ProcessTree, proc: str, notes: Notes, now: float, space: SwapSpace
    ) -> None:
        self._tree = tree
        self._proc = proc
        self._notes = notes
        self._space = space
        self._memory = space.memory
        self._spread = space.spread
        self.swap_ram_mb = NAN
        """RAM that the application's swapped memory occupies."""
        self.occupied_mb = 0.0
        """The same, 0 when it is not known."""
        self.values = (NAN, NAN, NAN, NAN)
        """PSS, shared memory, mapped files and swap of the last pass in MB."""
        self._unread: list[int] = []
        self._begun = -inf
        self._cost = 0.0
        notes.lose((*FROM_ROLLUP, *FROM_SWAP), _FIRST)
        self._begin(now)
        self._go_on(now, AT_ONCE)

    def consider(self, now: float) -> None:
        """Read exactly what is due in this tick, as the cost of it allows."""
        tree = self._tree
        if self._unread:
            self._go_on(now, A_TICK)
        elif (
            now >= self._latest
            or tree.generation != self._generation
            or not self._shared_least <= tree.shared <= self._shared_most
            or (self._memory.swap is not self._swapped and self._swap_moved())
        ):
            if now >= self._latest or now - self._begun >= max(_SOONEST, _PATIENCE * self._cost):
                self._begin(now)
                self._go_on(now, A_TICK)
            elif tree.generation != self._generation:
                self._say_bound()

    def _swap_moved(self) -> bool:
        """Whether the device's swap in use is notably other than at the last pass."""
        return abs(self._memory.swap[0] - self._swapped[0]) > _NOTABLE_SWAP  # not when unknown

    def settle(self) -> None:
        """Take up where the device's swap lies by now."""
        if self._spread is not self._space.spread and not self._unread:
            self._settle()

    def refine(self, now: float) -> None:
        """Read exactly now, or go on with it, unless that was done too lately for its cost."""
        if not self._unread:
            if now - self._begun < _ASKED_PATIENCE * self._cost:
                return
            self._begin(now)
        self._go_on(now, AT_ONCE)

    def _begin(self, now: float) -> None:
        tree = self._tree
        self._unread = list(reversed(tree.members))
        self._begun = now
        self._cost = 0.0
        self._generation = tree.generation
        self._shared_least = tree.shared - _NOTABLE
        self._shared_most = tree.shared + _NOTABLE
        self._swapped = self._memory.swap

    def _go_on(self, now: float, budget: float) -> None:
        """Read processes until the next one, if like the last, would exceed the budget."""
        members = self._tree.members
        begun = at = time.thread_time()
        last = 0.0
        while self._unread and at - begun + last <= budget:
            process = members.get(self._unread.pop())
            if process is not None and process.resident:
                try:
                    self._tree.correct(process, read_rollup(self._proc, process.pid))
                except SensorFault:
                    continue  # it has ended meanwhile; the next tick notices
            before, at = at, time.thread_time()
            last = at - before
        self._cost += at - begun
        if self._unread:
            self._say_bound()
        else:
            self._end(now)

    def _end(self, now: float) -> None:
        tree = self._tree
        rollups = [one.rollup for one in tree.members.values() if one.rollup is not None]
        self.values = (
            sum(rollup.pss for rollup in rollups) / 1024.0,
            sum(rollup.shmem for rollup in rollups) / 1024.0,
            sum(rollup.file for rollup in rollups) / 1024.0,
            sum(rollup.swap for rollup in rollups) / 1024.0,
        )
        shares_much = tree.resident - tree.shared - tree.used > _NOTABLE
        wait = _WHILE_SHARING if shares_much else _SELDOM
        self._latest = now + max(wait, _PATIENCE * self._cost)
        self._say_exact(rollups)
        self._settle()

    def _say_exact(self, rollups: list[Rollup]) -> None:
        worst = next((rollup for rollup in rollups if rollup.method != "measured"), None)
        method: Method = "measured" if worst is None else "estimated"
        source = self._source = "smaps_rollup" if worst is None else worst.source
        self._method: Method = "derived" if worst is None else "estimated"
        self._notes.origin(FROM_ROLLUP, Provenance(method, source, self._begun))
        for field, value in zip(FROM_ROLLUP, self.values, strict=True):
            if isnan(value):
                remedy = "run as the user of those processes, or as root"
                self._notes.lose((field,), f"not to be had from {source}", remedy)
            else:
                self._notes.find((field,))

    def _settle(self) -> None:
        """Turn what is swapped into RAM, and say where the sums come from."""
        swap, spread, begun = self.values[3], self._space.spread, self._begun
        self._spread = spread
        nothing = spread.rate == 0.0 or swap == 0.0
        self.swap_ram_mb = ram = 0.0 if nothing else swap * spread.rate
        method, source = self._method, f"{self._source} + anonymous growth"
        if isnan(ram):
            self.occupied_mb = 0.0
            method, source = "estimated", f"{source}; swapped memory left out"
            reason = spread.reason or self._notes.reason(FROM_ROLLUP[3:])
            self._notes.lose(FROM_SWAP, reason)
        else:
            self.occupied_mb = ram
            self._notes.find(FROM_SWAP)
            how: Method = "derived" if nothing else spread.method
            origin = Provenance(how, "swapped memory x RAM per MB of the device's swap", begun)
            self._notes.origin(FROM_SWAP, origin)
            if ram > 0.0:
                source += " + RAM of swapped memory"
                method = "estimated" if how == "estimated" else method
        self._notes.origin(FROM_STATM, Provenance(method, source, begun, renewed=True))

    def _say_bound(self) -> None:
        source = "smaps_rollup + resident sets of processes not read exactly yet: an upper bound"
        self._notes.origin(FROM_STATM, Provenance("estimated", source, self._begun, renewed=True))
