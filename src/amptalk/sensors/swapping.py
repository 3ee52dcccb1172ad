"""Swapping and thrashing of the device, from `/proc/vmstat`, at the 5 s cadence.

Pages swapped in and out and pages read again soon after reclaim (refaults), in MB/s over the
time since the last reading. The file is long and printed line by line, so only the part up to
the last counter needed is read.

Before Linux 5.9 there is one `workingset_refault` in place of `_anon` and `_file`.
"""

from __future__ import annotations

import os
from math import isnan

from amptalk.model.sample import Provenance
from amptalk.sensors.files import KeptFile, SensorFault, garbled, is_number
from amptalk.sensors.report import NAN, Notes, Source
from amptalk.sensors.roots import Roots

_IN, _OUT = b"\npswpin ", b"\npswpout "
_REFAULTS = (b"\nworkingset_refault_anon ", b"\nworkingset_refault_file ", b"\nworkingset_refault ")
_KEYS = (_IN, _OUT, *_REFAULTS)
_FIRST = "needs 250 ms of history: a rate is the difference of two readings"
_STILL = (0.0, 0.0, 0.0)
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
            if isnan(self.rates[0]):
                self.gain()
            came, went, again = _STILL
            if counters != self._last:
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
        counters = _found(b"\n" + self._file.read())
        if counters is None and self._file.size != _WHOLE:  # lines were added or have grown
            self._file.size = _WHOLE
            counters = _found(b"\n" + self._file.read())
        if counters is None:
            raise garbled(self.path, "pswpin, pswpout or workingset_refault is not in it")
        self._file.size = counters[3] + _SLACK
        return counters[:3]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _found(data: bytes) -> tuple[int, int, int, int] | None:
    """Pages in, out, refaulted, and where the last line needed ends; `None` if one is none."""
    came, went, again, last = -1, -1, -1, 0
    for key in _KEYS:
        start = data.find(key)
        if start < 0:
            continue
        start += len(key)
        end = data.find(b"\n", start)
        if end < 0:
            return None
        if not is_number(data[start:end]):
            return None
        number = int(data[start:end])
        last = max(last, end)
        if key is _IN:
            came = number
        elif key is _OUT:
            went = number
        else:
            again = max(again, 0) + number
    return None if min(came, went, again) < 0 else (came, went, again, last)
