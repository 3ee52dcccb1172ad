"""CPU of the whole device and of each core, from `/proc/stat`.

A rate is busy time over all time between two readings. Busy is user, nice, system, irq,
softirq and steal: time the hypervisor took is not there for us, so it is not idle. Guest time
is already inside user and nice; waiting for I/O counts as idle. Counters may step back (iowait
does): differences are at least 0. Frequencies are not covered.

Format: Documentation/filesystems/proc.rst, section 1.8.
"""

from __future__ import annotations

from math import isnan

from amptalk.sensors.files import KeptFile, SensorFault, garbled
from amptalk.sensors.report import HISTORY, NAN, Notes, Source
from amptalk.sensors.roots import Roots

_SLACK = 1024
"""Bytes asked for beyond the CPU lines, so that growing numbers do not cut one off."""


class CpuSource(Source):
    """Keeps the counters of the last reading and turns the next one into percent."""

    name = "device CPU"
    fields = ("device.cpu_percent", "device.cpu_count")

    def __init__(self, roots: Roots, notes: Notes) -> None:
        super().__init__(notes)
        self._file = KeptFile(f"{roots.proc}/stat", 16384)
        self._width = 1
        """Numbers in the line of a core: which core it is, and its counters."""
        self._numbers: list[int] = []
        """Which cores were online at the last reading."""
        self._counters: list[tuple[int, int]] = []
        self.percent = NAN
        self.cores = NAN
        """Online cores; `nan` when unknown."""
        self.per_core: tuple[float, ...] = ()
        notes.lose(("device.cpu_percent",), HISTORY)

    @property
    def path(self) -> str:
        """The file that is read."""
        return self._file.path

    def renew(self) -> None:
        """Read the counters and renew the rates since the last reading."""
        try:
            self._renew()
        except (SensorFault, ValueError, IndexError) as fault:
            self.lose(fault, self.path)
            self.percent = self.cores = NAN
            self.per_core = ()
            self._numbers, self._counters = [], []
            return
        if self.lost:
            self.gain()
            self._notes.lose(("device.cpu_percent",), HISTORY)

    def _renew(self) -> None:
        data = self._file.read()
        # Without the letters of "cpu" only numbers are left: which core, and its counters. The
        # first line, the sum of all, is what the cores say together.
        lines = data[data.index(b"\n") : data.index(b"\nintr")]
        words = list(map(int, lines.translate(None, b"cpu").split()))
        if words[:: self._width] != self._numbers:
            self._verify(data, words)
        counters, old = _counters(words, self._width), self._counters
        self._counters = counters
        rates = []
        busy_of_all = idle_of_all = 0
        for (busy_now, idle_now), (busy_before, idle_before) in zip(counters, old, strict=True):
            busy = busy_now - busy_before if busy_now > busy_before else 0
            idle = idle_now - idle_before if idle_now > idle_before else 0
            busy_of_all += busy
            idle_of_all += idle
            rates.append(100.0 * busy / (busy + idle) if busy or idle else NAN)
        if busy_of_all + idle_of_all:  # else no clock tick has passed since the last reading
            if isnan(self.percent):
                self._notes.find(("device.cpu_percent",))
            self.percent = 100.0 * busy_of_all / (busy_of_all + idle_of_all)
            self.per_core = tuple(rates)

    def _verify(self, data: bytes, words: list[int]) -> None:
        """Learn the layout at the first reading and when a core has gone or come."""
        lines = [line.split() for line in data.split(b"\n") if line.startswith(b"cpu")]
        if not lines or lines[0][0] != b"cpu":
            raise garbled(self.path, "its first line is not `cpu`")
        width = len(lines[-1])
        if width < 5 or len(lines) < 2 or len(words) != width * (len(lines) - 1):
            raise garbled(self.path, "no lines of equal length with at least 4 counters a core")
        known = dict(zip(self._numbers, self._counters, strict=True))
        self._width = width
        self._numbers = words[::width]
        self._file.size = data.index(b"\nintr") + _SLACK
        self.cores = float(len(self._numbers))
        # A core come online starts at the counters it has: its first rate is unknown.
        self._counters = [
            known.get(number, start)
            for number, start in zip(self._numbers, _counters(words, width), strict=True)
        ]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _counters(words: list[int], width: int) -> list[tuple[int, int]]:
    """Busy and idle clock ticks of each core."""
    counters = []
    for at in range(1, len(words), width):
        if width > 8:
            user, nice, system, idle, waiting, irq, soft, steal = words[at : at + 8]
            counters.append((user + nice + system + irq + soft + steal, idle + waiting))
        else:  # kernels and emulations that know only the first four
            counters.append((sum(words[at : at + 3]), words[at + 3]))
    return counters
