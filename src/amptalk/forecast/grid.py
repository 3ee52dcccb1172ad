"""Readings as they come, put on a fixed grid of time.

So that a faster tick does not shorten what is looked ahead, and a missed one does not
lengthen it. What a value means is not its business.
"""

from __future__ import annotations

from itertools import pairwise
from math import nan

_FIRST = 5
"""Readings whose median spacing becomes the step."""
_FOLLOW = 0.1
"""Share of a reading's distance from its cell by which the grid is moved after it, or a
sampler that is 0.1 % slow would skip a cell now and then."""


class Grid:
    """Cells of one step each."""

    __slots__ = ("_first", "_longest_gap", "_origin", "_value", "begun", "step")

    def __init__(self, step: float | None, longest_gap: int) -> None:
        """`longest_gap`: cells without a reading that are still filled."""
        self.step = step if step is not None else nan
        """Seconds of a cell; `nan` before it is known."""
        self._longest_gap = longest_gap
        self._first: list[tuple[float, float]] = []
        self._origin = 0.0
        self._value = nan
        self.begun = False
        """Whether there are cells yet."""

    @property
    def seconds(self) -> float:
        """Time of the newest cell."""
        return self._origin

    def guess(self) -> float:
        """The step, or the median spacing of the readings so far; `nan` for fewer than two."""
        if self.begun or len(self._first) < 2:
            return self.step
        spacings = [b - a for (_, a), (_, b) in pairwise(self._first)]
        return sorted(spacings)[(len(spacings) - 1) // 2]

    def place(self, value: float, seconds: float) -> tuple[float, ...] | None:
        """Values of the cells that a reading, later than the one before, completes.

        Usually its own one. Skipped cells are filled by a straight line; `()` when it falls
        into the cell of the one before; `None` after a gap that is too long: what comes
        next has nothing to do with what was.
        """
        if not self.begun:
            return self._begin(value, seconds)
        position = (seconds - self._origin) / self.step
        if not position < self._longest_gap + 1.5:
            self._origin, self._value = seconds, value
            return None
        cell = round(position)
        if cell <= 0:
            return ()
        # The step is what rounding leaves of it: keep the numbers small.
        self._origin = seconds - (position - cell) * (1.0 - _FOLLOW) * self.step
        before, self._value = self._value, value
        if cell == 1:
            return (value,)
        rise = (value - before) / cell
        return (*[before + rise * i for i in range(1, cell)], value)

    def _begin(self, value: float, seconds: float) -> tuple[float, ...]:
        first = self._first
        first.append((value, seconds))
        if self.step != self.step and len(first) < _FIRST:
            return ()
        if self.step != self.step:
            self.step = self.guess()
        self.begun, self._origin = True, first[0][1]
        self._value = first[0][0]
        values = [self._value]
        for earlier, moment in first[1:]:
            placed = self.place(earlier, moment)
            values = [earlier] if placed is None else [*values, *placed]
        first.clear()
        return tuple(values)
