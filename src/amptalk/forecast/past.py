"""The newest values of a series and what was known when each came: what experts are shown.

Everything but the values is told in scales, the mean absolute change from value to
value, so that experts know neither unit nor size. Numbers lie in flat arrays, newest
first: objects for them would take five times the memory.
"""

from __future__ import annotations

from array import array

from amptalk.forecast.window import SortedWindow

SHAPE = 8
"""Numbers that tell where a value comes from."""
BOUND = 6.0
"""None of them is further from 0 than this, nor what is expected because of them."""
FURTHEST = 1000.0
"""Scales that nothing is expected to go beyond."""
_LAGS = 5
_LEVEL = 0.03
"""Gain of the smoothed level: about 33 values matter."""
_MEDIAN = 15
"""Values of the median: what remains of a level when spikes are left out."""
_USUAL, _RECENT, _LATEST = 0.005, 0.02, 0.1
_SETTLED = 15
_LEAP = 50.0
"""Once changes are known, one counts as this many usual ones at most: a spike does not make
large changes usual."""
_QUIET = 0.1
"""Share of the usual change that the recent ones count as at least: at rest what is expected still
moves by parts of the usual change, and would be wrong by any number of changes of nought."""
_ROUNDING = 1e-12
"""Changes this small a part of the value are rounding."""
_GOLDEN = 0.5 * (5.0**0.5 - 1.0)
_SMALLEST = 1e-200
"""Nor is this a change: what is divided by it must stay finite."""


class Past:
    """The last H + 1 values, fewer at the start and after a gap."""

    __slots__ = (
        "_changes", "_count", "_ever", "_kept", "_latest", "_level", "_newest", "_recent", "_usual",
        "median", "phase", "scales", "seconds", "shapes", "spreads", "values",
    )  # fmt: skip

    def __init__(self, horizon: int) -> None:
        self._kept = horizon + 1
        self._count = 0
        self._usual = self._recent = self._latest = self._ever = 0.0
        self.phase = 0.0
        """From 0 to 1 and, value by value, spread evenly by the golden ratio: who learns at a
        part of the values only learns at all phases of whatever rhythm they have."""
        self.clear()

    def clear(self) -> None:
        """Forget where the series was, not how much it usually changes."""
        self.values = array("d")
        self.scales = array("d")
        """Mean absolute change of the last some 200 values; 0 when nothing ever changed."""
        self.spreads = array("d")
        """The same of the last 10 to 50, for how wrong a forecast may be now; never far below."""
        self.shapes = array("f")
        """`SHAPE` numbers for each value: the last five changes, distances from a smoothed
        level and from the median, and 1; all in scales and none beyond `BOUND`."""
        self.seconds = 0.0
        """When the newest one was."""
        self.median = 0.0
        """Median of the last 15 values, as an offset in scales from the newest one."""
        self._changes = [0.0] * _LAGS
        self._newest = SortedWindow(_MEDIAN, precision="d")
        self._level = 0.0

    def add(self, value: float, seconds: float) -> None:
        """Take the next value."""
        values = self.values
        if values:
            self._move(value - values[0])
        else:
            self._level = value
        self.seconds = seconds
        self._newest.add(value)
        usual = self._usual
        known = usual > _ROUNDING * abs(value) + _SMALLEST
        shape = self._shape(value, usual) if known else [0.0] * SHAPE
        values.insert(0, value)
        self.scales.insert(0, usual if known else 0.0)
        spread = max(_QUIET * usual, 0.7 * self._recent + 0.3 * self._latest)
        self.spreads.insert(0, spread if known else 0.0)
        self.shapes[0:0] = array("f", shape)
        if len(values) > self._kept:
            for kept in (values, self.scales, self.spreads):
                kept.pop()
            del self.shapes[-SHAPE:]

    def _move(self, change: float) -> None:
        self._count = count = self._count + 1
        self.phase = count * _GOLDEN % 1.0
        size, gain = abs(change), 1.0 / count
        if self._usual and count > _SETTLED:
            # Of all times too, or a signal that wakes after hours of rest would seem all spikes.
            size = min(size, _LEAP * max(self._usual, self._ever))
        self._ever += gain * (size - self._ever)
        self._usual += max(gain, _USUAL) * (size - self._usual)
        self._recent += max(gain, _RECENT) * (size - self._recent)
        self._latest += max(gain, _LATEST) * (size - self._latest)
        changes = self._changes
        changes.insert(0, change)
        changes.pop()

    def _shape(self, value: float, usual: float) -> list[float]:
        median = self._newest.median()
        level = self._level + _LEVEL * (value - self._level)
        # A level that a shift has left behind is no longer one: it goes on beside the new one.
        furthest = BOUND * usual
        self._level = level = max(median - furthest, min(median + furthest, level))
        offset = (median - value) / usual
        self.median = max(-FURTHEST, min(FURTHEST, offset))
        shape = [change / usual for change in self._changes]
        shape += ((value - level) / usual, -offset, 1.0)
        return [BOUND if s > BOUND else -BOUND if s < -BOUND else s for s in shape]
