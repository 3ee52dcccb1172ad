"""Reading the tiers: windows for a caller, columns for a file.

Pure reading; what is kept is decided in `tiers`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from amptalk.history.buckets import Bucket, Buckets, merge
from amptalk.history.rows import TIME, VALUES
from amptalk.history.tiers import ROWS_KEPT, Tiers, value_of
from amptalk.history.window import Window
from amptalk.model.sample import Field
from amptalk.model.views import ScopeView

_PAUSE = 3.0
"""Rows this many intervals apart have a gap between them; strategies may double the interval."""


class Span(NamedTuple):
    """What a window is asked of."""

    field: str
    position: int
    seconds: float
    interval: float
    """The monitoring interval."""


def window_of_rows(tiers: Tiers, span: Span) -> Window:
    """Take the window out of the finest tier: rows within the span and a newer fast sample."""
    latest = tiers.latest
    if latest is None:
        return _window(span, span.interval, [], [], ())
    start = latest.monotonic - span.seconds
    monotonic, wall, values = tiers.rows.since(start, ROWS_KEPT, TIME, VALUES + span.position)
    newest = value_of(latest, span.position)
    # A fast sample without the value is no gap: fast ticks need not read everything.
    if not monotonic or (latest.monotonic > monotonic[-1] and not math.isnan(newest)):
        monotonic.append(latest.monotonic)
        wall.append(latest.time)
        values.append(newest)
    points = [(m, t, not math.isnan(v)) for m, t, v in zip(monotonic, wall, values, strict=True)]
    found = [Bucket(0, v, v, v, 1) for v in values if not math.isnan(v)]
    if found:
        low, high = _fast_extremes(tiers, span.position, start)
        found[0] = found[0]._replace(low=min(low, found[0].low), high=max(high, found[0].high))
    times = [(m, t) for m, t, seen in points if seen]
    return _window(span, span.interval, times, found, _gaps(points, _PAUSE * span.interval))


def _fast_extremes(tiers: Tiers, position: int, start: float) -> tuple[float, float]:
    low, high = tiers.fast_extremes(position, start)
    if tiers.peaks_lost >= start:
        for bucket in tiers.fine.read(position, math.ceil(start / tiers.fine.seconds)):
            low, high = min(low, bucket.low), max(high, bucket.high)
    return low, high


def window_of_buckets(tiers: Tiers, span: Span) -> Window:
    """Take the window out of the finest coarser tier that reaches back so far."""
    newest = tiers.latest.monotonic if tiers.latest else 0.0
    start = newest - span.seconds
    tier = tiers.fine
    if tier.lost * tier.seconds > start:
        tier = tiers.coarse
    found = _read(tiers, tier, span.position, math.floor(max(start, 0.0) / tier.seconds))
    times = [(bucket.number * float(tier.seconds), wall) for bucket, wall in found]
    apart = max(1.5 * tier.seconds, _PAUSE * span.interval)
    gaps = _gaps([(m, t, True) for m, t in times], apart)
    return _window(span, float(tier.seconds), times, [bucket for bucket, _ in found], gaps)


def _read(tiers: Tiers, tier: Buckets, position: int, first: int) -> list[tuple[Bucket, float]]:
    """Buckets of one series with their wall times, up to the one in the making."""
    # The open bucket first: should it be closed meanwhile, it is found twice, not lost.
    opened = tiers.open_bucket(position)
    fine = tiers.fine
    if tier is not fine:
        number = tier.upto
        parts = fine.read(position, number * tier.seconds // fine.seconds)
        walls = [fine.time(b.number) - (b.number * fine.seconds) for b in parts[:1]]
        if opened and (not parts or parts[-1].number < opened[0].number):
            parts.append(opened[0])
            walls.append(opened[1] - opened[0].number * fine.seconds)
        if parts:
            number = parts[-1].number * fine.seconds // tier.seconds
            opened = merge(number, parts), walls[0] + number * tier.seconds
    found = [(bucket, tier.time(bucket.number)) for bucket in tier.read(position, first)]
    if opened and (not found or found[-1][0].number < opened[0].number):
        found.append(opened)
    return found


def _gaps(
    points: Sequence[tuple[float, float, bool]], apart: float
) -> tuple[tuple[float, float], ...]:
    """Spans of wall time between (monotonic, wall, seen) points without an observation."""
    gaps = []
    before: tuple[float, float] | None = None
    missed = False
    for monotonic, wall, seen in points:
        if not seen:
            missed = True
            before = before or (monotonic, wall)
            continue
        if before and (missed or monotonic - before[0] > apart):
            gaps.append((before[1], wall))
        before, missed = (monotonic, wall), False
    if missed and before and points:
        gaps.append((before[1], points[-1][1]))
    return tuple(gaps)


def _window(
    span: Span,
    resolution: float,
    times: Sequence[tuple[float, float]],
    found: list[Bucket],
    gaps: tuple[tuple[float, float], ...],
) -> Window:
    whole = merge(0, found) if found else Bucket(0, math.nan, math.nan, math.nan, 0)
    return Window(
        field=span.field,
        seconds=span.seconds,
        resolution=resolution,
        times=tuple([wall for _, wall in times]),
        monotonic=tuple([monotonic for monotonic, _ in times]),
        values=tuple([bucket.mean for bucket in found]),
        minimum=whole.low,
        mean=whole.mean,
        maximum=whole.high,
        count=whole.seen,
        gaps=gaps,
    )


def columns(
    tiers: Tiers, fields: Sequence[Field], interval: float
) -> dict[str, list[float | None]]:
    """Return everything kept as columns: `time`, `monotonic`, `resolution`, then the series.

    Oldest first; what the rows no longer hold is there as means of the coarser
    tiers, `resolution` says over how many seconds. The specification's names are
    always there, other series when they ever had a value.
    """
    rows = tiers.rows.since(-math.inf, ROWS_KEPT, TIME, *range(VALUES, VALUES + len(fields)))
    blocks = []
    if tiers.rows.readable()[0] > 0:
        until = rows[0][0]
        for tier in (tiers.fine, tiers.coarse):
            blocks.append(_bucket_columns(tier, fields, until))
            if not tier.lost:
                break
            until = tier.oldest * float(tier.seconds)
    blocks.reverse()
    blocks.append(_row_columns(rows, fields, interval))
    names = [field.name for field in fields]
    live = [n for n in names if n in ScopeView._fields or any(n in block for block in blocks)]
    result: dict[str, list[float | None]] = {}
    for name in ("time", "monotonic", "resolution", *live):
        result[name] = []
        for block in blocks:
            result[name] += block.get(name) or [None] * len(block["time"])
    return result


def _row_columns(
    rows: Sequence[Sequence[float]], fields: Sequence[Field], interval: float
) -> dict[str, list[float | None]]:
    monotonic, wall, *series = rows
    block: dict[str, list[float | None]] = {
        "time": list(wall),
        "monotonic": list(monotonic),
        "resolution": [interval] * len(wall),
    }
    for field, values in zip(fields, series, strict=True):
        column = [value if math.isfinite(value) else None for value in values]
        if any(value is not None for value in column):
            block[field.name] = column
    return block


def _bucket_columns(
    tier: Buckets, fields: Sequence[Field], until: float
) -> dict[str, list[float | None]]:
    """Means of the buckets that end by monotonic `until`, where the finer tier begins.

    A bucket that reaches into the finer tier is left out rather than told twice.
    """
    series: dict[str, dict[int, float]] = {}
    for position, field in enumerate(fields):
        # Single precision has 7 digits; more would be noise in the file.
        means = {
            bucket.number: float(f"{bucket.mean:.7g}")
            for bucket in tier.read(position, 0)
            if (bucket.number + 1) * tier.seconds <= until and math.isfinite(bucket.mean)
        }
        if means:
            series[field.name] = means
    numbers = sorted({number for means in series.values() for number in means})
    block: dict[str, list[float | None]] = {
        "time": [tier.time(number) for number in numbers],
        "monotonic": [number * float(tier.seconds) for number in numbers],
        "resolution": [float(tier.seconds)] * len(numbers),
    }
    for name, means in series.items():
        block[name] = [means.get(number) for number in numbers]
    return block
