"""One process of the application: what was last seen of its memory and CPU time.

Which processes belong to the application, and their sums, are for `processes`.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from functools import partial

from amptalk.sensors.files import KeptFile, read_once
from amptalk.sensors.procstat import ProcessStat, Rollup


class Process:
    """One process of the application and what was last seen of it; memory in pages."""

    __slots__ = (
        *("carried", "clock", "close", "owed", "parent", "path", "pid", "read", "resident"),
        *("rollup", "said", "saving", "seconds", "shared", "start", "used", "waited"),
    )

    read: Callable[[], bytes]
    """Read the memory file; raises `SensorFault` when the process is gone."""
    close: Callable[[], None]
    """Close the memory file."""

    def __init__(self, proc: str, pid: int, stat: ProcessStat, *, keep: bool) -> None:
        self.pid = pid
        self.parent = stat.parent
        self.start = stat.start
        self.path = f"{proc}/{pid}/statm"
        kept = KeptFile(self.path, 128)
        self.read = kept.read if keep else partial(read_once, self.path)
        self.close = kept.close
        self.clock: int | None = None
        """Clock of its CPU time; `None` where there is only `stat`."""
        self.said = b""
        """What the memory file said last."""
        self.resident = self.shared = 0
        self.used = 0.0
        """Anonymous memory, as far as it is this process's own share."""
        self.saving = 0.0
        """What of the anonymous resident set other processes are charged with."""
        self.rollup: Rollup | None = None
        """The last exact reading; `None` before the first."""
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


def waited_for() -> float:
    """CPU seconds of the children that this very process has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def own_major_faults() -> int:
    """Major faults of this very process and of the children it has waited for."""
    own, children = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return resource.getrusage(own).ru_majflt + resource.getrusage(children).ru_majflt
