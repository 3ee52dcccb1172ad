"""Which process is meant, for good: a pid comes round again, with its start time it does not.

The start is in clock ticks after boot, so it means something only together with the boot; a pid
only within its namespace. A zombie has ended: it acts no more, whoever has yet to wait for it.

Formats: proc(5) (`stat`, `sys/kernel/random/boot_id`), pid_namespaces(7).
"""

from __future__ import annotations

import os
from typing import NamedTuple

from amptalk.sensors.files import SensorFault, garbled, is_number, link_target, read_once, read_text

ENDED = (b"Z", b"X", b"x")
_PAGE = 4096


class Identity(NamedTuple):
    """One process of one boot of one machine."""

    pid: int
    start: int
    """Clock ticks after boot."""
    boot: str
    """Identifier of the boot; empty where the kernel tells none."""
    namespace: str
    """The namespace that the pid belongs to, as the kernel names it; empty when not told."""


def start_of(proc: str, pid: int) -> int | None:
    """Clock ticks after boot at which a process started, `None` when it has ended.

    Raises `SensorFault` when that cannot be told.
    """
    path = f"{proc}/{pid}/stat"
    try:
        data = read_once(path, _PAGE)
    except SensorFault:
        if os.path.isdir(proc) and not os.path.isdir(f"{proc}/{pid}"):
            return None
        raise
    words = data[data.rfind(b")") + 1 :].split()
    if len(words) < 20 or not is_number(words[19]):
        raise garbled(path, "fewer or other fields than proc(5) lists")
    return None if words[0] in ENDED else int(words[19])


def identity_of(proc: str, pid: int) -> Identity:
    """Identify a living process. Raises `SensorFault` when it has ended or cannot be read."""
    start = start_of(proc, pid)
    if start is None:
        raise SensorFault(f"process {pid} has ended")
    return Identity(pid, start, read_boot(proc), namespace_of(proc))


def read_boot(proc: str) -> str:
    """Read which boot this is. Raises `SensorFault`."""
    return read_text(f"{proc}/sys/kernel/random/boot_id")


def namespace_of(proc: str) -> str:
    """Name the namespace of the pids that are seen here; empty where there is none."""
    return link_target(f"{proc}/self/ns/pid")
