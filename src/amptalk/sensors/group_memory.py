"""Memory of a control group: usage, working set, the tightest limit, kills by the kernel.

Working set is usage minus inactive file cache, at least 0 (the kubelet's rule), plus the RAM that
its swapped memory occupies in zram (`group_swap`): the kernel charges that to nobody. A percent of
a control group's limit leaves it out, as the kernel does when it kills. Usage is read every
tick, the file cache, swap and the kills every 5 s, the limits of all ancestors every 60 s. When
an ancestor's limit is the tightest, the percent is of that ancestor's use.

Formats: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

from __future__ import annotations

import errno
from math import inf, isnan

from amptalk.model.sample import Provenance
from amptalk.sensors.capacity import Limit
from amptalk.sensors.cgroups import Group, NoGroup
from amptalk.sensors.files import (
    KeptFile,
    SensorFault,
    entry,
    garbled,
    is_number,
    read_text,
    whole_number,
)
from amptalk.sensors.group_swap import GroupSwap
from amptalk.sensors.report import NAN, Notes, Source
from amptalk.sensors.swapspace import SwapSpace

_MB = 2.0**20
_NO_LIMIT = 1 << 60
"""Version 1 says about 2^63, rounded down to a page, for no limit."""
_UNLIMITED = Limit(inf, "no control group limit")
_UNKNOWN = Limit(NAN, "the memory limit has not been read yet")
_FILES = {
    1: ("memory.usage_in_bytes", "memory.limit_in_bytes", b"total_inactive_file"),
    2: ("memory.current", "memory.max", b"inactive_file"),
}
_CACHED = ("container.working_set_mb", "container.memory_percent")
_KILLS = ("container.oom_kills",)
_STATISTICS = 16384
"""Bytes asked for of `memory.stat`, which has about 2000."""
_LOST = (NAN, NAN, NAN, NAN)


class GroupMemory(Source):
    """Usage, working set, limit and percent, and the number of kills."""

    name = "container memory"
    fields = tuple(
        f"container.{name}"
        for name in ("memory_usage_mb", "working_set_mb", "memory_limit_mb", "memory_percent")
    )

    def __init__(self, notes: Notes, space: SwapSpace) -> None:
        super().__init__(notes)
        self.swap = GroupSwap(notes, space)
        self.group: Group | None = None
        self.limit = _UNKNOWN
        """The tightest limit in MB as last read, `inf` without one, `nan` before that."""
        self._roomless = False
        """Whether neither a limit nor the machine's memory is known to take the percent of."""
        self.kills = NAN
        self._usage: KeptFile | None = None
        self._statistics: KeptFile | None = None
        self._events: KeptFile | None = None
        self._said = b""
        """What the file with the number of kills said last."""
        self._limiting: KeptFile | None = None
        self._limiting_statistics: KeptFile | None = None
        self._cache = self._limiting_cache = 0.0

    def enter(self, group: Group, now: float) -> None:
        """Read this group from now on."""
        self.close()
        self.group = group
        self.swap.enter(group)
        self._usage = KeptFile(f"{group.folder}/{_FILES[group.version][0]}", 64)
        self._statistics = KeptFile(f"{group.folder}/memory.stat", _STATISTICS)
        events = "memory.events" if group.version == 2 else "memory.oom_control"
        self._events = KeptFile(f"{group.folder}/{events}", 512)
        self.work(now)

    def leave(self, fault: SensorFault) -> None:
        """State that there is no group to read, or none that can be."""
        self.close()
        self.group = None
        self.kills = NAN
        self._lose_limit(fault)
        self.swap.leave(fault)
        self._notes.lose(_KILLS, fault.reason, fault.remedy)

    def _lose_limit(self, fault: SensorFault) -> None:
        """Keep the limit as last read, since it changes seldom: it still bounds."""
        if isinstance(fault, NoGroup):
            self.limit = _UNLIMITED
        elif isnan(self.limit.amount):
            self.limit = _UNKNOWN._replace(reason=fault.reason)
        self.lose(fault)

    def work(self, now: float) -> None:
        """Renew the limits and all else that changes slowly, and find lost values again."""
        group = self.group
        if group is None:
            return
        try:
            self._renew_limit(group)
        except SensorFault as fault:
            self._lose_limit(fault)
            self.swap.leave(fault)
            self._renew_kills()
        else:
            self.renew_cache(now)

    def renew_cache(self, now: float) -> None:
        """Renew the reclaimable file cache and the number of kills."""
        group, statistics = self.group, self._statistics
        if group is None or statistics is None:
            return
        key = _FILES[group.version][2]
        try:
            said = statistics.read()
            self._cache = float(entry(said, key, statistics.path))
            statistics = self._limiting_statistics
            if statistics is not None:
                self._limiting_cache = float(entry(statistics.read(), key, statistics.path))
        except SensorFault as fault:
            self.lose(fault)
            self.swap.leave(fault)
        else:
            if self.lost:
                self.gain()
                self._roomless = False
            self.swap.renew(said, now)
            source = f"usage - inactive file cache of {group.folder}/memory.stat"
            if self.swap.uncharged > 0.0:
                source += " + RAM of swapped memory"
            self._notes.origin(_CACHED, Provenance("derived", source, now, renewed=True))
        self._renew_kills()

    def _renew_limit(self, group: Group) -> None:
        usage_name, limit_name, _ = _FILES[group.version]
        limit, limiting = _UNLIMITED, group.folder
        for folder in group.ancestors():
            path = f"{folder}/{limit_name}"
            try:
                amount = _amount(path)
            except SensorFault as fault:
                if folder == group.folder or fault.number != errno.ENOENT:
                    raise
                continue  # an ancestor without the controller sets no limit
            if amount < limit.amount:
                limit, limiting = Limit(amount, path), folder
        self.limit = limit._replace(amount=limit.amount / _MB)
        if limiting == group.folder:
            self._close_limiting()
        elif self._limiting is None or self._limiting.path != f"{limiting}/{usage_name}":
            self._close_limiting()
            self._limiting = KeptFile(f"{limiting}/{usage_name}", 64)
            self._limiting_statistics = KeptFile(f"{limiting}/memory.stat", _STATISTICS)

    def _renew_kills(self) -> None:
        events = self._events
        if events is None:
            return
        try:
            said = events.read()
            if said != self._said:
                self.kills = float(entry(said, b"oom_kill", events.path))
                self._said = said
                self._notes.find(_KILLS)
        except SensorFault as fault:
            self.kills = NAN
            self._said = b""
            self._notes.lose(_KILLS, fault.reason, fault.remedy)

    def read(self, room_mb: float) -> tuple[float, float, float, float]:
        """Usage, working set, limit, percent; percent is of the limit or, without, `room_mb`."""
        usage_file = self._usage
        if self.lost or usage_file is None:
            return _LOST
        try:
            usage = whole_number(usage_file.read(), usage_file.path)
            counted = usage - self._cache
            working = counted + self.swap.uncharged
            limiting = self._limiting
            if limiting is not None:
                counted = whole_number(limiting.read(), limiting.path) - self._limiting_cache
            elif self.limit.amount > room_mb:
                counted = working
        except SensorFault as fault:
            self.lose(fault)
            return _LOST
        limit = self.limit.amount
        room = room_mb if limit > room_mb else limit
        counted = counted / _MB if counted > 0.0 else 0.0
        percent = 100.0 * counted / room if room > 0.0 else 100.0
        if room == inf or self._roomless:
            percent = self._without_room(percent, room)
        return usage / _MB, working / _MB if working > 0.0 else 0.0, limit, percent

    def _without_room(self, percent: float, room: float) -> float:
        """State why there is no percent, or that there is one again."""
        self._roomless = room == inf
        if self._roomless:
            self._notes.lose(_CACHED[1:], self._notes.reason(("device.memory_total_mb",)))
            return NAN
        self._notes.find(_CACHED[1:])
        return percent

    def paths(self) -> tuple[str, ...]:
        """Files read each tick."""
        if self.lost:
            return ()
        return tuple(file.path for file in (self._usage, self._limiting) if file is not None)

    def _close_limiting(self) -> None:
        for file in (self._limiting, self._limiting_statistics):
            if file is not None:
                file.close()
        self._limiting = self._limiting_statistics = None

    def close(self) -> None:
        """Close the files."""
        self._close_limiting()
        self.swap.close()
        for file in (self._usage, self._statistics, self._events):
            if file is not None:
                file.close()
        self._usage = self._statistics = self._events = None
        self._said = b""


def _amount(path: str) -> float:
    text = read_text(path)
    if text == "max":
        return inf
    if not is_number(text):
        raise garbled(path, f"{text[:40]!r} is neither a number nor `max`")
    amount = int(text)
    return inf if amount >= _NO_LIMIT else float(amount)
