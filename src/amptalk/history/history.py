"""Everything a manager has seen, in bounded memory: `History`.

Three tiers (`tiers`): the newest 3600 rows, 10 s buckets for a day, 10 min
buckets for 30 days; 30 live series stay below 7 MiB whatever the run length.
Events are a bounded list apart.

One thread appends; any thread may read, without a lock (see `rows`). It does
not measure, judge or write files (`sensors`, `limits`, `files`).
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from amptalk.history.least_squares import least_squares_slope
from amptalk.history.rows import VALUES
from amptalk.history.tiers import ROWS_KEPT, Tiers, value_of
from amptalk.model.errors import ConfigurationError
from amptalk.model.sample import BUILT_IN_COLUMNS, Columns, Sample

if TYPE_CHECKING:
    from amptalk.history.buckets import Bucket
    from amptalk.history.window import Window

EVENTS_KEPT = 4096


class History:
    """What was seen, for charts, strategies and files."""

    __slots__ = ("_events", "_tiers", "columns", "events_dropped", "interval")

    interval: float
    """The monitoring interval in seconds; rows are at least 0.9 of it apart."""
    events_dropped: int
    """Events that had to go for newer ones."""
    columns: Columns
    """The series: what the samples measure, then the application's signals."""

    def __init__(self, interval: float = 1.0) -> None:
        if not 0 < interval < math.inf:
            raise ConfigurationError(
                f"interval={interval!r} is not allowed; give seconds greater than 0"
            )
        self.interval = interval
        self.events_dropped = 0
        self._events: deque[dict[str, Any]] = deque(maxlen=EVENTS_KEPT)
        self._tiers = Tiers(interval)
        self.columns = BUILT_IN_COLUMNS

    def __len__(self) -> int:
        """Rows in the finest tier."""
        first, last = self._tiers.rows.readable()
        return last - first

    @property
    def latest(self) -> Sample | None:
        """The newest sample; `None` before the first."""
        return self._tiers.latest

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the series."""
        return tuple(self.columns.index)

    @property
    def events(self) -> tuple[dict[str, Any], ...]:
        """The newest 4096 events, oldest first, each with `kind`, `time` and its facts."""
        return tuple(self._events)

    @property
    def events_noted(self) -> int:
        """How many events there were, those no longer kept included."""
        return self.events_dropped + len(self._events)

    def events_since(self, noted: int) -> tuple[dict[str, Any], ...]:
        """Events after the first `noted`, as far as they are kept."""
        fresh = self.events_noted - noted
        return tuple(self._events)[-fresh:] if fresh > 0 else ()

    def append(self, sample: Sample) -> None:
        """Keep one sample; called once a tick, in order of time.

        A sample sooner than the interval (less 10 %) after the last row is no
        row of its own: it counts for the extremes and as the latest value.
        """
        if sample.columns is not self.columns:
            self.adopt(sample.columns)
        self._tiers.append(sample)

    def adopt(self, columns: Columns) -> None:
        """Have a series for each of these columns, which are those there are and more.

        Called when a signal is declared, or by the first sample with it; not during `append`.
        """
        self._tiers.expect(len(columns.fields))
        self.columns = columns

    def note(self, kind: str, time: float, **facts: Any) -> None:
        """Keep an event: its kind, its time since the epoch and whatever describes it."""
        if len(self._events) == EVENTS_KEPT:
            self.events_dropped += 1
        self._events.append({"kind": kind, "time": time, **facts})

    def slope(self, field: str, seconds: float) -> float:
        """Growth of a field per second over the last `seconds`, by least squares.

        `nan` with fewer than 3 values. Raises `ConfigurationError` for an
        unknown field or a span that is not above 0.
        """
        position = self._position(field, seconds)
        if seconds > self._tiers.covered and not self._tiers.reaches(seconds):
            return self.window(field, seconds).slope
        return least_squares_slope(*self._points(position, seconds))

    def values(self, field: str, seconds: float) -> list[tuple[float, float]]:
        """Rows of the last `seconds` as (monotonic, value), `nan` left out, oldest first.

        The newest sample is included when it is no row of its own. Reaches back
        as far as the finest tier. Raises like `slope`.
        """
        times, found = self._points(self._position(field, seconds), seconds)
        return [(t, v) for t, v in zip(times, found, strict=True) if not math.isnan(v)]

    def percentile(self, field: str, percent: float, seconds: float) -> float:
        """Return the value below which `percent` (0-100) of the last `seconds` lie."""
        return self.window(field, seconds).percentile(percent)

    def window(self, field: str, seconds: float) -> Window:
        """Tell what a field did over the last `seconds`, counted back from the newest sample.

        Raises `ConfigurationError` for an unknown field or a span not above 0.
        """
        from amptalk.history import reading

        span = reading.Span(field, self._position(field, seconds), seconds, self.interval)
        if self._tiers.reaches(seconds):
            return reading.window_of_rows(self._tiers, span)
        return reading.window_of_buckets(self._tiers, span)

    @property
    def closed(self) -> int:
        """Number after the newest bucket of `closed_seconds` that is full; 0 before the first."""
        return self._tiers.fine.upto

    @property
    def closed_seconds(self) -> int:
        """Length of these buckets; a bucket's number times it is its start in monotonic time."""
        return self._tiers.fine.seconds

    def closed_buckets(self, field: str, first: int) -> list[Bucket]:
        """Full buckets of a field from number `first` on, oldest first, a day of them at most."""
        return self._tiers.fine.read(self._position(field, math.inf), first)

    def samples(self) -> dict[str, list[float | None]]:
        """Everything kept, as columns of equal length and `None` for missing; see `reading`."""
        from amptalk.history import reading

        return reading.columns(self._tiers, self.columns.fields, self.interval)

    def memory_bytes(self) -> int:
        """Bytes that the series take now; events are not included."""
        return self._tiers.memory_bytes()

    def _points(self, position: int, seconds: float) -> tuple[array[float], array[float]]:
        """Monotonic times and values (with `nan`) of the rows and a newer fast sample."""
        tiers = self._tiers
        latest = tiers.latest
        if latest is None:
            return array("d"), array("d")
        most = int(min(seconds / tiers.spacing, ROWS_KEPT)) + 2
        times, values = tiers.rows.since(latest.monotonic - seconds, most, VALUES + position)
        if not times or latest.monotonic > times[-1]:
            times.append(latest.monotonic)
            values.append(value_of(latest, position))
        return times, values

    def _position(self, field: str, seconds: float) -> int:
        if not seconds > 0:
            raise ConfigurationError(f"seconds={seconds!r} is not allowed; give more than 0")
        index = self.columns.index
        position = index.get(field)
        if position is None:
            raise _unknown(field, index)
        return position


def _unknown(field: str, known: Iterable[str]) -> ConfigurationError:
    from difflib import get_close_matches

    close = get_close_matches(field, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(close)}?" if close else f"known are {', '.join(known)}"
    return ConfigurationError(f"there is no field {field!r}; {hint}")
