"""The finest tier: the newest rows, one flat ring of doubles.

One thread appends, any thread reads, and nobody waits: a row is written before
it is counted, the ring has one slot more than it shows, and a reader leaves out
what was overwritten while it copied. This rests on one `struct` or slice
operation being one step of the interpreter (the GIL).

It knows nothing of fields, buckets or windows (`history`, `buckets`, `window`).
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from struct import Struct

from amptalk.model.sample import FIELDS

MONOTONIC, TIME, VALUES = 0, 1, 2
"""Columns of a row: its two times, then the values in the order of `FIELDS`."""

WIDTH = VALUES + len(FIELDS)
_ROW = Struct(f"={WIDTH}d")
_FIRST_CAPACITY = 60


class Rows:
    """A ring of the newest `kept` rows that takes memory only as it fills."""

    __slots__ = ("_capacity", "_flat", "_most", "count")

    count: int
    """Rows ever appended; the sequence number of the next one."""

    def __init__(self, kept: int) -> None:
        self.count = 0
        self._most = kept + 1
        self._capacity = min(_FIRST_CAPACITY, self._most)
        self._flat = array("d", [math.nan]) * (self._capacity * WIDTH)

    def append(self, monotonic: float, time: float, values: tuple[float, ...]) -> None:
        """Add one row; the oldest goes once the ring is full."""
        number = self.count
        if number >= self._capacity < self._most:
            self._grow()
        slot = number % self._capacity
        _ROW.pack_into(self._flat, slot * _ROW.size, monotonic, time, *values)
        self.count = number + 1

    def _grow(self) -> None:
        # A new array of the exact size: growing in place would keep 1/16 in reserve.
        capacity = min(self._capacity * 2, self._most)
        flat = array("d", [math.nan]) * (capacity * WIDTH)
        flat[: len(self._flat)] = self._flat
        self._capacity = capacity
        self._flat = flat

    def readable(self) -> tuple[int, int]:
        """Sequence numbers of the oldest row that can be read and of the next one to come."""
        count = self.count
        return max(0, count - self._most + 1), count

    def column(self, position: int, first: int, last: int) -> array[float]:
        """Copy one column for the rows `first` to before `last`, by sequence number."""
        flat = self._flat
        if first >= last:
            return array("d")
        capacity = len(flat) // WIDTH
        begin = first % capacity
        end = begin + last - first
        if end <= capacity:
            return flat[begin * WIDTH + position : end * WIDTH : WIDTH]
        rest = flat[position : (end - capacity) * WIDTH : WIDTH]
        return flat[begin * WIDTH + position :: WIDTH] + rest

    def values(self, first: int, last: int) -> list[array[float]]:
        """Copy the values, without the times, of the rows `first` to before `last`."""
        flat = self._flat
        capacity = len(flat) // WIDTH
        starts = [number % capacity * WIDTH for number in range(first, last)]
        return [flat[start + VALUES : start + WIDTH] for start in starts]

    def value(self, position: int, number: int) -> float:
        """One value of the row with this sequence number."""
        flat = self._flat
        return flat[number % (len(flat) // WIDTH) * WIDTH + position]

    def since(self, start: float, most: int, *positions: int) -> list[array[float]]:
        """Copy the times and some columns of the rows at or after monotonic `start`.

        `most` bounds how many rows can lie after `start`, so that a short span
        does not pay for the whole ring.
        """
        oldest, last = self.readable()
        first = max(oldest, last - most)
        columns = [self.column(position, first, last) for position in (MONOTONIC, *positions)]
        # Rows that were overwritten while the columns were copied one by one are no rows.
        first_whole = max(0, self.readable()[0] - first)
        skip = bisect_left(columns[0], start, min(first_whole, len(columns[0])))
        return [column[skip:] for column in columns]

    def memory_bytes(self) -> int:
        """Bytes taken now."""
        return self._flat.__sizeof__()
