"""Which process is meant, for good: a pid comes round again, with its start time it does not.

The start is in clock ticks after boot, so it means something only together with the boot; a pid
only within its namespace. A zombie has ended: it acts no more, whoever has yet to wait for it.

Formats: proc(5) (`stat`, `sys/kernel/random/boot_id`), pid_namespaces(7).
"""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

from amptalk.sensors.files import SensorFault, garbled, is_number, link_target, read_once, read_text

ENDED = (b"Z", b"X", b"x")
_STOPPED = b"T"
_PENDING = b"\nShdPnd:"
"""Signals that a process has got and not acted on, as a mask in `status`."""
_STOP_SIGNAL = 1 << (signal.SIGSTOP - 1)
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
    try:
        state, start = _state_and_start(proc, pid)
    except SensorFault:
        if os.path.isdir(proc) and not os.path.isdir(f"{proc}/{pid}"):
            return None
        raise
    return None if state in ENDED else start


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended, if it lives. Needs Linux 5.3; raises `SensorFault`."""
    import select

    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (OSError, AttributeError) as error:
        raise SensorFault(f"the end of process {pid} cannot be waited for: {error}") from None
    try:
        ended = select.poll()  # no limit on the number, as `select` has
        ended.register(fd, select.POLLIN)
        ended.poll()
    finally:
        os.close(fd)


def is_stopped(proc: str, pid: int) -> bool:
    """Whether a process was stopped by a signal, or is about to. Raises `SensorFault`."""
    if _state_and_start(proc, pid)[0] == _STOPPED:
        return True
    pending = read_once(f"{proc}/{pid}/status", _PAGE).partition(_PENDING)[2].split(None, 1)
    return bool(pending and int(pending[0], 16) & _STOP_SIGNAL)


def _state_and_start(proc: str, pid: int) -> tuple[bytes, int]:
    path = f"{proc}/{pid}/stat"
    data = read_once(path, _PAGE)
    words = data[data.rfind(b")") + 1 :].split()
    if len(words) < 20 or not is_number(words[19]):
        raise garbled(path, "fewer or other fields than proc(5) lists")
    return words[0], int(words[19])


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
