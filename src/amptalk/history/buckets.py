"""A coarser tier: minimum, mean, maximum and count of each series in buckets of equal length.

Buckets lie on multiples of the monotonic clock and are numbered by it, so a
pause costs nothing but empty buckets. A series takes memory from its first
value on, and only as much as the run has lasted. Values are single precision
(relative error 6e-8).

When a bucket is full is decided by `history`, what a window shows by `window`.
"""

from __future__ import annotations

import math
from array import array
from typing import NamedTuple

_FIRST_CAPACITY = 64
MOST_COUNTED = 0xFFFF


class Bucket(NamedTuple):
    """What one series did in one bucket."""

    number: int
    """Its start in monotonic seconds divided by the tier's bucket length."""
    low: float
    mean: float
    high: float
    seen: int
    """Observations, at most 65535; a bucket without any is a gap and is not listed."""


class Summary(NamedTuple):
    """What all series did in one bucket, side by side."""

    positions: list[int]
    """The series with values, ascending."""
    stats: list[float]
    """Low, mean and high of the first one, then of the next."""
    counts: list[int]
    """Observations of each, at most `MOST_COUNTED`."""


class _Table:
    """Buckets as rows, so that one is written in one piece: a column for each series seen."""

    __slots__ = ("columns", "counts", "positions", "stats")

    def __init__(self, positions: list[int], capacity: int) -> None:
        self.positions = positions
        self.columns = {position: column for column, position in enumerate(positions)}
        self.stats = array("f", [math.nan]) * (3 * len(positions) * capacity)
        self.counts = array("H", [0]) * (len(positions) * capacity)

    def grown(self, capacity: int) -> _Table:
        """Return a longer copy; readers may go on with the old one."""
        new = _Table(self.positions, capacity)
        new.stats[: len(self.stats)] = self.stats
        new.counts[: len(self.counts)] = self.counts
        return new

    def widened(self, positions: list[int], capacity: int) -> _Table:
        """Return a copy with columns for these series, too; readers may go on with the old one."""
        new = _Table(sorted({*self.positions, *positions}), capacity)
        width, wider = len(self.positions), len(new.positions)
        for column, position in enumerate(self.positions):
            to = new.columns[position]
            new.counts[to::wider] = self.counts[column::width]
            for one in range(3):
                new.stats[3 * to + one :: 3 * wider] = self.stats[3 * column + one :: 3 * width]
        return new

    def put(self, slot: int, summary: Summary) -> None:
        """Write one row; series without a value have a count of 0."""
        width = len(self.positions)
        if summary.positions == self.positions:
            stats, counts = array("f", summary.stats), array("H", summary.counts)
        else:
            stats, counts = array("f", [math.nan]) * (3 * width), array("H", [0]) * width
            for at, position in enumerate(summary.positions):
                column = self.columns[position]
                counts[column] = summary.counts[at]
                stats[3 * column : 3 * column + 3] = array("f", summary.stats[3 * at : 3 * at + 3])
        self.stats[3 * width * slot : 3 * width * (slot + 1)] = stats
        self.counts[width * slot : width * (slot + 1)] = counts


class Buckets:
    """A ring of `kept` closed buckets of `seconds` each, for every series that has values.

    One thread closes buckets, any thread reads; see `rows` for why no lock is needed.
    """

    __slots__ = ("_base", "_capacity", "_lost", "_most", "_table", "_times", "seconds", "upto")

    upto: int
    """Number after the newest closed bucket; 0 before the first."""

    def __init__(self, seconds: int, kept: int) -> None:
        self.seconds = seconds
        self.upto = 0
        self._lost = 0
        self._most = kept + 1
        self._clear(0)

    def _clear(self, number: int) -> None:
        self._base = number
        self._capacity = min(_FIRST_CAPACITY, self._most)
        self._table = _Table([], self._capacity)
        self._times = array("d", [math.nan]) * self._capacity

    @property
    def oldest(self) -> int:
        """Number of the oldest bucket that is kept."""
        return max(self._base, self.upto - self._most + 1)

    @property
    def lost(self) -> int:
        """Everything from this bucket on is kept; 0 while nothing had to go."""
        return self.oldest if self.oldest > self._base else self._lost

    def close(self, number: int, time: float, summary: Summary) -> None:
        """Keep one bucket: its wall time at the start and what the series did."""
        if not self.upto or number - self.upto >= self._most:
            # Nothing of before the pause would be left anyway.
            self._lost = self.upto
            self._clear(number)
            self.upto = number
        if number - self._base >= self._capacity < self._most:
            self._grow(number - self._base + 1)
        self._empty(self.upto, number + 1)
        slot = (number - self._base) % self._capacity
        self._times[slot] = time
        table = self._table
        if summary.positions != table.positions and not table.columns.keys() >= {
            *summary.positions
        }:
            self._table = table = table.widened(summary.positions, self._capacity)
        table.put(slot, summary)
        self.upto = number + 1

    def _grow(self, needed: int) -> None:
        capacity = self._capacity
        while capacity < needed:
            capacity *= 2
        self._capacity = min(capacity, self._most)
        times = array("d", [math.nan]) * self._capacity
        times[: len(self._times)] = self._times
        self._times = times
        self._table = self._table.grown(self._capacity)

    def _empty(self, first: int, last: int) -> None:
        """Forget what the slots of the buckets `first` to before `last` held a lap ago."""
        if last - self._base <= self._capacity:
            return
        begin = (first - self._base) % self._capacity
        end = begin + last - first
        counts, width = self._table.counts, len(self._table.positions)
        for a, b in ((begin, min(end, self._capacity)), (0, end - self._capacity)):
            if b > a:
                counts[width * a : width * b] = array("H", bytes(2 * width * (b - a)))

    def read(self, position: int, first: int) -> list[Bucket]:
        """Buckets with observations of one series, from number `first` on, oldest first."""
        upto, base = self.upto, self._base
        table = self._table
        column = table.columns.get(position)
        if column is None:
            return []
        counts, stats, width = table.counts, table.stats, len(table.positions)
        capacity = len(counts) // width
        found = []
        for number in range(max(first, base, upto - self._most + 1), upto):
            at = (number - base) % capacity * width + column
            if counts[at]:
                low, mean, high = stats[3 * at : 3 * at + 3]
                found.append(Bucket(number, low, mean, high, counts[at]))
        return found

    def time(self, number: int) -> float:
        """Wall time at the start of a closed bucket that has observations."""
        times = self._times
        return times[(number - self._base) % len(times)]

    def memory_bytes(self) -> int:
        """Bytes taken now."""
        parts = (self._times, self._table.stats, self._table.counts)
        return sum(part.__sizeof__() for part in parts)


def merge(number: int, buckets: list[Bucket]) -> Bucket:
    """One bucket out of several that are not empty; the mean is weighted by the counts."""
    seen = sum(bucket.seen for bucket in buckets)
    return Bucket(
        number,
        min(bucket.low for bucket in buckets),
        sum(bucket.mean * bucket.seen for bucket in buckets) / seen,
        max(bucket.high for bucket in buckets),
        seen,
    )
