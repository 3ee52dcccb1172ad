"""Swapped memory of a control group, and the RAM that it occupies without being charged.

Version 2 says in `memory.swap.current` how much is swapped, before compression; of it `memory.stat`
names what zswap holds (`zswapped`), whose RAM is charged to the group. Version 1 says `total_swap`
in `memory.stat` where the kernel counts it (`swapaccount=1`; by itself in most). What lies in
zram occupies RAM that the kernel charges to no group; the device's rate turns one into the other
(`swapspace`). Read every 5 s, with `memory.stat`.

Formats: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

from __future__ import annotations

from math import isnan

from amptalk.model.sample import Provenance
from amptalk.sensors.cgroups import Group
from amptalk.sensors.files import KeptFile, SensorFault, entry, whole_number
from amptalk.sensors.report import NAN, Notes, Source
from amptalk.sensors.swapspace import SwapSpace

_MB = 2.0**20


class GroupSwap(Source):
    """Swapped memory of one group."""

    name = "container swap"
    fields = ("container.swap_mb",)

    def __init__(self, notes: Notes, space: SwapSpace) -> None:
        super().__init__(notes)
        self._space = space
        self._file: KeptFile | None = None
        self._statistics = ""
        self.swap_mb = NAN
        self.uncharged = 0.0
        """Bytes of RAM beside what the kernel charges; 0 when not known."""

    def enter(self, group: Group) -> None:
        """Read this group from now on."""
        self.close()
        self._statistics = f"{group.folder}/memory.stat"
        if group.version == 2:
            self._file = KeptFile(f"{group.folder}/memory.swap.current", 64)

    def leave(self, fault: SensorFault) -> None:
        """State that there is nothing to read."""
        self.lose(fault)
        self.swap_mb, self.uncharged = NAN, 0.0

    def renew(self, statistics: bytes, now: float) -> None:
        """Read how much is swapped; `statistics` is the group's `memory.stat`."""
        space = self._space
        try:
            swapped, zswapped = self._amounts(statistics)
        except SensorFault as fault:
            if space.memory.swap[1] != 0.0:
                self.leave(fault)
                return
            swapped, zswapped = 0, 0  # the device has no swap space
        if self.lost or isnan(self.swap_mb):
            self.gain()
        self.swap_mb = swapped / _MB
        rate = space.spread.uncharged_rate
        self.uncharged = max(0, swapped - zswapped) * rate if rate > 0.0 else 0.0
        source = self._statistics if self._file is None else self._file.path
        self._notes.origin(self.fields, Provenance("measured", source, now))

    def _amounts(self, statistics: bytes) -> tuple[int, int]:
        """Bytes swapped in all and into zswap. Raises `SensorFault`."""
        file = self._file
        if file is not None:
            swapped = whole_number(file.read(), file.path)
            if b"\nzswapped " not in statistics:  # before Linux 5.19
                return swapped, 0
            return swapped, entry(statistics, b"zswapped", self._statistics)
        if b"\ntotal_swap " not in statistics:
            raise SensorFault(
                f"{self._statistics} has no total_swap: this kernel does not count what a group "
                "has in swap",
                "append swapaccount=1 to the kernel command line and reboot",
            )
        return entry(statistics, b"total_swap", self._statistics), 0

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
        self._file = None
