"""CPU of the whole device and of each core, from `/proc/stat`.

A rate is busy time over all time between two readings. Busy is user, nice, system, irq,
softirq and steal: time the hypervisor took is not there for us, so it is not idle. Guest time
is already inside user and nice; waiting for I/O counts as idle. Counters may step back (iowait
does): differences are at least 0. A core is known by its number: the value of core 3 stands at
place 3 whichever others are offline, and one that is offline is `nan` there. Frequencies are not
covered.

Format: Documentation/filesystems/proc.rst, section 1.8.
"""

from __future__ import annotations

from math import isnan

from amptalk.sensors.files import KeptFile, SensorFault, garbled, is_number
from amptalk.sensors.report import HISTORY, NAN, Notes, Source
from amptalk.sensors.roots import Roots

_WHOLE = 65536
"""Bytes asked for while the layout is not known."""
_SLACK = 256
"""Bytes asked for beyond twice the CPU lines, whose numbers grow."""


class CpuSource(Source):
    """Keeps the counters of the last reading and turns the next one into percent."""

    name = "device CPU"
    fields = ("device.cpu_percent", "device.cpu_count")

    def __init__(self, roots: Roots, notes: Notes) -> None:
        super().__init__(notes)
        self._file = KeptFile(f"{roots.proc}/stat", _WHOLE)
        self._forget()
        self.percent = NAN
        self.cores = NAN
        """Online cores; `nan` when unknown."""
        self.per_core: tuple[float, ...] = ()
        """Percent of each core, at the place of its number; `nan` for one that is offline."""
        self._places = 0
        """Highest number of a core seen so far, and one."""
        notes.lose(("device.cpu_percent",), HISTORY)

    def _forget(self) -> None:
        self._file.size = _WHOLE
        self._names = [b""]
        """First words of the lines at the last reading: `cpu`, one for each core, `intr`."""
        self._width = self._count = 1
        """Words in a line of a core; words up to `intr`."""
        self._numbers: list[int] | None = None
        """Number of each core listed; `None` when it is its place in the list, as it mostly is."""
        self._cores: list[tuple[slice, int, int]] = []
        """Of each core where its counters are among all words, busy and idle clock ticks."""

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
            self._forget()
            return
        if self.lost:
            self.gain()
            self._notes.lose(("device.cpu_percent",), HISTORY)

    def _renew(self) -> None:
        # The line of all cores is what the cores say together, so it is not parsed.
        data = self._file.read()
        words = data.split(None, self._count)
        if words[: -1 : self._width] != self._names:
            words = self._verify(data)
        cores = []
        rates = []
        busy_of_all = time_of_all = 0
        for columns, busy_before, idle_before in self._cores:
            user, nice, system, idle, waiting, irq, soft, steal = map(int, words[columns])
            busy = user + nice + system + irq + soft + steal
            idle += waiting
            cores.append((columns, busy, idle))
            busy = busy - busy_before if busy > busy_before else 0
            time = busy + idle - idle_before if idle > idle_before else busy
            busy_of_all += busy
            time_of_all += time
            rates.append(100.0 * busy / time if time else NAN)
        if b"-" in data or time_of_all >> 64:
            raise garbled(self.path, "counters below 0 or of more than 64 bits")
        self._cores = cores
        if time_of_all:  # else no clock tick has passed since the last reading
            if isnan(self.percent):
                self._notes.find(("device.cpu_percent",))
            self.percent = 100.0 * busy_of_all / time_of_all
            self.per_core = tuple(rates) if self._numbers is None else self._placed(rates)

    def _placed(self, rates: list[float]) -> tuple[float, ...]:
        """Put the rates of the cores that are online at the places of their numbers."""
        placed = [NAN] * self._places
        for number, rate in zip(self._numbers or (), rates, strict=False):
            placed[number] = rate
        return tuple(placed)

    def _verify(self, data: bytes) -> list[bytes]:
        """Learn the layout at the first reading and when a core has gone or come."""
        if b"\nintr " not in data:  # cut off, since there are more cores or longer numbers
            self._file.size = _WHOLE
            data = self._file.read()
        lines = [line.split() for line in data[: data.index(b"\nintr ")].split(b"\n")]
        width = len(lines[0])
        if any(line[0][:3] != b"cpu" or len(line) != width for line in lines):
            raise garbled(self.path, "other lines than `cpu…` of equal length before `intr`")
        if width < 9 or len(lines) < 2:
            raise garbled(self.path, "no line of a core with at least 8 counters")
        if not all(is_number(word) for line in lines for word in line[1:]):
            raise garbled(self.path, "counters that are no numbers of 64 bits")
        known = {name: core[1:] for name, core in zip(self._names[1:], self._cores, strict=False)}
        self._names = [*(line[0] for line in lines), b"intr"]
        self._width = width
        self._count = width * len(lines) + 1
        # A core come online starts at the counters it has: its first rate is unknown.
        self._cores = [
            (slice(at, at + 8), *(known.get(line[0]) or _busy_and_idle(line)))
            for at, line in zip(range(width + 1, self._count, width), lines[1:], strict=False)
        ]
        self.cores = float(len(self._cores))
        numbers = [int(line[0][3:]) for line in lines[1:]]
        self._places = max(self._places, max(numbers) + 1)
        self._numbers = None if numbers == list(range(self._places)) else numbers
        self._file.size = 2 * data.index(b"\nintr ") + _SLACK
        return data.split(None, self._count)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _busy_and_idle(line: list[bytes]) -> tuple[int, int]:
    """Clock ticks of the line of a core."""
    user, nice, system, idle, waiting, irq, soft, steal = map(int, line[1:9])
    return user + nice + system + irq + soft + steal, idle + waiting
