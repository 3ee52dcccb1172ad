"""The memory of this very process, read at once: for actions that must know what they did.

Not part of a sample: `application` counts the whole tree, each tick.
"""

from __future__ import annotations

import os

from amptalk.sensors.files import SensorFault, read_once
from amptalk.sensors.report import NAN


def own_memory_mb() -> float:
    """Anonymous memory of this process in MB (statm: resident minus shared); `nan` without /proc.

    Opens the file anew each time, so it may be called from any thread and after a fork.
    """
    try:
        resident, shared = read_once("/proc/self/statm").split()[1:3]
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (SensorFault, ValueError):
        return NAN
