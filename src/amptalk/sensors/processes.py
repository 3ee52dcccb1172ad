"""Which processes belong to the application, and the memory and CPU time they use per tick.

The application is one process and its living descendants. Who they are is found out every 5 s and
at once when the main thread's own list of children changes or a process is gone; a child started by
another thread may be seen up to 5 s late. Stated gaps: a double-forked orphan is no descendant any
more; a zombie counts no memory, and its CPU time until it ended.

At most 64 descendants are read in one tick; with more, the reading goes round. The memory files of
the first 64 are kept open: they stay bound to their process, so a reused pid is noticed. CPU time
never steps back: what each living process used since it was last seen, plus what processes have
waited for beyond what had been counted while the children lived.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from math import inf

from amptalk.sensors.files import KeptFile, SensorFault, fault_of, garbled
from amptalk.sensors.process import Process, own_major_faults, waited_for
from amptalk.sensors.procstat import (
    PAGE_KIB,
    ProcessStat,
    Rollup,
    clock_of,
    descendants_by_children,
    descendants_by_scan,
    has_children_files,
    has_clock,
    is_over,
    read_stat,
    stat_or_none,
)
from amptalk.sensors.roots import Roots

AT_MOST = 64
"""Descendants read in one tick, and descriptors kept for them."""
_MOST_PAGES = 1 << 40
"""More pages than any machine can have."""
_HURRY = 20.0
"""Membership is renewed out of turn only after this many times its cost: at most 5 % of a core."""
_SEEN_LATE = 0.02  # seconds by which a start time in clock ticks may be too early
_ANY_CHILD = os.WEXITED | os.WNOHANG | os.WNOWAIT | 0x40000000  # of every kind: `__WALL`

_clock_gettime = time.clock_gettime


class ProcessTree:
    """The processes of the application; with `children_only` the first one is left out of sums."""

    def __init__(self, roots: Roots, pid: int, *, children_only: bool = False) -> None:
        self._proc = roots.proc
        self._clocks = roots.real and has_clock(pid)
        self._own = roots.real and pid == os.getpid()
        self.root = pid
        self._left_out = pid if children_only else 0
        self.excluded: frozenset[int] = frozenset()
        self.members: dict[int, Process] = {}
        self.resident = self.shared = 0
        self.used = 0.0
        """Sums over all members, in pages; `used` is anonymous memory counted once."""
        self.living = 0
        self.seconds = 0.0
        """CPU time used since this object was made; never steps back."""
        self.major_faults = 0
        """Of all members and the children they have waited for, as of the last renewal."""
        self.generation = 0  # grows whenever a process joins or leaves
        self.renewal_cost = 0.0  # CPU seconds that the last renewal of the membership took
        self._pending = False
        self._renew_from = 0.0
        self._everyone: tuple[Process, ...] = ()
        self._all: tuple[Process, ...] = ()
        """The same while they are few enough to be read in every tick, else empty."""
        self._turn = 0
        self._cpu_at = time.monotonic()
        self._listed = has_children_files(self._proc, pid)
        self._hint = KeptFile(f"{self._proc}/{pid}/task/{pid}/children", 4096)
        self._hinted = b""
        try:
            self._adopt(pid, read_stat(self._proc, pid), first=True)
            self.renew(first=True)
        except SensorFault:
            self.close()
            raise

    def read(self, *, cpu: bool) -> None:
        """Read the memory of each process, and its CPU time if asked.

        Raises `SensorFault` when the application's own process cannot be read, or another one
        that has not ended: the sum would be too low.
        """
        # Waited-for time first: a child reaped after it is then found gone in this tick or later,
        # and what it had used is known before the time reaches us a second time.
        settles = cpu and self._own
        waited = waited_for() if settles else 0.0
        gone: list[Process] = []
        for process in self._all or self._due():
            try:
                data = process.read()
                if cpu:
                    clock = process.clock
                    used = self._used(process) if clock is None else _clock_gettime(clock)
                    if used > process.seconds:
                        self.seconds += used - process.seconds
                        process.seconds = used
                if data != process.said:
                    self._take(process, data)
            except OSError as error:
                if process.pid == self.root:
                    raise fault_of(error, f"the CPU clock of process {self.root}") from None
                gone.append(process)
            except SensorFault as fault:
                if process.pid == self.root or not is_over(fault):
                    raise
                gone.append(process)
        self._follow(gone)
        if cpu:
            self._cpu_at = time.monotonic()
        if settles:
            root = self.members[self.root]
            if waited != root.waited or root.owed or root.carried:
                self.seconds += root.settle(waited)

    def _follow(self, gone: list[Process]) -> None:
        """Let go of who is gone, and find out who belongs here when that has changed."""
        if gone:
            self._forget(gone)
            self._pending = True
        if self._listed:
            self._look_at_hint()
        if self._pending and time.monotonic() >= self._renew_from:
            self.renew()

    def _due(self) -> tuple[Process, ...]:
        """The processes to read in this tick: all, or of many the first and the next in turn."""
        everyone = self._everyone
        if not everyone:
            everyone = self._everyone = tuple(self.members.values())
        if len(everyone) <= AT_MOST + 1:
            self._all = everyone
            return everyone
        turn = 1 + self._turn % (len(everyone) - 1)
        window = everyone[turn : turn + AT_MOST]
        window += everyone[1 : 1 + AT_MOST - len(window)]
        self._turn = turn - 1 + AT_MOST
        return everyone[:1] + window

    def _take(self, process: Process, data: bytes) -> None:
        """Bring the sums up to what the memory file of a process says now."""
        if process.pid == self._left_out:
            process.said = data
            process.seconds = inf  # no reading is ever more
            return
        words = data.split(None, 3)
        try:
            resident, shared = int(words[1]), int(words[2])
        except (ValueError, IndexError):
            raise garbled(process.path, "fewer than 3 numbers") from None
        if not (0 <= resident < _MOST_PAGES and 0 <= shared < _MOST_PAGES):
            raise garbled(process.path, f"{resident} resident pages, {shared} of them shared")
        if (resident == 0) != (process.resident == 0):
            self.living += 1 if resident else -1
        self.resident += resident - process.resident
        self.shared += shared - process.shared
        process.resident, process.shared, process.said = resident, shared, data
        self._share(process, process.saving)

    def _share(self, process: Process, saving: float) -> None:
        """Count the anonymous memory of a process but for `saving` pages charged to others.

        No more can be saved than it holds; what it allocates after having held less is its own,
        so the saving stays cut. That keeps every share, and so the sum, at or above 0.
        """
        anonymous = max(0.0, float(process.resident - process.shared))
        process.saving = saving = saving if saving < anonymous else anonymous
        self.used += anonymous - saving - process.used
        process.used = anonymous - saving

    def correct(self, process: Process, rollup: Rollup) -> None:
        """Take up an exact reading of a member."""
        process.rollup = rollup
        self._share(process, rollup.saving / PAGE_KIB)

    def _used(self, process: Process) -> float:
        """CPU time of a process without a clock."""
        return read_stat(self._proc, process.pid).seconds

    def _look_at_hint(self) -> None:
        """Have the membership renewed when the main thread's list of children has changed."""
        try:
            data = self._hint.read_list()
        except SensorFault:
            return  # the main thread has ended; renewals at their cadence remain
        if data != self._hinted:
            self._hinted = data
            self._pending = True

    def renew(self, *, first: bool = False) -> None:
        """Find out again who belongs here, and settle what processes have waited for."""
        if first and self._listed:
            self._look_at_hint()
        if self._own and len(self.members) == 1 and _childless():
            self._pending = False
            self.major_faults = own_major_faults()
            return
        begun = time.thread_time()
        find = descendants_by_children if self._listed else descendants_by_scan
        listed = find(self._proc, self.root, self.excluded)
        stats = {pid: stat_or_none(self._proc, pid) for pid in (*self.members, *listed)}
        staying: set[int] = set()
        for process in self.members.values():  # parents first
            if process.pid == self.root or self._stays(process, stats.get(process.pid), staying):
                staying.add(process.pid)
        self._forget([one for one in self.members.values() if one.pid not in staying])
        for pid in listed:
            stat = stats[pid]
            if stat is not None and pid not in self.members and stat.parent in self.members:
                self._adopt(pid, stat, first=first)
        self.major_faults = 0
        for process in self.members.values():
            stat = stats.get(process.pid)
            if stat is not None:
                self.major_faults += stat.major_faults
                process.parent = stat.parent
                if not (self._own and process.pid == self.root):
                    self.seconds += process.settle(stat.waited)
        self.renewal_cost = time.thread_time() - begun
        self._pending = False
        self._renew_from = time.monotonic() + _HURRY * self.renewal_cost

    def _stays(self, process: Process, stat: ProcessStat | None, staying: set[int]) -> bool:
        """A list of children may leave out a living one while another ends: ask itself."""
        return (
            stat is not None
            and stat.start == process.start
            and stat.parent in staying
            and process.pid not in self.excluded
        )

    def _adopt(self, pid: int, stat: ProcessStat, *, first: bool) -> None:
        process = Process(self._proc, pid, stat, keep=len(self.members) <= AT_MOST)
        if self._own and pid == self.root:
            process.clock = time.CLOCK_PROCESS_CPUTIME_ID
        elif self._clocks:
            process.clock = clock_of(pid)
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - stat.started if self._clocks else 0.0
        if self._clocks and not first and age <= time.monotonic() - self._cpu_at + _SEEN_LATE:
            process.seconds = process.waited = 0.0  # born since the last reading: all of it is new
        elif process.clock is not None:
            try:
                process.seconds = _clock_gettime(process.clock)
            except OSError:
                return
        self.members[pid] = process
        self._everyone = self._all = ()
        self.generation += 1
        try:
            self._take(process, process.read())
        except SensorFault as fault:
            if pid == self.root or not is_over(fault):
                raise
            self._forget((process,))

    def _forget(self, gone: Iterable[Process]) -> None:
        """Let processes go, children before their parents, handing on what was counted."""
        for process in reversed(tuple(gone)):
            del self.members[process.pid]
            heir = self.members.get(process.parent) or self.members[self.root]
            heir.owed += process.seconds + process.waited + process.owed + process.carried
            self.living -= process.resident > 0
            self.resident -= process.resident
            self.shared -= process.shared
            self.used -= process.used
            self.generation += 1
            process.close()
        self._everyone = self._all = ()

    def paths(self) -> tuple[str, ...]:
        """Files read in a tick."""
        hint = (self._hint.path,) if self._listed else ()
        return (*hint, *(process.path for process in self._due()))

    def close(self) -> None:
        """Close all descriptors."""
        self._hint.close()
        for process in self.members.values():
            process.close()


def _childless() -> bool:
    """Whether this very process has no child, told by one call where the kernel knows it."""
    try:
        os.waitid(os.P_ALL, 0, _ANY_CHILD)
    except ChildProcessError:
        return True
    except OSError:
        return False  # before Linux 4.7 `waitid` refuses `__WALL`
    return False
