"""Pressure stall information of the device: how much of the time tasks waited for a resource.

Percent of the interval between two readings, from the differences of `total` (µs): sharper
than the kernel's `avg10`. It is off by default on some devices (Raspberry Pi): the reason then
names the boot option. Triggers are not used: reading these files starves them.

Format: Documentation/accounting/psi.rst: two lines, `some` and `full`, of five words each, the
last one `total=…`.
"""

from __future__ import annotations

import errno
from math import isnan

from amptalk.sensors.files import KeptFile, SensorFault, garbled, whole_number
from amptalk.sensors.report import HISTORY, NAN, Notes, Source
from amptalk.sensors.roots import Roots

REMEDY = (
    "boot with psi=1: append it to the kernel command line "
    "(Raspberry Pi: /boot/firmware/cmdline.txt), then reboot; "
    "the kernel must be built with CONFIG_PSI"
)
_OFF = "pressure stall information is off in this kernel"


class PressureSource(Source):
    """One of cpu, memory and io; `full` only where a field asks for it."""

    def __init__(self, roots: Roots, notes: Notes, kind: str, *, full: bool = False) -> None:
        super().__init__(notes)
        self.name = f"device {kind} pressure"
        self.fields = (f"device.pressure_{kind}_percent",)
        if full:
            self.fields += (f"device.pressure_{kind}_full_percent",)
        self._wants_full = full
        self._words = 10 if full else 5
        self._file = KeptFile(f"{roots.proc}/pressure/{kind}", 256)
        self._at = NAN
        self._data = b""
        self._some = 0
        self._full = 0
        self.some = NAN
        self.full = NAN
        notes.lose(self.fields, HISTORY)

    @property
    def path(self) -> str:
        """The file that is read."""
        return self._file.path

    def renew(self, now: float) -> None:
        """Renew the percent since the last reading."""
        if self.lost:
            return
        try:
            data = self._file.read()
            some, full = self._some, self._full
            if data != self._data:  # else nothing waited: the totals have not moved either
                words = data.split(None, self._words)
                some = whole_number(words[4][6:], self.path)
                if self._wants_full:
                    full = whole_number(words[9][6:], self.path)
                if data[-1:] != b"\n":
                    raise garbled(self.path, "it is cut off")
        except SensorFault as fault:
            if fault.number in {errno.ENOENT, errno.EOPNOTSUPP, errno.ENOTDIR}:
                fault = SensorFault(f"{_OFF}: {fault.reason}", REMEDY)
            self._lose(fault)
            return
        except IndexError:
            self._lose(garbled(self.path, "no `total=` with a number where one belongs"))
            return
        elapsed = now - self._at
        if elapsed > 0.0:
            if isnan(self.some):
                self._notes.find(self.fields)
            self.some = _percent(some - self._some, elapsed)
            if self._wants_full:
                self.full = _percent(full - self._full, elapsed)
        self._at, self._some, self._full, self._data = now, some, full, data

    def _lose(self, fault: SensorFault) -> None:
        self.lose(fault)
        self._data = b""
        self._at = self.some = self.full = NAN

    def retry(self) -> None:
        """Try a lost source again at the next reading."""
        if self.lost:
            try:
                self._file.read()
            except SensorFault:
                return
            self.lost = False
            self._notes.lose(self.fields, HISTORY)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _percent(microseconds: int, elapsed: float) -> float:
    """Share of `elapsed` seconds, 0-100; a counter may step back."""
    if microseconds <= 0:
        return 0.0
    percent = microseconds / elapsed / 1e4
    return percent if percent < 100.0 else 100.0
