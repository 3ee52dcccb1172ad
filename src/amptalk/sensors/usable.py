"""What a process can use at most, found without a suite: for what must start quickly.

Of cores the same bounds as `suite.SensorSuite.capacity`: affinity, which names no processor that is
offline, and every quota around the process.
"""

from __future__ import annotations

import os
from math import inf, nan

from amptalk.sensors.capacity import Limit, effective_capacity
from amptalk.sensors.cgroups import NoGroup, find_group
from amptalk.sensors.files import SensorFault, read_once
from amptalk.sensors.quota import QUOTA_FILES, tightest_quota
from amptalk.sensors.roots import Roots

_AVAILABLE = b"\nMemAvailable:"


def available_mb(roots: Roots) -> float:
    """Memory of the device that can be had without swapping, in MB; `nan` when not told."""
    try:
        words = read_once(f"{roots.proc}/meminfo").partition(_AVAILABLE)[2].split(None, 2)
        return int(words[0]) / 1024.0
    except (SensorFault, IndexError, ValueError):
        return nan


def usable_cores(roots: Roots, pid: int) -> Limit:
    """Cores and what bounds them; `nan` and why they are not known."""
    allowed = len(os.sched_getaffinity(pid))
    try:
        quota, _ = tightest_quota(find_group(roots, pid, "cpu", QUOTA_FILES))
    except NoGroup as none:
        quota = Limit(inf, none.reason)
    except SensorFault as fault:
        quota = Limit(nan, fault.reason)
    whole = effective_capacity((Limit(allowed, f"affinity allows {allowed} CPUs"), quota), ())
    return Limit(whole.cpu_cores, whole.cpu_reason)
