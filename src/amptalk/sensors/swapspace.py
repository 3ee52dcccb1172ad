"""Where swapped memory lies: compressed in RAM (zram, zswap) or on a disk.

Memory that a kernel swaps to zram has not left: it occupies RAM, compressed. Read every 5 s while
there is swap space: `/proc/swaps` says which areas there are and how much of each is used, the
folder of each zram device among them what it holds and what that takes; what zswap holds is in
`/proc/meminfo` (`memory`). A zram device that is no swap area, such as a RAM disk, is left out.

Two rates follow. RAM per MB swapped, of the whole device, turns the swapped memory of an
application into the RAM it occupies; the same without zswap serves control groups, to which
the kernel charges zswap but not zram. Where swap lies both in RAM and on a disk nobody says
whose pages lie where, so the rate of the whole device is an estimate for a part of it.

Not covered: a swap file on a file system in RAM (taken for a disk) and a disk image in RAM.

Formats: Documentation/admin-guide/blockdev/zram.rst (`mm_stat` since Linux 4.1 with 7 columns,
more later; `bd_stat` with CONFIG_ZRAM_WRITEBACK), swaps in proc(5), zswap.rst.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from amptalk.model.sample import Method, Provenance
from amptalk.sensors.files import (
    KeptFile,
    SensorFault,
    exists,
    garbled,
    is_number,
    read_text,
    unescaped,
)
from amptalk.sensors.memory import MemorySource
from amptalk.sensors.report import NAN, Notes, Source
from amptalk.sensors.roots import Roots

_ZRAM = re.compile(r"/(zram\d+)(?: \(deleted\))?")
_MB = 2.0**20
_BLOCK = 4096
"""Bytes of one block in `bd_stat`, whatever the page size."""


class Area(NamedTuple):
    """One line of `/proc/swaps`."""

    path: str
    kind: str
    """`partition` or `file`."""
    used_mb: float
    """By the size before compression."""

    @property
    def zram(self) -> str:
        """Name of the zram device, empty for any other area."""
        found = _ZRAM.fullmatch(self.path[self.path.rfind("/") :])
        return found[1] if found is not None and self.kind == "partition" else ""


class Spread(NamedTuple):
    """How swapped memory turns into RAM."""

    rate: float
    """MB of RAM for each MB swapped; `nan` when not known."""
    uncharged_rate: float
    """The same for what is swapped past zswap: RAM that no control group is charged with."""
    method: Method = "derived"
    reason: str = ""
    """Why the rates are not known."""


NOWHERE = Spread(0.0, 0.0)
"""Nothing is swapped into RAM."""


class SwapSpace(Source):
    """What of the swap space in use lies in RAM, what that takes, and what lies on disks."""

    name = "device swap space"
    fields = ("device.swap_compressed_mb", "device.swap_ram_mb", "device.swap_disk_mb")

    def __init__(self, roots: Roots, notes: Notes, memory: MemorySource) -> None:
        super().__init__(notes)
        self._file = KeptFile(f"{roots.proc}/swaps")
        self._sys = roots.sys
        self._devices: dict[str, _Zram] = {}
        self.memory = memory
        """Says in each tick how much swap space is in use."""
        self.spread = NOWHERE
        """Another object whenever something changed."""
        self.values: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def path(self) -> str:
        """The file that names the areas."""
        return self._file.path

    def renew(self, now: float) -> None:
        """Find out where swapped memory lies."""
        zswap = self.memory.zswap
        if self.memory.swap[1] == 0.0:
            self.close()
            self._take((0.0, 0.0, 0.0), NOWHERE)
            self._notes.plain(self.fields)
            return
        try:
            areas = parse_swaps(self._file.read(), self.path)
            if not areas:
                raise garbled(self.path, "it names no area though meminfo has swap space")
            self._told(zswap)
            values, spread = spread_of(areas, self._holdings(areas), zswap or (0.0, 0.0))
        except SensorFault as fault:
            self.lose(fault)
            reason = self.why()
            if self.spread.reason != reason:
                self.values, self.spread = (NAN, NAN, NAN), Spread(NAN, NAN, "estimated", reason)
            return
        self._take(values, spread)
        source = f"{self.path}, mm_stat of zram, zswap in meminfo"
        self._notes.origin(self.fields, Provenance("measured", source, now))

    def _take(self, values: tuple[float, float, float], spread: Spread) -> None:
        if self.lost:
            self.gain()
        self.values = values
        if spread != self.spread:
            self.spread = spread

    def _told(self, zswap: tuple[float, float] | None) -> None:
        """Refuse when the kernel may hold swapped memory in RAM and does not say how much."""
        if zswap is not None:
            return
        try:
            enabled = read_text(f"{self._sys}/module/zswap/parameters/enabled")
        except SensorFault:
            return  # no zswap in this kernel
        if enabled == "Y":
            raise SensorFault(
                "zswap is on, and kernels before 5.19 do not say in meminfo how much it holds"
            )

    def _holdings(self, areas: tuple[Area, ...]) -> tuple[Holding, ...]:
        """What each zram device that is a swap area holds. Raises `SensorFault`."""
        names = [area.zram for area in areas if area.zram]
        for gone in self._devices.keys() - set(names):
            self._devices.pop(gone).close()
        for name in names:
            if name not in self._devices:
                self._devices[name] = _Zram(f"{self._sys}/block/{name}")
        return tuple(self._devices[name].read() for name in names)

    def close(self) -> None:
        """Close all files."""
        self._file.close()
        for device in self._devices.values():
            device.close()
        self._devices.clear()


class Holding(NamedTuple):
    """What one zram device holds, in MB."""

    stored: float
    """Before compression, what it has written back to its disk left out."""
    ram: float
    disk: float
    """Written back to its backing device."""


class _Zram:
    """The two files of one zram device."""

    def __init__(self, folder: str) -> None:
        self._memory = KeptFile(f"{folder}/mm_stat", 256)
        backing = f"{folder}/bd_stat"
        self._backing = KeptFile(backing, 256) if exists(backing) else None

    def read(self) -> Holding:
        backing = self._backing
        written = b"0" if backing is None else backing.read()
        return parse_zram(self._memory.read(), written, self._memory.path)

    def close(self) -> None:
        self._memory.close()
        if self._backing is not None:
            self._backing.close()


def parse_swaps(data: bytes, path: str = "/proc/swaps") -> tuple[Area, ...]:
    """Areas in use. Raises `SensorFault` where the file does not say what they are.

    LXCFS names a `virtual` area in containers: where that lies only the host knows.
    """
    if not data.startswith(b"Filename") or not data.endswith(b"\n"):
        raise garbled(path, "it does not begin with a heading or ends within a line")
    areas = []
    for line in data.decode("utf-8", "surrogateescape").splitlines()[1:]:
        words = line.split()
        if len(words) != 5 or not is_number(words[3]):
            raise garbled(path, f"{line[:60]!r} is not name, kind, size, used and priority")
        if words[1] not in {"partition", "file"}:
            raise SensorFault(f"{path} names swap of kind {words[1]!r}: where it lies is not told")
        areas.append(Area(unescaped(words[0]), words[1], int(words[3]) / 1024.0))
    return tuple(areas)


def parse_zram(memory: bytes, backing: bytes, path: str) -> Holding:
    """Take `mm_stat` and `bd_stat` of a zram device. Raises `SensorFault`.

    Of `mm_stat` the first three columns are used: original, compressed, and in total with all that
    the allocator keeps. Pages written back still count as original.
    """
    words, written = memory.split(), backing.split()[:1]
    if len(words) < 3 or not written or not all(map(is_number, words[:3] + written)):
        raise garbled(path, "fewer or other columns than zram.rst lists")
    original, ram, disk = int(words[0]), int(words[2]), int(written[0]) * _BLOCK
    return Holding(max(0, original - disk) / _MB, ram / _MB, disk / _MB)


def spread_of(
    areas: tuple[Area, ...], zrams: tuple[Holding, ...], zswap: tuple[float, float]
) -> tuple[tuple[float, float, float], Spread]:
    """Compressed, RAM and disk in MB, and the two rates.

    Slots of zswap are counted as used by the area behind it, a disk or a zram. What is on disks is
    therefore at most what the disks say, and at most all in use less all that is compressed.
    """
    used = sum(area.used_mb for area in areas)
    zram_ram = sum(one.ram for one in zrams)
    ram = zram_ram + zswap[0]
    compressed = sum(one.stored for one in zrams) + zswap[1]
    disks = sum(area.used_mb for area in areas if not area.zram) + sum(one.disk for one in zrams)
    disk = min(disks, max(0.0, used - compressed))
    method: Method = "estimated" if disk > 0.0 and ram > 0.0 else "derived"
    past_zswap = used - zswap[1]
    spread = Spread(
        ram / used if used > 0.0 else 0.0,
        zram_ram / past_zswap if past_zswap > 0.0 else 0.0,
        method,
    )
    return (compressed, ram, disk), spread
