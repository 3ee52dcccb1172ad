"""Memory that the kernel holds: a cap that stands, and taking cold memory back.

The cap is above the limit by what is charged to a group but is not the application's memory as it
is measured: page tables, stacks of the kernel, buffers of sockets. Within its limit an application
never meets it, and the ladder acts before. Beyond it the kernel first takes file cache back, then
kills within the group: the process with the highest score (`victims`), not a neighbour.

`memory.force_empty` of version 1 is not used: it takes back all that it can, and would so swap the
whole application out. File cache is not part of the application's memory, so to take only that
back gives nothing that is limited.

Formats: Documentation/admin-guide/cgroup-v2.rst, .../cgroup-v1/memory.rst.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from math import inf

from amptalk.actuators.kernel.contract import GroupStep, Hold, Standing
from amptalk.actuators.kernel.value import HeldValue
from amptalk.actuators.kernel.writing import Refused, read, write
from amptalk.model.errors import ActionError
from amptalk.model.level import Level
from amptalk.sensors.files import SensorFault, entry, read_once

OVERHEAD = 0.05
"""Share of the limit that the kernel's own memory for the application may take on top of it."""
LEAST_OVERHEAD_MB = 16.0
STALLED_PERCENT, STALLED_SECONDS, LEAST_FOUND = 50.0, 10.0, 0.10
"""A brake is lifted when all processes wait for more than this share of the time, for so long, and
less than this share of what the kernel looks at could be taken back."""
_MB = 2**20
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cap_bytes(limit_mb: float) -> int:
    """Bytes at which the kernel caps a limit, in whole pages.

    >>> cap_bytes(1000) / 2**20
    1050.0
    """
    bytes_ = (limit_mb + max(OVERHEAD * limit_mb, LEAST_OVERHEAD_MB)) * _MB
    return int(bytes_) // _PAGE * _PAGE


def exact_bytes(limit_mb: float) -> int:
    """Bytes of a limit itself, in whole pages: a cap on all that the kernel charges.

    >>> exact_bytes(1000) / 2**20
    1000.0
    """
    return int(limit_mb * _MB) // _PAGE * _PAGE


class MemoryCap(Standing):
    """`memory.max`, or `memory.limit_in_bytes` of version 1, for the whole application.

    `cap` says at how many bytes the kernel caps a limit in MB.
    """

    name = "memory_cap"
    resource = "memory"

    def __init__(self, cap: Callable[[float], int] = cap_bytes) -> None:
        self._cap = cap
        self._value: HeldValue | None = None

    def hold(self, hold: Hold) -> None:
        """Enter a group that counts memory and cap it. Raises `ActionError`."""
        if hold.limit(self.resource) == inf:
            self._free(hold)
            return
        folder = hold.groups.enter("memory")
        version = hold.groups.place("memory").version
        value = self._value or hold.value(
            f"{folder}/{'memory.max' if version == 2 else 'memory.limit_in_bytes'}"
        )
        wanted = self._cap(hold.limit(self.resource))
        used = _used(folder, version)
        if used > wanted:
            raise ActionError(
                f"{folder} holds {used / _MB:.0f} MB already, more than the cap of "
                f"{wanted / _MB:.0f} MB: capping it now would kill"
            )
        value.hold(str(wanted))
        self._value = value

    def _free(self, hold: Hold) -> None:
        value, self._value = self._value, None
        if value is not None:
            value.release()
            hold.groups.leave("memory")

    def end(self) -> None:
        """All was undone by others."""
        self._value = None

    @property
    def held(self) -> float | None:
        """MB at which the kernel caps."""
        value = self._value
        return None if value is None or value.text is None else int(value.text) / _MB

    @property
    def where(self) -> str:
        """File and cap."""
        held = self.held
        return "" if held is None or self._value is None else f"{self._value.path} {held:.0f} MB"

    def lost(self) -> str:
        """Why the cap is gone."""
        return "" if self._value is None else self._value.still_held()


def usage_files(folder: str, version: int) -> tuple[str, str, tuple[str, str]]:
    """Files with what a group is charged with and with its details, and names of lines in these.

    The lines tell of file cache: what was not used for a while, and what was.
    """
    total, prefix = ("memory.usage_in_bytes", "total_") if version == 1 else ("memory.current", "")
    cache = (f"{prefix}inactive_file", f"{prefix}active_file")
    return f"{folder}/{total}", f"{folder}/memory.stat", cache


def _used(folder: str, version: int) -> int:
    """Bytes that a group has in use and that cannot simply be dropped. Raises `ActionError`."""
    total, _, (cold, _) = usage_files(folder, version)
    try:
        return int(read(total)) - _stat(folder, cold.encode())
    except (ValueError, SensorFault) as error:
        raise ActionError(f"{total} cannot be read as a number: {error}") from None


def _stat(folder: str, key: bytes) -> int:
    path = f"{folder}/memory.stat"
    return entry(read_once(path), key, path)


class _MemoryStep(GroupStep):
    """A step on memory of version 2, where there is swap for what is taken back."""

    controller = "memory"
    resource = "memory"
    level = Level.CRITICAL
    file: str

    def unfit(self, hold: Hold) -> str:
        """Say where it would be of no use."""
        place = hold.groups.place(self.controller)
        if place.version == 1:
            return f"version 1 of control groups has no {self.file}"
        try:
            total = swap_bytes(hold.roots.proc, b"SwapTotal")
        except SensorFault as fault:
            return fault.reason
        return "" if total else "no swap: what the kernel could take back is only file cache"


class MemoryReclaim(_MemoryStep):
    """Have the kernel take back cold memory, `memory.reclaim` (Linux 5.19): to swap, best to zram.

    It takes about what is needed, once; it may be used again. What is taken comes back when it is
    touched.
    """

    name = "memory_reclaim"
    file = "memory.reclaim"
    cost = 0.05
    latency = 0.0

    def apply(self, need: float) -> None:
        """Write how much; less may be had (EAGAIN), which the measurement tells."""
        path = f"{self._entered()[1]}/{self.file}"
        self.detail = ""
        try:
            write(path, str(int(need * _MB)))
        except Refused as refused:
            if refused.number != errno.EAGAIN:
                raise
            self.detail = str(refused)


class MemoryBrake(_MemoryStep):
    """Slow the growth of memory down, `memory.high`, while there is something to take back.

    Without it a group above `memory.high` comes to a standstill for hours that looks like running.
    So it is used only when swap and file cache cover what lies above, and `watch` lifts it when
    processes wait most of the time and hardly anything is found.
    """

    name = "memory_brake"
    file = "memory.high"
    cost = 0.3
    latency = 1.0

    def __init__(self) -> None:
        super().__init__()
        self._stalled_since: float | None = None
        self._counted = (0, 0)

    def apply(self, need: float) -> None:
        """Set it below the present use by what is needed. Raises `ActionError`."""
        hold = self._on()
        folder = self._entered()[1]
        high = int(read(f"{folder}/memory.current")) - int(max(need, 0.0) * _MB)
        high = max(_PAGE, high // _PAGE * _PAGE)
        above = cap_bytes(hold.limit(self.resource)) - high
        takeable = _stat(folder, b"inactive_file") + _stat(folder, b"active_file")
        takeable += swap_bytes(hold.roots.proc, b"SwapFree")
        if takeable < above:
            raise ActionError(
                f"only {takeable / _MB:.0f} MB could be taken back of {above / _MB:.0f} MB above "
                f"{self.file}: it would stand still"
            )
        self._stalled_since = None
        self._set(f"{folder}/{self.file}", str(high))

    @property
    def applied(self) -> bool:
        """True while growth is slowed down."""
        return self._value is not None

    def watch(self, now: float) -> None:
        """Lift it when it does harm; once a second, from an action thread. Raises `ActionError`."""
        if self.stalled(now):
            self.undo()

    def stalled(self, now: float) -> bool:
        """Whether it does harm: most of the time waiting, and hardly anything found."""
        value = self._value
        if value is None:
            return False
        folder = value.path.rpartition("/")[0]
        try:
            waiting = full_percent(read(f"{folder}/memory.pressure"))
            found, looked = _stat(folder, b"pgsteal"), _stat(folder, b"pgscan")
        except (ActionError, SensorFault):
            return True  # blind: better lifted
        before, self._counted = self._counted, (found, looked)
        steps = looked - before[1]
        poor = steps > 0 and (found - before[0]) / steps < LEAST_FOUND
        if waiting < STALLED_PERCENT or not poor:
            self._stalled_since = None
        elif self._stalled_since is None:
            self._stalled_since = now
        return self._stalled_since is not None and now - self._stalled_since >= STALLED_SECONDS


def full_percent(text: str) -> float:
    """Share of the last 10 s in which all processes of a group waited for memory.

    >>> full_percent("full avg10=53.10 avg60=0.00 avg300=0.00 total=1")
    53.1
    """
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "full" and words[1].startswith("avg10="):
            return float(words[1][6:])
    return 0.0


def swap_bytes(proc: str, key: bytes) -> int:
    """`SwapTotal` or `SwapFree` of meminfo in bytes. Raises `SensorFault`."""
    path = f"{proc}/meminfo"
    table = read_once(path).replace(b":", b"").replace(b" kB", b"")
    return entry(table, key, path) * 1024
