"""Memory and swap space of the device, and how much of it zswap holds, from `/proc/meminfo`.

Used is MemTotal minus MemAvailable, never MemFree. Some kernels say 0 for MemAvailable and
some containers say more than MemTotal (psutil#1915, LXC); kernels before 3.14 have none. Then
it is estimated as MemFree + Buffers + Cached + SReclaimable - Shmem, and the provenance says
so. The layout is verified once; after that numbers are cut out by position for as long as the
keys stand where they stood, and the total and swap space only when their lines have changed.

Format: Documentation/filesystems/proc.rst, "meminfo"; kB means 1024 bytes.
"""

from __future__ import annotations

import re

from amptalk.model.sample import Provenance
from amptalk.sensors.files import KeptFile, SensorFault, garbled, is_number
from amptalk.sensors.report import NAN, Notes, Source
from amptalk.sensors.roots import Roots

_KEY = b"MemAvailable:"
_ESTIMATE = "MemFree + Buffers + Cached + SReclaimable - Shmem"
_ESTIMATED = ("device.memory_used_mb", "device.memory_available_mb", "device.memory_percent")
_LOST = (NAN, NAN, NAN, NAN, NAN, NAN)

_SWAP = re.compile(
    rb"SwapTotal: +(\d+) kB\nSwapFree: +(\d+) kB\n(?:Zswap: +(\d+) kB\nZswapped: +(\d+) kB\n)?"
)
"""Zswap and Zswapped since Linux 5.19."""

Values = tuple[float, float, float, float, float, float]


class MemorySource(Source):
    """Used, available, total, percent, swap used and swap total, all in MB but the percent."""

    name = "device memory"
    fields = (
        *("device.memory_used_mb", "device.memory_available_mb", "device.memory_total_mb"),
        *("device.memory_percent", "device.swap_used_mb", "device.swap_total_mb"),
    )

    def __init__(self, roots: Roots, notes: Notes) -> None:
        super().__init__(notes)
        self._file = KeptFile(f"{roots.proc}/meminfo")
        self._forget()
        self._retrying = False
        """Whether the reasons of a fault stand until a reading succeeds."""
        self.total_mb = NAN
        """Memory of the machine as last read, `nan` when it never was."""

    def _forget(self) -> None:
        self._key_at = self._end = self._swap_at = 0
        """Where `MemAvailable:` is, the blank after its number, and the lines of swap space."""
        self._total_line = b""
        self._total = 0
        """KiB; 0 when the layout is not known."""
        self._swap_lines = b""
        self.swap = (NAN, NAN)
        """Used and total swap space as last read."""
        self.zswap: tuple[float, float] | None = None
        """RAM that zswap takes and what it holds uncompressed, in MB; `None` when not told."""
        self._estimating = False

    @property
    def path(self) -> str:
        """The file that is read."""
        return self._file.path

    def read(self, now: float) -> Values:
        """Read all six; `nan` for each after a fault."""
        if self.lost:
            return _LOST
        try:
            values = self._values(self._file.read(), now)
        except (SensorFault, ValueError, IndexError) as fault:
            self.lose(fault, self.path)
            self._forget()
            return _LOST
        if self._retrying:
            self._retrying = False
            self.gain()
        return values

    def _values(self, data: bytes, now: float) -> Values:
        at, end, total = self._key_at, self._end, self._total
        # A number that grows by a digit moves all later lines.
        if (
            total
            and data.startswith(self._total_line)
            and data.startswith(_KEY, at)
            and (data.startswith(self._swap_lines, self._swap_at) or self._renew_swap(data))
        ):
            available = int(data[at + 13 : end + 1])
            if 0 < available <= total:
                return self._row(total, available)
        return self._slowly(data, now)

    def _row(self, total: int, available: int) -> Values:
        used = total - available
        return (
            used / 1024.0, available / 1024.0, self.total_mb, 100.0 * used / total, *self.swap,
        )  # fmt: skip

    def _renew_swap(self, data: bytes) -> bool:
        """Take up the lines of swap space; false when they are not where they were."""
        lines = _SWAP.match(data, self._swap_at)
        if lines is None:
            return False
        self._swap_lines = lines[0]
        self.swap = _swap_mb(int(lines[1]), int(lines[2]))
        self.zswap = None if lines[3] is None else (int(lines[3]) / 1024.0, int(lines[4]) / 1024.0)
        return True

    def _slowly(self, data: bytes, now: float) -> Values:
        """Parse every line, and verify the layout for the readings to come."""
        table = _table(data)
        for key in ("MemTotal", "SwapTotal", "SwapFree"):
            if key not in table:
                raise garbled(self.path, f"it has no {key}")
        total = table["MemTotal"]
        if total <= 0:
            raise garbled(self.path, f"MemTotal is {total}")
        self.total_mb = total / 1024.0
        self.swap = _swap_mb(table["SwapTotal"], table["SwapFree"])
        self.zswap = None
        if "Zswap" in table and "Zswapped" in table:
            self.zswap = table["Zswap"] / 1024.0, table["Zswapped"] / 1024.0
        self._file.size = max(2048, len(data) + 512)
        available = table.get("MemAvailable", 0)
        if 0 < available <= total:
            self._learn(data, total)
            if self._estimating:
                self._estimating = False
                self._notes.plain(_ESTIMATED)
            return self._row(total, available)
        self._total = 0
        if not self._estimating:
            self._estimating = True
            self._notes.origin(_ESTIMATED, Provenance("estimated", _ESTIMATE, now, renewed=True))
        return self._row(total, _estimate(table, total, self.path))

    def _learn(self, data: bytes, total: int) -> None:
        """Remember where everything stands, if it is as the kernel documents."""
        self._key_at = data.find(b"\n" + _KEY) + 1
        self._end = data.find(b" kB\n", self._key_at)
        swap = _SWAP.search(data)
        known = data.startswith(b"MemTotal:") and self._key_at and swap is not None
        self._total = total if known else 0
        self._total_line = data[: data.find(b"\n") + 1]
        if swap is not None:
            self._swap_at, self._swap_lines = swap.start(), swap[0]

    def retry(self) -> None:
        """Try a lost source again at the next reading."""
        if self.lost:
            self.lost, self._retrying = False, True

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _table(data: bytes) -> dict[str, int]:
    """Every `key: number kB` line; lines of another shape are passed over (psutil#2809)."""
    table: dict[str, int] = {}
    for line in data.decode("ascii", "replace").splitlines():
        key, colon, rest = line.partition(":")
        word = rest.split()[:1]
        if colon and word and is_number(word[0]):
            table[key.strip()] = int(word[0])
    return table


def _estimate(table: dict[str, int], total: int, path: str) -> int:
    if "MemFree" not in table:
        raise garbled(path, "it has neither a usable MemAvailable nor MemFree")
    parts = ("MemFree", "Buffers", "Cached", "SReclaimable")
    sum_kib = sum(table.get(part, 0) for part in parts) - table.get("Shmem", 0)
    return min(total, max(table["MemFree"], sum_kib))


def _swap_mb(total: int, free: int) -> tuple[float, float]:
    """Used and total."""
    return max(0, total - free) / 1024.0, total / 1024.0
