"""Which processes belong to the application, and the memory and CPU time they use per tick.

The application is one process and its living descendants. Who they are is found out every
5 s and at once when the main thread's own list of children changes or a process is gone; a
child started by another thread may be seen up to 5 s late. Stated gaps: a double-forked
orphan is no descendant any more; a zombie counts no memory, and its CPU time until it ended.

At most 64 descendants are read in one tick; with more, the reading goes round. The descriptor
of the memory file of each of the first 64 is kept: it stays bound to its process, so a pid
that is used again is noticed.

CPU time is a sum that never steps back: what each living process used since it was last seen,
plus what processes have waited for beyond what had been counted while the children lived.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterable

from amptalk.sensors.files import KeptFile, SensorFault, fault_of, garbled, read_once
from amptalk.sensors.procstat import (
    ProcessStat,
    descendants_by_children,
    descendants_by_scan,
    has_children_files,
    has_clock,
    read_stat,
    stat_or_none,
)
from amptalk.sensors.roots import Roots

AT_MOST = 64
"""Descendants read in one tick, and descriptors kept for them."""
_HURRY = 20.0
"""Membership is renewed out of turn only after this many times its cost: at most 5 % of a core."""
_SEEN_LATE = 0.02
"""Seconds by which a start time in clock ticks may be too early."""


class Process:
    """One process of the application and what was last seen of it; memory in pages."""

    __slots__ = (
        *("anonymous", "anonymous_base", "carried", "clock", "kept", "owed", "parent"),
        *("path", "pid", "resident", "said", "seconds", "shared", "start", "waited"),
    )

    def __init__(self, proc: str, pid: int, stat: ProcessStat, *, keep: bool) -> None:
        self.pid = pid
        self.parent = stat.parent
        self.start = stat.start
        self.path = f"{proc}/{pid}/statm"
        self.kept = KeptFile(self.path, 128) if keep else None
        self.clock = (~pid << 3) | 2  # clock id of a process's CPU time: CPUCLOCK_SCHED, by pid
        self.said = b""
        """What the memory file said last."""
        self.resident = self.shared = self.anonymous = self.anonymous_base = 0
        self.seconds = stat.seconds
        self.waited = stat.waited
        self.owed = 0.0
        """CPU time of children gone since the last settling, counted while they lived."""
        self.carried = 0.0
        """The same from the settling before: a child may go between the two readings."""

    def settle(self, waited: float) -> float:
        """Take what was waited for until now; returns what of it had not been counted yet."""
        growth = max(0.0, waited - self.waited)
        known = min(growth, self.owed + self.carried)
        self.carried = min(self.owed + self.carried - known, self.owed)
        self.owed = 0.0
        self.waited = max(self.waited, waited)
        return growth - known


class ProcessTree:
    """The processes of the application, renewed now and then and read every tick."""

    def __init__(self, roots: Roots, pid: int) -> None:
        self._proc = roots.proc
        self._clocks = roots.real and has_clock(pid)
        self._own = roots.real and pid == os.getpid()
        self.root = pid
        self.excluded: frozenset[int] = frozenset()
        self.members: dict[int, Process] = {}
        self.resident = self.shared = self.anonymous = self.anonymous_base = 0
        """Sums over all members, in pages."""
        self.living = 0
        self.seconds = 0.0
        """CPU time used since this object was made; never steps back."""
        self.generation = 0
        """Grows whenever a process joins or leaves."""
        self.renewal_cost = 0.0
        """CPU seconds that the last renewal of the membership took."""
        self._pending = False
        self._renew_from = 0.0
        self._turn = 0
        self._cpu_at = time.monotonic()
        self._listed = has_children_files(self._proc, pid)
        self._hint = KeptFile(f"{self._proc}/{pid}/task/{pid}/children", 65536)
        self._hinted = b""
        self._adopt(pid, read_stat(self._proc, pid), first=True)
        self.renew(first=True)

    def read(self, *, cpu: bool) -> None:
        """Read the memory of each process, and its CPU time if asked.

        Raises `SensorFault` when the application's own process cannot be read.
        """
        # Waited-for time first: a child reaped after it is then found gone in this tick or later,
        # and what it had used is known before the time reaches us a second time.
        settles = cpu and self._own
        waited = _waited_for() if settles else 0.0
        gone = [process for process in self._due() if not self._read(process, cpu=cpu)]
        if gone:
            self._forget(gone)
            self._pending = True
        if self._listed and self._hint_changed():
            self._pending = True
        if self._pending and time.monotonic() >= self._renew_from:
            self.renew()
        if cpu:
            self._cpu_at = time.monotonic()
        if settles:
            root = self.members[self.root]
            if waited != root.waited or root.owed or root.carried:
                self.seconds += root.settle(waited)

    def _due(self) -> Iterable[Process]:
        members = self.members.values()
        if len(members) <= AT_MOST + 1:
            return tuple(members)
        everyone = tuple(members)
        turn = 1 + self._turn % (len(everyone) - 1)
        window = everyone[turn : turn + AT_MOST]
        window += everyone[1 : 1 + AT_MOST - len(window)]
        self._turn = turn - 1 + AT_MOST
        return everyone[:1] + window

    def _read(self, process: Process, *, cpu: bool) -> bool:
        """Take up what a process uses; False when it is gone."""
        try:
            kept = process.kept
            data = kept.read() if kept is not None else read_once(process.path)
            if cpu:
                used = self._cpu_of(process)
                if used > process.seconds:
                    self.seconds += used - process.seconds
                    process.seconds = used
        except (SensorFault, OSError) as fault:
            if process.pid == self.root:
                raise self._ended(fault) from None
            return False
        return data == process.said or self._take(process, data)

    def _take(self, process: Process, data: bytes) -> bool:
        """Bring the sums up to what the memory file of a process says now."""
        try:
            words = data.split(None, 3)
            resident, shared = int(words[1]), int(words[2])
        except (ValueError, IndexError):
            if process.pid == self.root:
                raise garbled(process.path, "fewer than 3 numbers") from None
            return False
        anonymous = resident - shared
        if (resident == 0) != (process.resident == 0):
            self.living += 1 if resident else -1
        self.resident += resident - process.resident
        self.shared += shared - process.shared
        self.anonymous += anonymous - process.anonymous
        process.resident, process.shared, process.anonymous = resident, shared, anonymous
        process.said = data
        return True

    def _cpu_of(self, process: Process) -> float:
        if self._own and process.pid == self.root:
            return time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)
        if not self._clocks:
            return read_stat(self._proc, process.pid).seconds
        return time.clock_gettime(process.clock)

    def _ended(self, fault: Exception) -> SensorFault:
        if isinstance(fault, SensorFault):
            return fault
        assert isinstance(fault, OSError)  # noqa: S101 - the only other kind that is caught
        return fault_of(fault, f"the CPU clock of process {self.root}")

    def _hint_changed(self) -> bool:
        try:
            data = self._hint.read_list()
        except SensorFault:
            return False  # the main thread has ended; renewals at their cadence remain
        if data == self._hinted:
            return False
        self._hinted = data
        return True

    def renew(self, *, first: bool = False) -> None:
        """Find out again who belongs here, and settle what processes have waited for."""
        begun = time.thread_time()
        if first and self._listed:
            self._hint_changed()
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
        for process in self.members.values():
            stat = stats.get(process.pid)
            if stat is not None:
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
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - stat.started if self._clocks else 0.0
        if self._clocks and not first and age <= time.monotonic() - self._cpu_at + _SEEN_LATE:
            process.seconds = process.waited = 0.0  # born since the last reading: all of it is new
        elif self._clocks:
            try:
                process.seconds = self._cpu_of(process)
            except OSError:
                return
        self.members[pid] = process
        self.generation += 1
        if not self._read(process, cpu=False):
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
            self.anonymous -= process.anonymous
            self.anonymous_base -= process.anonymous_base
            self.generation += 1
            if process.kept is not None:
                process.kept.close()

    def set_base(self) -> None:
        """Remember the anonymous memory of each process as that of an exact reading."""
        for process in self.members.values():
            process.anonymous_base = process.anonymous
        self.anonymous_base = self.anonymous

    def paths(self) -> tuple[str, ...]:
        """Files read in a tick."""
        hint = (self._hint.path,) if self._listed else ()
        return (*hint, *(process.path for process in self._due()))

    def close(self) -> None:
        """Close all descriptors."""
        self._hint.close()
        for process in self.members.values():
            if process.kept is not None:
                process.kept.close()


def _waited_for() -> float:
    """CPU seconds of the children that this process has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
