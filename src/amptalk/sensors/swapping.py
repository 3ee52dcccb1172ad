"""Swapping and thrashing of the device, from `/proc/vmstat`, at the 5 s cadence.

Pages swapped in and out and pages read again soon after reclaim (refaults), in MB/s over the
time since the last reading. The file is long and printed line by line, so only the part up to
the last counter needed is read.

Before Linux 5.9 there is one `workingset_refault` in place of `_anon` and `_file`.
"""

from __future__ import annotations

import os

from amptalk.model.sample import Provenance
from amptalk.sensors.files import KeptFile, SensorFault, garbled
from amptalk.sensors.report import NAN, Notes, Source
from amptalk.sensors.roots import Roots

_IN, _OUT = b"\npswpin ", b"\npswpout "
_REFAULTS = (b"\nworkingset_refault_anon ", b"\nworkingset_refault_file ", b"\nworkingset_refault ")
_FIRST = "needs 250 ms of history: a rate is the difference of two readings"
_WHOLE = 65536
_SLACK = 256


class SwapSource(Source):
    """Rates of swapping in, swapping out and refaults."""

    name = "device swapping"
    fields = ("device.swap_in_mb_s", "device.swap_out_mb_s", "device.refault_mb_s")

    def __init__(self, roots: Roots, notes: Notes) -> None:
        super().__init__(notes)
        self._file = KeptFile(f"{roots.proc}/vmstat", _WHOLE)
        self._page_mb = os.sysconf("SC_PAGE_SIZE") / 2**20
        self._at = NAN
        self._last = (0, 0, 0)
        self.rates = (NAN, NAN, NAN)
        notes.lose(self.fields, _FIRST)

    @property
    def path(self) -> str:
        """The file that is read."""
        return self._file.path

    def renew(self, now: float) -> None:
        """Read the counters and renew the rates."""
        try:
            counters = self._counters()
        except (SensorFault, ValueError) as fault:
            self.lose(fault, self.path)
            self._at = NAN
            self._file.size = _WHOLE
            self.rates = (NAN, NAN, NAN)
            return
        elapsed = now - self._at
        if elapsed > 0.0:
            self.gain()
            scale = self._page_mb / elapsed
            came, went, again = (
                max(0, new - old) * scale for new, old in zip(counters, self._last, strict=True)
            )
            self.rates = came, went, again
            self._notes.origin(self.fields, Provenance("measured", self.path, now))
        elif self.lost:
            self.lost = False
            self._notes.lose(self.fields, _FIRST)
        self._at, self._last = now, counters

    def _counters(self) -> tuple[int, int, int]:
        data = b"\n" + self._file.read()
        if self._file.size != _WHOLE and not _complete(data):  # lines were added or have grown
            self._file.size = _WHOLE
            data = b"\n" + self._file.read()
        if not _complete(data):
            raise garbled(self.path, "pswpin, pswpout or workingset_refault is not in it")
        ends = [data.find(key) for key in (_IN, _OUT, *_REFAULTS)]
        self._file.size = max(ends) + _SLACK
        refaults = sum(_number(data, key) for key in _REFAULTS if key in data)
        return _number(data, _IN), _number(data, _OUT), refaults

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _complete(data: bytes) -> bool:
    """Whether every counter is there with the whole of its line."""
    if not any(key in data for key in _REFAULTS):
        return False
    last = max(data.find(key) for key in (_IN, _OUT, *_REFAULTS))
    return _IN in data and _OUT in data and data.find(b"\n", last + 1) > 0


def _number(data: bytes, key: bytes) -> int:
    start = data.index(key) + len(key)
    return int(data[start : data.index(b"\n", start)])
