"""What `/proc/<pid>` says of one process: its line of counters and its exact memory.

Covers `stat` (parent, start, CPU), the list of children and `smaps_rollup`. Which processes
belong together is for `processes` to say.

Formats: Documentation/filesystems/proc.rst; `smaps_rollup` since Linux 4.14, its `Pss_Anon`,
`Pss_File` and `Pss_Shmem` since 5.4, `children` with CONFIG_PROC_CHILDREN.
"""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from amptalk.sensors.files import SensorFault, garbled, is_number, listing, read_once

if TYPE_CHECKING:
    from amptalk.model.sample import Method

_PAGE = 4096
"""Bytes that `stat`, `status` and `smaps_rollup` stay well below."""
_HZ = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


class ProcessStat(NamedTuple):
    """The parts of `/proc/<pid>/stat` that matter here."""

    parent: int
    start: int
    """Clock ticks after boot: with the pid it names a process for good."""
    seconds: float
    """CPU time of its own, in steps of 10 ms."""
    waited: float
    """CPU time of the children it has waited for."""
    major_faults: int
    """Its own and those of the children it has waited for."""

    @property
    def started(self) -> float:
        """Seconds after boot."""
        return self.start / _HZ


def read_stat(proc: str, pid: int) -> ProcessStat:
    """Read `/proc/<pid>/stat`. Raises `SensorFault`."""
    path = f"{proc}/{pid}/stat"
    data = read_once(path, _PAGE)
    words = data[data.rfind(b")") + 1 :].split()  # the name before it may hold ")" and spaces
    if len(words) < 20 or not all(map(is_number, (words[1], *words[9:15], words[19]))):
        raise garbled(path, "fewer or other fields than proc(5) lists")
    major, waited_major, user, system, waited_user, waited_system = map(int, words[9:15])
    return ProcessStat(
        int(words[1]),
        int(words[19]),
        (user + system) / _HZ,
        (waited_user + waited_system) / _HZ,
        major + waited_major,
    )


def is_over(fault: SensorFault) -> bool:
    """Whether a process has ended, or became another user's who hides it (mount option hidepid)."""
    return fault.number in {errno.ENOENT, errno.ESRCH, errno.EACCES, errno.EPERM}


def stat_or_none(proc: str, pid: int) -> ProcessStat | None:
    """What the kernel says of a process, `None` when it is over. Raises `SensorFault`."""
    try:
        return read_stat(proc, pid)
    except SensorFault as fault:
        if is_over(fault):
            return None
        raise


def clock_of(pid: int) -> int:
    """Clock id of a process's CPU time: CPUCLOCK_SCHED by pid, as clock_getcpuclockid(3) does."""
    return (~pid << 3) | 2


def has_clock(pid: int) -> bool:
    """Whether the CPU clock of a process can be read here (some sandboxes refuse)."""
    try:
        time.clock_gettime(clock_of(pid))
    except OSError:
        return False
    return True


def has_children_files(proc: str, pid: int) -> bool:
    """Whether this kernel lists children (CONFIG_PROC_CHILDREN), and to this user."""
    try:
        read_once(f"{proc}/{pid}/task/{pid}/children")
    except SensorFault as fault:
        return not is_over(fault)
    return True


def descendants_by_children(proc: str, root: int, excluded: frozenset[int]) -> list[int]:
    """Every descendant of `root`, parents first, leaving out excluded ones with theirs.

    Raises `SensorFault` when a list cannot be read though its thread lives.
    """
    queue = [root]
    seen = excluded | {root}
    for pid in queue:
        for thread in listing(f"{proc}/{pid}/task"):
            try:
                path = f"{proc}/{pid}/task/{thread}/children"
                words = read_once(path).split()
            except SensorFault as fault:
                if is_over(fault):
                    continue
                raise
            if not all(map(is_number, words)):
                raise garbled(path, "other words than numbers of processes")
            fresh = {int(word) for word in words} - seen
            seen |= fresh
            queue += sorted(fresh)
    return queue[1:]


def descendants_by_scan(proc: str, root: int, excluded: frozenset[int]) -> list[int]:
    """Do the same from the parents of all processes, where the kernel does not list children."""
    children: dict[int, set[int]] = {}
    for name in listing(proc):
        if name.isdigit():
            try:
                parent = read_stat(proc, int(name)).parent
            except SensorFault:
                continue  # it has ended meanwhile
            children.setdefault(parent, set()).add(int(name))
    queue = [root]
    seen = excluded | {root}
    for pid in queue:
        fresh = children.get(pid, set()) - seen
        seen |= fresh
        queue += sorted(fresh)
    return queue[1:]


def family(proc: str, root: int, excluded: frozenset[int]) -> list[int]:
    """A process and every descendant by the means that this kernel has. Raises `SensorFault`."""
    if has_children_files(proc, root):
        return [root, *descendants_by_children(proc, root, excluded)]
    return [root, *descendants_by_scan(proc, root, excluded)]


class Rollup(NamedTuple):
    """Memory of one process with shared pages divided among their users; KiB.

    The anonymous part is told as what has to be taken off the anonymous resident set, which is
    read each tick: both are of one walk through the page tables, so the difference holds however
    fast the process grows and shrinks.
    """

    saving: float
    """Anonymous resident set minus its proportional share: what other users are charged with."""
    shmem: float
    file: float
    pss: float
    swap: float
    method: Method
    source: str


def read_rollup(proc: str, pid: int) -> Rollup:
    """Read how much of a process's memory is shared, or the next best thing.

    Without `Pss_Anon` (before Linux 5.4) anonymous plus shared memory is at most
    min(Pss, Anonymous + RssShmem), which is taken. Without a readable `smaps_rollup` it is
    the resident set by kind, which counts shared pages in every process; PSS is then `nan`.
    Raises `SensorFault` when the process has ended.
    """
    path = f"{proc}/{pid}/smaps_rollup"
    try:
        table = _table(read_once(path, _PAGE))
    except SensorFault as fault:
        return _resident(proc, pid, fault.reason)
    pss = table.get("Pss")
    if pss is None or not _complete(table):
        return _resident(proc, pid, f"{path} is not complete")
    swap = table.get("SwapPss", table.get("Swap", 0))
    if "Pss_Anon" in table and "Pss_File" in table:
        share = table["Pss_Anon"]
        saving = max(0, table.get("Anonymous", share) - share)
        shmem = table.get("Pss_Shmem", 0)
        return Rollup(saving, shmem, table["Pss_File"], pss, swap, "measured", "smaps_rollup")
    anonymous = table.get("Anonymous", pss)
    share = min(pss, anonymous)
    shmem = min(pss - share, _status(proc, pid).get("RssShmem", 0))
    source = "smaps_rollup without Pss_Anon: at most min(Pss, Anonymous + RssShmem)"
    file = pss - share - shmem
    return Rollup(anonymous - share, shmem, file, pss, swap, "estimated", source)


def _complete(table: dict[str, int]) -> bool:
    """Whether the kernel printed all that it prints together."""
    kinds = sum(kind in table for kind in ("Pss_Anon", "Pss_File", "Pss_Shmem"))
    return kinds in {0, 3} and "Anonymous" in table and "SwapPss" in table


def _resident(proc: str, pid: int, why: str) -> Rollup:
    table = _status(proc, pid)
    nan = float("nan")
    if "RssAnon" in table:
        kinds = 0, table.get("RssShmem", 0), table.get("RssFile", 0)
        swap = table.get("VmSwap", nan)
        return Rollup(*kinds, nan, swap, "estimated", f"RSS by kind, since {why}")
    try:
        shared = int(read_once(f"{proc}/{pid}/statm").split()[2]) * PAGE_KIB
    except (IndexError, ValueError):
        raise garbled(f"{proc}/{pid}/statm", "fewer than 3 numbers") from None
    source = f"statm, since its status cannot be read and {why}"
    return Rollup(0, 0, shared, nan, nan, "estimated", source)


def _status(proc: str, pid: int) -> dict[str, int]:
    try:
        return _table(read_once(f"{proc}/{pid}/status", _PAGE))
    except SensorFault:
        return {}


def _table(data: bytes) -> dict[str, int]:
    """Lines of the shape `Key: number kB`."""
    table: dict[str, int] = {}
    for line in data.split(b"\n")[:-1]:  # behind the last one nothing is whole
        words = line.split()
        if len(words) == 3 and words[2] == b"kB" and is_number(words[1]):
            table[words[0].rstrip(b":").decode("ascii", "replace")] = int(words[1])
    return table
