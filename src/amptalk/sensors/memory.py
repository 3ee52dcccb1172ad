"""Memory and swap space of the device, from `/proc/meminfo`.

Used is MemTotal minus MemAvailable, never MemFree. Some kernels say 0 for MemAvailable and
some containers say more than MemTotal (psutil#1915, LXC); kernels before 3.14 have none. Then
it is estimated as MemFree + Buffers + Cached + SReclaimable - Shmem, and the provenance says
so. The layout is verified once; after that numbers are cut out by position for as long as the
keys stand where they stood.

Format: Documentation/filesystems/proc.rst, "meminfo"; kB means 1024 bytes.
"""

from __future__ import annotations

from amptalk.model.sample import Provenance
from amptalk.sensors.files import KeptFile, SensorFault, garbled
from amptalk.sensors.report import NAN, Notes, Source
from amptalk.sensors.roots import Roots

_KEYS = (b"MemTotal:", b"MemAvailable:", b"SwapTotal:", b"SwapFree:")
_ESTIMATE = "MemFree + Buffers + Cached + SReclaimable - Shmem"
_ESTIMATED = ("device.memory_used_mb", "device.memory_available_mb", "device.memory_percent")
_LOST = (NAN, NAN, NAN, NAN, NAN, NAN)

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
        self._spans: tuple[int, ...] = ()
        self._estimating = False
        self.total_mb = NAN

    @property
    def path(self) -> str:
        """The file that is read."""
        return self._file.path

    def read(self, now: float) -> Values:
        """Read all six; `nan` for each after a fault."""
        if self.lost:
            return _LOST
        try:
            return self._values(self._file.read(), now)
        except (SensorFault, ValueError, IndexError) as fault:
            self.lose(fault, self.path)
            self._spans = ()
            self._estimating = False
            return _LOST

    def _values(self, data: bytes, now: float) -> Values:
        spans = self._spans
        if spans:
            a, b, c, d, e, f, g, h = spans
            # A number that grows by a digit moves all later keys; the last one moves its own end.
            if (
                data.startswith(b" kB\n", h)
                and data.startswith(b"SwapFree:", g - 9)
                and data.startswith(b"SwapTotal:", e - 10)
                and data.startswith(b"MemAvailable:", c - 13)
            ):
                total, available = int(data[a:b]), int(data[c:d])
                if 0 < available <= total:
                    swap = int(data[e:f])
                    return self._row(total, available, swap, swap - int(data[g:h]))
        return self._slowly(data, now)

    def _row(self, total: int, available: int, swap: int, swap_used: int) -> Values:
        self.total_mb = total / 1024.0
        used = total - available
        return (
            used / 1024.0, available / 1024.0, self.total_mb, 100.0 * used / total,
            swap_used / 1024.0 if swap_used > 0 else 0.0, swap / 1024.0,
        )  # fmt: skip

    def _slowly(self, data: bytes, now: float) -> Values:
        """Parse every line, and verify the layout for the readings to come."""
        table = _table(data)
        for key in ("MemTotal", "SwapTotal", "SwapFree"):
            if key not in table:
                raise garbled(self.path, f"it has no {key}")
        total = table["MemTotal"]
        if total <= 0:
            raise garbled(self.path, f"MemTotal is {total}")
        available = table.get("MemAvailable", 0)
        swap = table["SwapTotal"]
        swap_used = swap - table["SwapFree"]
        self._file.size = max(4096, len(data) + 1024)
        if 0 < available <= total:
            self._spans = _layout(data)
            if self._estimating:
                self._estimating = False
                self._notes.plain(_ESTIMATED)
            return self._row(total, available, swap, swap_used)
        self._spans = ()
        values = self._row(total, _estimate(table, total, self.path), swap, swap_used)
        if not self._estimating:
            self._estimating = True
            self._notes.origin(_ESTIMATED, Provenance("estimated", _ESTIMATE, now, renewed=True))
        return values

    def retry(self) -> None:
        """Try a lost source again at the next reading."""
        if self.lost:
            self.gain()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _table(data: bytes) -> dict[str, int]:
    """Every `key: number kB` line; lines of another shape are passed over (psutil#2809)."""
    table: dict[str, int] = {}
    for line in data.decode("ascii", "replace").splitlines():
        key, colon, rest = line.partition(":")
        word = rest.split()[:1]
        if colon and word and word[0].isdigit():
            table[key.strip()] = int(word[0])
    return table


def _estimate(table: dict[str, int], total: int, path: str) -> int:
    if "MemFree" not in table:
        raise garbled(path, "it has neither a usable MemAvailable nor MemFree")
    parts = ("MemFree", "Buffers", "Cached", "SReclaimable")
    sum_kib = sum(table.get(part, 0) for part in parts) - table.get("Shmem", 0)
    return min(total, max(table["MemFree"], sum_kib))


def _layout(data: bytes) -> tuple[int, ...]:
    """Start and end of the number of each key; empty when a line has another shape."""
    spans: list[int] = []
    for key in _KEYS:
        at = 0 if data.startswith(key) else data.find(b"\n" + key) + 1
        end = data.find(b" kB\n", at)
        if not data.startswith(key, at) or end < 0 or b"\n" in data[at:end]:
            return ()
        spans += at + len(key), end
    return tuple(spans)
