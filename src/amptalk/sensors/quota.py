"""The tightest CPU quota of a group and of those around it, read at once.

Formats: Documentation/admin-guide/cgroup-v2.rst (`cpu.max`), scheduler/sched-bwc.rst.
"""

from __future__ import annotations

import errno
from math import inf

from amptalk.sensors.capacity import Limit
from amptalk.sensors.cgroups import Group
from amptalk.sensors.files import (
    SensorFault,
    garbled,
    is_number,
    read_number,
    read_text,
    whole_number,
)

QUOTA_FILES = ("cpu.cfs_quota_us", "cpu.max")
"""Files that prove a group with quotas, of version 1 and 2."""
UNLIMITED = Limit(inf, "no CPU quota")


def tightest_quota(group: Group | None) -> tuple[Limit, str]:
    """The tightest quota of a group and those around it in cores, and the folder that has it.

    Raises `SensorFault` when one cannot be read.
    """
    limit, holding = UNLIMITED, ""
    if group is None:
        return limit, holding
    for folder in group.ancestors():
        try:
            cores, path = _quota(group.version, folder)
        except SensorFault as fault:
            if fault.number == errno.ENOENT:
                continue  # the controller is not handed down to this group: no quota
            raise
        if cores < limit.amount:
            limit, holding = Limit(cores, path), folder
    return limit, holding


def _quota(version: int, folder: str) -> tuple[float, str]:
    """Cores that a group may use, `inf` without a quota, and the file that says so."""
    if version == 1:
        path = f"{folder}/cpu.cfs_quota_us"
        quota = read_number(path)
        if quota == -1:
            return inf, path
        try:
            period = f"{folder}/cpu.cfs_period_us"
            return _cores(path, quota, whole_number(read_text(period), period)), path
        except SensorFault as fault:  # without its number: a quota is there, whatever is not
            raise SensorFault(fault.reason, fault.remedy) from None
    path = f"{folder}/cpu.max"
    words = read_text(path).split()
    if words[:1] == ["max"]:
        return inf, path
    if len(words) == 2 and is_number(words[0]) and is_number(words[1]):
        return _cores(path, int(words[0]), int(words[1])), path
    raise garbled(path, "it is not `quota period`")


def _cores(path: str, quota: int, period: int) -> float:
    if quota <= 0 or period <= 0:
        raise garbled(path, f"a quota of {quota} in {period} µs")
    return quota / period
