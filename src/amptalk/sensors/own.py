"""The memory of this very process and its descendants, read at once, outside a sample.

For actions that must know what they did, and for jobs that are measured while they run. In a
sample, `application` counts the whole tree each tick, more exactly and with its reasons.
"""

from __future__ import annotations

import os

from amptalk.sensors.files import SensorFault, read_once
from amptalk.sensors.procstat import descendants_by_children
from amptalk.sensors.report import NAN

_ANY_CHILD = os.WEXITED | os.WNOHANG | os.WNOWAIT | 0x40000000
"""Ask without waiting or reaping, of children of every kind and thread (`__WALL`)."""
_NOBODY: frozenset[int] = frozenset()


def own_memory_mb() -> float:
    """Anonymous memory of this process in MB (statm: resident minus shared); `nan` without /proc.

    Opens the file anew each time, so it may be called from any thread and after a fork.
    """
    try:
        resident, shared = read_once("/proc/self/statm").split()[1:3]
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (SensorFault, ValueError):
        return NAN


def family_memory_mb() -> float:
    """Anonymous memory of this process plus what its descendants add to it, in MB.

    Of a descendant its private pages count: what it shares since a fork is in its parent's own.
    Costs 15 µs without children, else about 10 µs per thread and per MB of the descendants.
    """
    own = own_memory_mb()
    if not _has_children():
        return own
    try:
        pids = descendants_by_children("/proc", os.getpid(), _NOBODY)
    except SensorFault:
        return own  # this kernel does not list children: ticks alone see them
    return own + sum([_private_mb(pid) for pid in pids])


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, _ANY_CHILD)
    except OSError:
        return False
    return True


def _private_mb(pid: int) -> float:
    """Pages that this process alone has written, 0 when it is over."""
    try:
        lines = read_once(f"/proc/{pid}/smaps_rollup", 4096).split(b"\n")
        return sum([int(line.split()[1]) for line in lines if line.startswith(b"Private_D")]) / 1024
    except (SensorFault, ValueError, IndexError):
        return 0.0
