"""The newest numbers of a kind, kept in order: quantiles and shares without sorting again.

Shares of something are kept in single precision (7 digits, at most 3e38), which is half the
memory; readings, which may be small changes of a large number, in double.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from typing import Literal


class SortedWindow:
    """The last `size` numbers; the oldest leaves when a new one comes."""

    __slots__ = ("_at", "_recent", "_size", "_sorted")

    def __init__(
        self, size: int, first: Iterable[float] = (), precision: Literal["f", "d"] = "f"
    ) -> None:
        """`first`: at most `size` numbers to begin with; `precision`: single or double."""
        self._size = size
        self._recent = array(precision, first)
        self._sorted = array(precision, sorted(self._recent))
        self._at = 0

    def __len__(self) -> int:
        return len(self._sorted)

    def add(self, number: float) -> None:
        """Keep a finite number."""
        recent, ordered = self._recent, self._sorted
        at = self._at
        if len(recent) < self._size:
            recent.append(number)
            insort(ordered, recent[-1])  # as it was rounded, or it would not be found again
            return
        del ordered[bisect_left(ordered, recent[at])]
        recent[at] = number
        insort(ordered, recent[at])
        self._at = at + 1 if at + 1 < self._size else 0

    def quantile(self, level: float) -> float:
        """Number that a share `level` stays below, (n + 1) in place of n.

        Beyond the extremes it is the extreme and a tenth of the range: the fewer numbers,
        the further out. 0 without any.
        """
        ordered = self._sorted
        count = len(ordered)
        if not count:
            return 0.0
        position = level * (count + 1) - 1.0
        margin = 0.1 * (ordered[-1] - ordered[0])
        if position <= 0.0:
            return ordered[0] - margin * min(1.0, -position)
        if position >= count - 1:
            return ordered[-1] + margin * min(1.0, position - count + 1)
        below = int(position)
        return ordered[below] + (position - below) * (ordered[below + 1] - ordered[below])

    def count_above(self, number: float) -> int:
        """How many are above `number`."""
        return len(self._sorted) - bisect_right(self._sorted, number)

    def median(self) -> float:
        """The middle one, or the mean of the two in the middle; 0 without any."""
        ordered = self._sorted
        middle, odd = divmod(len(ordered), 2)
        if odd:
            return ordered[middle]
        return 0.5 * (ordered[middle - 1] + ordered[middle]) if ordered else 0.0
