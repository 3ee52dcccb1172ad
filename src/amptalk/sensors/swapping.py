"""Swapping and thrashing of the device, from `/proc/vmstat`, at the 5 s cadence.

Pages swapped in and out, and pages needed again soon after reclaim (refaults), in MB/s over the
time since the last reading; faults that had to wait (major faults) a second. The file is long
and printed line by line, so only the part up to the last counter needed is read.

A page that goes to zswap is not counted as swapped out until zswap writes it to the device, and
that is then not a second time; those counters come last and are only read where zswap holds
something. Before Linux 5.9 there is one `workingset_refault` in place of `_anon` and `_file`, and
it counts file pages only: no swapped page was tracked.
"""

from __future__ import annotations

import os
from math import isnan

from amptalk.model.sample import Provenance
from amptalk.sensors.files import KeptFile, SensorFault, garbled, is_number
from amptalk.sensors.report import NAN, Notes, Source
from amptalk.sensors.roots import Roots

_ANON, _FILE, _OLD = (
    *(b"\nworkingset_refault_anon ", b"\nworkingset_refault_file "),
    b"\nworkingset_refault ",
)
_IN, _OUT, _FAULTS = b"\npswpin ", b"\npswpout ", b"\npgmajfault "
_KEYS = (_ANON, _FILE, _OLD, _IN, _OUT, _FAULTS)
_ZSWAP = (b"\nzswpin ", b"\nzswpout ", b"\nzswpwb ")
_FIRST = "needs 250 ms of history: a rate is the difference of two readings"
_WHOLE = 65536
_SLACK = 256

Counters = tuple[int, int, int, int, int]
"""Pages in, out, refaulted, refaulted of files; major faults."""
_LOST = (NAN,) * 5


class SwapSource(Source):
    """Rates of swapping in, swapping out, refaults and major faults."""

    name = "device swapping"
    fields = (
        *("device.swap_in_mb_s", "device.swap_out_mb_s", "device.refault_mb_s"),
        *("device.refault_file_mb_s", "device.major_faults_s"),
    )

    def __init__(self, roots: Roots, notes: Notes) -> None:
        super().__init__(notes)
        self._file = KeptFile(f"{roots.proc}/vmstat", _WHOLE)
        self._page_mb = os.sysconf("SC_PAGE_SIZE") / 2**20
        self._at = NAN
        self._last: Counters = (0, 0, 0, 0, 0)
        self._zswap = False
        self.rates: tuple[float, ...] = _LOST
        notes.lose(self.fields, _FIRST)

    @property
    def path(self) -> str:
        """The file that is read."""
        return self._file.path

    def renew(self, now: float, *, zswap: bool = False) -> None:
        """Read the counters and renew the rates; `zswap` says whether it holds anything."""
        if zswap and not self._zswap:
            self._zswap = True
            self._at = NAN  # what zswap did since the boot is not of the last 5 s
            self.rates = _LOST
            self._notes.lose(self.fields, _FIRST)
        try:
            counters = self._counters()
        except SensorFault as fault:
            self.lose(fault)
            self._at = NAN
            self._file.size = _WHOLE
            self.rates = _LOST
            return
        elapsed = now - self._at
        if elapsed > 0.0:
            if isnan(self.rates[0]):
                self.gain()
            grown = [max(0, new - old) for new, old in zip(counters, self._last, strict=True)]
            scale = self._page_mb / elapsed
            self.rates = (*[pages * scale for pages in grown[:4]], grown[4] / elapsed)
            self._notes.origin(self.fields, Provenance("measured", self.path, now))
        elif self.lost:
            self.lost = False
            self._notes.lose(self.fields, _FIRST)
        self._at, self._last = now, counters

    def _counters(self) -> Counters:
        keys = _KEYS + _ZSWAP if self._zswap else _KEYS
        found = _found(b"\n" + self._file.read(), keys)
        if found is None and self._file.size != _WHOLE:  # lines were added or have grown
            self._file.size = _WHOLE
            found = _found(b"\n" + self._file.read(), keys)
        if found is None:
            raise garbled(self.path, "pswpin, pswpout, pgmajfault or workingset_refault is missing")
        counters, last = found
        self._file.size = last + _SLACK
        return counters

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _found(data: bytes, keys: tuple[bytes, ...]) -> tuple[Counters, int] | None:
    """The counters, and where the last line needed ends; `None` if one is cut off or is none."""
    table: dict[bytes, int] = {}
    last = 0
    for key in keys:
        start = data.find(key)
        if start < 0:
            continue
        start += len(key)
        end = data.find(b"\n", start)
        if end < 0:
            return None
        if not is_number(data[start:end]):
            return None
        table[key] = int(data[start:end])
        last = max(last, end)
    files = table.get(_FILE, table.get(_OLD))
    if files is None or not {_IN, _OUT, _FAULTS} <= table.keys():
        return None
    came, went, written = (table.get(key, 0) for key in _ZSWAP)
    counters = (
        table[_IN] + came,
        table[_OUT] + went - written,
        files + table.get(_ANON, 0),
        files,
        table[_FAULTS],
    )
    return counters, last
