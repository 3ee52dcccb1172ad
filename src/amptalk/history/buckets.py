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

from amptalk.model.sample import FIELDS

_FIRST_CAPACITY = 64
_MOST_COUNTED = 0xFFFF


class Bucket(NamedTuple):
    """What one series did in one bucket."""

    number: int
    """Its start in monotonic seconds divided by the tier's bucket length."""
    low: float
    mean: float
    high: float
    seen: int
    """Observations, at most 65535; a bucket without any is a gap and is not listed."""


class _Column:
    """One series: low, mean and high side by side, and how many observations."""

    __slots__ = ("counts", "stats")

    def __init__(self, capacity: int) -> None:
        self.stats = array("f", [math.nan]) * (3 * capacity)
        self.counts = array("H", [0]) * capacity

    def grown(self, capacity: int) -> _Column:
        """Return a longer copy; readers may go on with the old one."""
        new = _Column(capacity)
        new.stats[: len(self.stats)] = self.stats
        new.counts[: len(self.counts)] = self.counts
        return new


class Buckets:
    """A ring of `kept` closed buckets of `seconds` each, for every series that has values.

    One thread closes buckets, any thread reads; see `rows` for why no lock is needed.
    """

    __slots__ = ("_base", "_capacity", "_columns", "_lost", "_most", "_times", "seconds", "upto")

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
        self._columns: list[_Column | None] = [None] * len(FIELDS)
        self._times = array("d", [math.nan]) * self._capacity

    @property
    def oldest(self) -> int:
        """Number of the oldest bucket that is kept."""
        return max(self._base, self.upto - self._most + 1)

    @property
    def lost(self) -> int:
        """Everything from this bucket on is kept; 0 while nothing had to go."""
        return self.oldest if self.oldest > self._base else self._lost

    def close(self, number: int, time: float, found: list[tuple[int, Bucket]]) -> None:
        """Keep one bucket: its wall time at the start and the series (by position) with values."""
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
        for position, bucket in found:
            column = self._columns[position]
            if column is None:
                column = self._columns[position] = _Column(self._capacity)
            stats = column.stats
            _, stats[3 * slot], stats[3 * slot + 1], stats[3 * slot + 2], seen = bucket
            column.counts[slot] = seen if seen < _MOST_COUNTED else _MOST_COUNTED
        self.upto = number + 1

    def _grow(self, needed: int) -> None:
        capacity = self._capacity
        while capacity < needed:
            capacity *= 2
        self._capacity = min(capacity, self._most)
        times = array("d", [math.nan]) * self._capacity
        times[: len(self._times)] = self._times
        self._times = times
        self._columns = [c and c.grown(self._capacity) for c in self._columns]

    def _empty(self, first: int, last: int) -> None:
        """Forget what the slots of the buckets `first` to before `last` held a lap ago."""
        if last - self._base <= self._capacity:
            return
        begin = (first - self._base) % self._capacity
        end = begin + last - first
        for column in self._columns:
            if column is not None:
                for a, b in ((begin, min(end, self._capacity)), (0, end - self._capacity)):
                    if b > a:
                        column.counts[a:b] = array("H", bytes(2 * (b - a)))

    def read(self, position: int, first: int) -> list[Bucket]:
        """Buckets with observations of one series, from number `first` on, oldest first."""
        upto, base = self.upto, self._base
        column = self._columns[position]
        if column is None:
            return []
        counts, stats = column.counts, column.stats
        capacity = len(counts)
        found = []
        for number in range(max(first, base, upto - self._most + 1), upto):
            slot = (number - base) % capacity
            if counts[slot]:
                low, mean, high = stats[3 * slot : 3 * slot + 3]
                found.append(Bucket(number, low, mean, high, counts[slot]))
        return found

    def time(self, number: int) -> float:
        """Wall time at the start of a closed bucket that has observations."""
        times = self._times
        return times[(number - self._base) % len(times)]

    def memory_bytes(self) -> int:
        """Bytes taken now."""
        columns = [c for c in self._columns if c is not None]
        parts = [self._times, *(c.stats for c in columns), *(c.counts for c in columns)]
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
