"""Samples into tiers: which sample is a row, which is fast, and when a bucket is full.

`Tiers` writes: rows (`rows`), 10 s buckets for a day and 10 min buckets for 30
days (`buckets`). A bucket is made when it is full, out of the finer tier, so a
tick pays for one row and nothing more. What is asked of it is in `history`.

A *fast* sample comes sooner than the interval after the last row. It counts
for the extremes, with the row before it.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from amptalk.history.buckets import MOST_COUNTED, Bucket, Buckets, Summary, merge
from amptalk.history.rows import MONOTONIC, TIME, VALUES, Rows
from amptalk.model.sample import FIELDS, Sample

ROWS_KEPT = 3600
FINE, COARSE = (10, 8640), (600, 4320)
"""Bucket length in seconds and buckets kept: a day, 30 days."""
PEAKS_KEPT = 256
"""Newest rows whose fast extremes are kept one by one; older ones to the 10 s bucket."""

_EARLY = 0.9
"""A sample this fraction of the interval after the last row is a row; an earlier one is fast."""
_LEAST_SPACING = 0.005
"""Seconds: rows are never closer, so that a 10 s bucket always lies within the ring."""
_FOLD_AT = 64
"""Fast samples waiting to be folded into extremes."""

_Extremes = tuple[list[float], list[float]]


class _Peak(NamedTuple):
    """Extremes of the fast samples after one row."""

    upto: float
    """Monotonic time of the newest of them."""
    lows: array[float]
    highs: array[float]


def _unseen(values: int) -> _Extremes:
    return [math.inf] * values, [-math.inf] * values


def _widened(extremes: _Extremes, rows: Sequence[Sequence[float]]) -> _Extremes:
    # min and max keep their first argument against a nan, so missing values never win.
    return list(map(min, extremes[0], *rows)), list(map(max, extremes[1], *rows))


class Tiers:
    """The three tiers of all series; one thread appends, any thread reads (see `rows`)."""

    __slots__ = (
        "_bucket_extremes", "_bucket_first", "_closes", "_fast", "_fast_at", "_last",
        "_open_extremes", "_peaks", "_unseen", "coarse", "covered", "fine", "latest",
        "peaks_lost", "rows", "spacing", "values",
    )  # fmt: skip

    spacing: float
    """Seconds that rows are apart at least."""
    covered: float
    """Seconds that the rows reach back at least, as far as anything was seen."""
    latest: Sample | None
    """The newest sample, fast or not."""
    values: int
    """How many values a sample's row has."""
    peaks_lost: float
    """Fast extremes up to this monotonic time are only in the buckets."""

    def __init__(self, interval: float) -> None:
        self.spacing = max(interval * _EARLY, _LEAST_SPACING)
        self.covered = self.spacing * (ROWS_KEPT - 1)
        self.values = len(FIELDS)
        self._unseen = _unseen(self.values)
        self.rows = Rows(ROWS_KEPT)
        self.fine = Buckets(*FINE)
        self.coarse = Buckets(*COARSE)
        self.latest = None
        self.peaks_lost = -math.inf
        self._last = -math.inf
        self._closes = -math.inf
        self._bucket_first = 0
        self._bucket_extremes: _Extremes | None = None
        self._open_extremes: _Extremes | None = None
        self._fast: list[tuple[float, ...]] = []
        self._fast_at = -math.inf
        self._peaks: deque[_Peak] = deque(maxlen=PEAKS_KEPT)

    def expect(self, values: int) -> None:
        """Samples have so many values from now on: there is a new signal behind the others."""
        if self._fast:
            self._fold()
        more = values - self.values
        for extremes in (self._open_extremes, self._bucket_extremes):
            if extremes is not None:
                extremes[0].extend([math.inf] * more)
                extremes[1].extend([-math.inf] * more)
        self._unseen = _unseen(values)
        self.rows.expect(values)
        self.values = values

    def append(self, sample: Sample) -> None:
        """Take one sample, in order of time."""
        now = sample.monotonic
        self.latest = sample
        if now - self._last < self.spacing:
            self._fast.append(sample.row)
            self._fast_at = now
            if len(self._fast) >= _FOLD_AT:
                self._fold()
            return
        if self._fast_at > self._last:
            self._close_row()
        if now >= self._closes:
            self._close_buckets(now)
        self.rows.append(now, sample.time, sample.row)
        self._last = now

    # Fast samples: pending -> extremes of the open row -> peaks and extremes of the bucket.

    def _fold(self) -> None:
        self._open_extremes = _widened(self._open_extremes or self._unseen, self._fast)
        self._fast = []

    def _close_row(self) -> None:
        if self._fast:
            self._fold()
        lows, highs = self._open_extremes or self._unseen
        if len(self._peaks) == PEAKS_KEPT:
            self.peaks_lost = self._peaks[0].upto
        self._peaks.append(_Peak(self._fast_at, array("f", lows), array("f", highs)))
        before = self._bucket_extremes or self._unseen
        self._bucket_extremes = list(map(min, before[0], lows)), list(map(max, before[1], highs))
        self._open_extremes = None

    def fast_extremes(self, position: int, start: float) -> tuple[float, float]:
        """Lowest and highest fast value since monotonic `start`; (inf, -inf) without any."""
        found = [
            (p.lows[position], p.highs[position])
            for p in tuple(self._peaks)
            if p.upto >= start and position < len(p.lows)  # a signal has none of before it
        ]
        if self._fast_at >= start:
            found.append(self._open(position))
        low = min((low for low, _ in found), default=math.inf)
        return low, max((high for _, high in found), default=-math.inf)

    def _open(self, position: int) -> tuple[float, float]:
        """Extremes of the fast samples after the newest row."""
        extremes, pending = self._open_extremes or self._unseen, tuple(self._fast)
        low, high = extremes[0][position], extremes[1][position]
        for row in pending:
            low, high = min(low, row[position]), max(high, row[position])
        return low, high

    # Buckets.

    def _close_buckets(self, now: float) -> None:
        first, last = self._bucket_first, self.rows.count
        seconds = self.fine.seconds
        if last:
            number = int(self.rows.value(MONOTONIC, first) // seconds)
            self.fine.close(number, self._time_at(first, number), self._summary(first, last))
            coarse = number * seconds // self.coarse.seconds
            if now // self.coarse.seconds > coarse:
                self._close_coarse(coarse)
        self._bucket_extremes = None
        self._bucket_first = last
        self._closes = (now // seconds + 1) * seconds

    def _summary(self, first: int, last: int) -> Summary:
        """Return what each series with a value did in some rows and the fast samples between."""
        summary = positions, stats, counts = Summary([], [], [])
        for position, column in self.rows.columns(first, last):
            values: Sequence[float] = column
            total = sum(column)
            if total != total:  # noqa: PLR0124 - nan test, fifty times a bucket
                values = [value for value in column if value == value]  # noqa: PLR0124
                if not values:
                    continue
                total = sum(values)
            positions.append(position)
            stats += (min(values), total / len(values), max(values))
            counts.append(len(values))
        if self._bucket_extremes is not None:
            lows, highs = self._bucket_extremes
            stats[0::3] = map(min, stats[0::3], [lows[position] for position in positions])
            stats[2::3] = map(max, stats[2::3], [highs[position] for position in positions])
        return summary

    def _close_coarse(self, number: int) -> None:
        fine, coarse = self.fine, self.coarse
        summary = positions, stats, counts = Summary([], [], [])
        earliest = fine.upto
        for position in range(self.values):
            parts = fine.read(position, number * coarse.seconds // fine.seconds)
            if parts:
                _, low, mean, high, seen = merge(number, parts)
                positions.append(position)
                stats += (low, mean, high)
                counts.append(min(seen, MOST_COUNTED))
                earliest = min(earliest, parts[0].number)
        if positions:
            late = earliest * fine.seconds - number * coarse.seconds
            coarse.close(number, fine.time(earliest) - late, summary)

    def _time_at(self, row: int, number: int) -> float:
        """Wall time at the start of a fine bucket, told by the clock of one of its rows."""
        into = self.rows.value(MONOTONIC, row) - number * self.fine.seconds
        return self.rows.value(TIME, row) - into

    def open_bucket(self, position: int) -> tuple[Bucket, float] | None:
        """Return one series' fine bucket in the making and its start's wall time, if any."""
        first, last = self._bucket_first, self.rows.count
        values = [
            value
            for value in self.rows.column(VALUES + position, first, last)
            if not math.isnan(value)
        ]
        if not values:
            return None
        extremes = self._bucket_extremes or self._unseen
        open_low, open_high = self._open(position)
        number = int(self.rows.value(MONOTONIC, first) // self.fine.seconds)
        bucket = Bucket(
            number,
            min(extremes[0][position], open_low, *values),
            sum(values) / len(values),
            max(extremes[1][position], open_high, *values),
            len(values),
        )
        return bucket, self._time_at(first, number)

    def reaches(self, seconds: float) -> bool:
        """Whether the rows hold all that was seen in the last `seconds`."""
        first, _ = self.rows.readable()
        if first == 0 or self.latest is None:
            return True
        return self.rows.value(MONOTONIC, first) <= self.latest.monotonic - seconds

    def memory_bytes(self) -> int:
        """Bytes taken now by rows, buckets and kept peaks."""
        newest = tuple(self._peaks)[-1:]
        peak = sum(p.lows.__sizeof__() + p.highs.__sizeof__() + p.__sizeof__() for p in newest)
        kept = self.rows.memory_bytes() + self.fine.memory_bytes() + self.coarse.memory_bytes()
        return kept + peak * len(self._peaks)


def value_of(sample: Sample, position: int) -> float:
    """The value in a sample; `nan` for a signal that was declared after it.

    Of a sample that the reader holds: `Tiers.latest` may be another one by now.
    """
    row = sample.row
    return row[position] if position < len(row) else math.nan
