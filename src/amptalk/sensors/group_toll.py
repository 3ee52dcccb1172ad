"""What the kernel says at the end of a group of ours: kills, failed charges, the most in use.

The counters are the group's own; it lives while a run does. Read now and then, never in a tick.

Formats: Documentation/admin-guide/cgroup-v2.rst (`memory.events`, `memory.peak` since Linux 5.19),
cgroup-v1/memory.rst (`memory.oom_control` with `oom_kill` since 4.13).
"""

from __future__ import annotations

from math import nan
from typing import NamedTuple

from amptalk.sensors.files import SensorFault, entry, read_number, read_once

_KILLS = {1: "memory.oom_control", 2: "memory.events"}
_PEAKS = {1: "memory.max_usage_in_bytes", 2: "memory.peak"}
_DEVICE_KILLS = b"oom_kill"


class Toll(NamedTuple):
    """`nan` for what the kernel does not tell."""

    kills: float = nan
    """Processes that the kernel killed because the group was full."""
    peak_mb: float = nan
    """The most that the group was charged with, file cache included."""


def toll_of(folder: str, version: int) -> Toll:
    """Read it for the group in `folder`; what cannot be read is `nan`."""
    return Toll(
        _entry(f"{folder}/{_KILLS[version]}", b"oom_kill"),
        _number(f"{folder}/{_PEAKS[version]}") / 2.0**20,
    )


def device_kills(proc: str) -> float:
    """Processes that the kernel has killed for lack of memory since the boot, of all groups."""
    return _entry(f"{proc}/vmstat", _DEVICE_KILLS)


def _entry(path: str, key: bytes) -> float:
    try:
        return float(entry(read_once(path), key, path))
    except SensorFault:
        return nan


def _number(path: str) -> float:
    try:
        return float(read_number(path))
    except SensorFault:
        return nan
