"""The memory of this very process and its descendants, read at once, outside a sample.

For actions that must know what they did, and for jobs that are measured while they run. In a
sample, `application` counts the whole tree each tick, more exactly and with its reasons.
"""

from __future__ import annotations

import os
import time
from math import isnan

from amptalk.sensors.files import SensorFault, read_once
from amptalk.sensors.procstat import PAGE_KIB, descendants_by_children
from amptalk.sensors.report import NAN

_ANY_CHILD = os.WEXITED | os.WNOHANG | os.WNOWAIT | 0x40000000
"""Ask without waiting or reaping, of children of every kind and thread (`__WALL`)."""
_NO_PROGRAM = 0x40
"""Flag PF_FORKNOEXEC in `stat`: forked, and no program started since."""
_VFORK = 0.05
"""Seconds in which a fork without a program may still run in its parent's very memory (vfork), of
which all would seem to be its own."""
_WRITTEN = b"Private_Dirty:"
_HZ = os.sysconf("SC_CLK_TCK")
_helpers: frozenset[int] = frozenset()
"""Processes of ours that are not the application."""


def leave_out(pid: int) -> None:
    """Count a helper process out of the application from now on; a pid is not asked again."""
    global _helpers  # noqa: PLW0603 - there is one application to a process
    _helpers |= {pid}


def own_memory_mb() -> float:
    """Anonymous memory of this process in MB (statm: resident minus shared); `nan` without /proc.

    Opens the file anew each time, so it may be called from any thread and after a fork.
    """
    return _anonymous_mb("self")


def family_memory_mb() -> float:
    """Anonymous memory of this process plus what its descendants add to it, in MB.

    Of a child that was forked and runs no program of its own, only what it alone has written
    counts: the rest is in its parent's. Costs 15 µs without children, with them about 100 µs and
    10 µs for each MB of such forks. Without lists of children (CONFIG_PROC_CHILDREN) it is the
    memory of this process alone.
    """
    own = own_memory_mb()
    if not _has_children():
        return own
    try:
        pids = descendants_by_children("/proc", os.getpid(), _helpers)
    except SensorFault:
        return own
    return own + sum([_added_mb(pid) for pid in pids])


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, _ANY_CHILD)
    except OSError:
        return False
    return True


def _anonymous_mb(pid: int | str) -> float:
    try:
        resident, shared = read_once(f"/proc/{pid}/statm").split()[1:3]
        return (int(resident) - int(shared)) * PAGE_KIB / 1024.0
    except (SensorFault, ValueError):
        return NAN


def _added_mb(pid: int) -> float:
    """What a descendant adds, 0 when it is over."""
    try:
        stat = read_once(f"/proc/{pid}/stat", 4096)
        words = stat[stat.rfind(b")") + 1 :].split()
        if not int(words[6]) & _NO_PROGRAM:
            memory = _anonymous_mb(pid)
            return 0.0 if isnan(memory) else memory
        if time.clock_gettime(time.CLOCK_BOOTTIME) - int(words[19]) / _HZ < _VFORK:
            return 0.0
        lines = read_once(f"/proc/{pid}/smaps_rollup", 4096).split(b"\n")
        return sum([int(line.split()[1]) for line in lines if line.startswith(_WRITTEN)]) / 1024.0
    except (SensorFault, ValueError, IndexError):
        return 0.0
