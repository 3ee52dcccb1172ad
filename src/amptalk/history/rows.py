"""The finest tier: the newest rows, one flat ring of doubles.

A series takes memory from its first value on: a row holds the columns that ever had one, and is
copied into a wider ring when another comes. What never had a value reads as `nan`.

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
from collections.abc import Callable, Sequence
from operator import itemgetter
from struct import Struct
from typing import NamedTuple

from amptalk.model.sample import FIELDS

MONOTONIC, TIME, VALUES = 0, 1, 2
"""Columns of a row: its two times, then the values in the order of the sample's columns."""

_FIRST_CAPACITY = 60
_NAN = array("d", [math.nan])

Values = tuple[float, ...]


class _Ring(NamedTuple):
    """The rows with the columns they have; replaced as a whole, so that a reader sees one state."""

    flat: array[float]
    columns: dict[int, int]
    """Position in a row as readers count it, to the place where it is kept."""
    row: Struct
    pick: Callable[[Values], Values]
    """The values that have columns."""
    rest: Callable[[Values], Values]
    """The others."""
    values: int
    """How many values a row has."""

    @property
    def width(self) -> int:
        """Doubles of a row."""
        return len(self.columns)


def _ring(live: Sequence[int], capacity: int, values: int) -> _Ring:
    """An empty ring with columns for the values at these places, of so many."""
    others = [at for at in range(values) if at not in set(live)]
    positions = (MONOTONIC, TIME, *(VALUES + at for at in live))
    return _Ring(
        _NAN * (capacity * len(positions)),
        {position: at for at, position in enumerate(positions)},
        Struct(f"={len(positions)}d"),
        _picker(live),
        _picker(others),
        values,
    )


def _picker(places: Sequence[int]) -> Callable[[Values], Values]:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple([values[at] for at in places])  # itemgetter gives no tuple then


class Rows:
    """A ring of the newest `kept` rows that takes memory only as it fills."""

    __slots__ = ("_capacity", "_most", "_rest", "_ring", "count")

    count: int
    """Rows ever appended; the sequence number of the next one."""

    def __init__(self, kept: int) -> None:
        self.count = 0
        self._most = kept + 1
        self._capacity = min(_FIRST_CAPACITY, self._most)
        self._ring = _ring((), self._capacity, len(FIELDS))
        self._rest: Values = ()
        """What had no columns in the row before: `nan` all of it, mostly the same objects."""

    def expect(self, values: int) -> None:
        """Rows have so many values from now on, not fewer than before."""
        ring = self._ring
        live = {position - VALUES for position in ring.columns if position >= VALUES}
        others = [at for at in range(values) if at not in live]
        self._ring = ring._replace(rest=_picker(others), values=values)
        self._rest = ()

    def append(self, monotonic: float, time: float, values: Values) -> None:
        """Add one row; the oldest goes once the ring is full."""
        number = self.count
        if number >= self._capacity < self._most:
            self._grow()
        ring = self._ring
        rest = ring.rest(values)
        if rest != self._rest:  # `nan` objects that are the same compare as equal here
            ring = self._admit(values, ring, rest)
        slot = number % self._capacity
        row = ring.row
        row.pack_into(ring.flat, slot * row.size, monotonic, time, *ring.pick(values))
        self.count = number + 1

    def _admit(self, values: Values, ring: _Ring, rest: Values) -> _Ring:
        """Give columns to what has its first value, if anything has."""
        if any(value == value for value in rest):  # noqa: PLR0124 - not nan
            had = [position - VALUES for position in ring.columns if position >= VALUES]
            new = {at for at, value in enumerate(values) if not math.isnan(value)}
            wider = _ring(sorted(new | set(had)), self._capacity, ring.values)
            for position, at in ring.columns.items():
                column = ring.flat[at :: ring.width]
                wider.flat[wider.columns[position] :: wider.width] = column
            self._ring = ring = wider
            rest = ring.rest(values)
        self._rest = rest
        return ring

    def _grow(self) -> None:
        # A new array of the exact size: growing in place would keep 1/16 in reserve.
        ring = self._ring
        capacity = min(self._capacity * 2, self._most)
        flat = _NAN * (capacity * ring.width)
        flat[: len(ring.flat)] = ring.flat
        self._capacity = capacity
        self._ring = ring._replace(flat=flat)

    def readable(self) -> tuple[int, int]:
        """Sequence numbers of the oldest row that can be read and of the next one to come."""
        count = self.count
        return max(0, count - self._most + 1), count

    def column(self, position: int, first: int, last: int) -> array[float]:
        """Copy one column for the rows `first` to before `last`, by sequence number."""
        ring = self._ring
        if first >= last:
            return array("d")
        at, flat, width = ring.columns.get(position), ring.flat, ring.width
        if at is None:
            return _NAN * (last - first)
        capacity = len(flat) // width
        begin = first % capacity
        end = begin + last - first
        if end <= capacity:
            return flat[begin * width + at : end * width : width]
        rest = flat[at : (end - capacity) * width : width]
        return flat[begin * width + at :: width] + rest

    def columns(self, first: int, last: int) -> list[tuple[int, array[float]]]:
        """Copy what ever had a value, with its place among the values, of some rows."""
        positions = [position for position in self._ring.columns if position >= VALUES]
        return [(position - VALUES, self.column(position, first, last)) for position in positions]

    def value(self, position: int, number: int) -> float:
        """One value of the row with this sequence number."""
        return self.column(position, number, number + 1)[0]

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
        return self._ring.flat.__sizeof__()
