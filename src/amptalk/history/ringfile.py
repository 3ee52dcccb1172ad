"""Layout of the recorder's file: header, event slots, pages of rows. Pure: bytes in, bytes out.

    header   4 KiB   magic, version, sizes, JSON (fields, steps, interval, host), CRC; signals
    events   64 × 512 B   CRC, length, sequence number, JSON
    pages    n × 4 KiB    rows, see below

Plain rows would not do: one of 50 doubles each second is 38 MB a day before
anything else. A page begins with one row as doubles (its key) and goes on with
records that say how far each value lies from the key, in steps of the field's
unit, as 16-bit numbers. A value that did not move in the page before is not
written until it does; it, and one too far from its key, follow the record as
(field, single-precision number). With 30 series that all move, a row takes
71 bytes and a page a minute, so the kernel writes 1-2 pages at each of its
flushes 30 s apart. A signal of the application is always written that way, 5 bytes
a row in which it moves: in what steps it should be told, nobody knows.

A row's sequence number is its page's number and its place in the page. Both go
into its CRC, so that neither a torn row nor a leftover of an earlier lap is
taken for one.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from operator import or_
from typing import NamedTuple
from zlib import crc32

from amptalk.model.sample import FIELDS

PAGE = 4096
EVENT_SLOTS, EVENT_BYTES = 64, 512
EVENTS_AT = PAGE
PAGES_AT = EVENTS_AT + EVENT_SLOTS * EVENT_BYTES

_STEPS = {"MB": 1 / 256, "MB/s": 1 / 256, "%": 0.01, "W": 0.001, "°C": 0.01, "cores": 0.001}
"""Resolution by unit; 1/256 MB is a kernel page."""
STEPS: tuple[float, ...] = tuple(_STEPS.get(field.unit, 0.01) for field in FIELDS)

_HEAD = struct.Struct("<IIQdd16s16s")
"""CRC of the rest, session, page number, key's monotonic and wall time, present and active sets."""
_RECORD = struct.Struct("<IIhB")
"""CRC of the rest, 10 µs since the key, 0.1 ms of wall clock drift since it, escapes."""
_ESCAPE = struct.Struct("<Bf")
_TICKS, _DRIFTS = 1e5, 1e4

_WORST_ROW = _RECORD.size + 2 * len(FIELDS)
COLUMNS = 128
"""What a page can tell of at most: a bit each in its sets."""
ROWS_PER_PAGE = 1 + (PAGE - _HEAD.size - 8 * len(FIELDS)) // _WORST_ROW
"""Rows that fit a page at least, as long as values do not jump."""


class Row(NamedTuple):
    """One recorded sample."""

    time: float
    monotonic: float
    values: tuple[float, ...]


class Page(NamedTuple):
    """A page as read."""

    number: int
    session: int
    rows: list[Row]
    torn: bool
    """True when the last row was not written to its end."""


def _set_of(positions: Iterator[int] | Sequence[int]) -> bytes:
    return sum(1 << position for position in positions).to_bytes(COLUMNS // 8, "little")


def _positions(members: bytes) -> list[int]:
    bits = int.from_bytes(members, "little")
    return [position for position in range(COLUMNS) if bits >> position & 1]


class PageWriter:
    """Turns rows into pages: `start` makes a page out of a row, `add` a record for it."""

    def __init__(self, session: int) -> None:
        self._session = session
        self._moved: set[int] | None = None
        self._key = Row(0.0, 0.0, ())
        self.number = 0
        self.used = PAGE
        """Bytes of the page that are taken."""

    def start(self, number: int, row: Row) -> bytes:
        """The whole new page that begins with this row."""
        present = [i for i, value in enumerate(row.values) if not math.isnan(value)]
        moved = self._moved_before()
        self._active = [
            i
            for i in present
            if i < len(STEPS) and math.isfinite(row.values[i]) and (moved is None or i in moved)
        ]
        self._scales = [(i, row.values[i], 1 / STEPS[i]) for i in self._active]
        active = set(self._active)
        self._still = [i for i in range(len(row.values)) if i not in active]
        self._still_values = [row.values[i] for i in self._still]
        self._deltas = struct.Struct(f"<{len(self._active)}h")
        self._moves = [0] * len(self._active)
        self._moved = set()
        self._key = row
        self.number = number
        body = _HEAD.pack(
            0, self._session, number, row.monotonic, row.time, _set_of(present),
            _set_of(self._active),
        )[4:] + struct.pack(f"<{len(present)}d", *(row.values[i] for i in present))  # fmt: skip
        self.used = 4 + len(body)
        return (struct.pack("<I", crc32(body)) + body).ljust(PAGE, b"\0")

    def _moved_before(self) -> set[int] | None:
        if self._moved is None:
            return None
        moved = zip(self._active, self._moves, strict=True)
        return self._moved | {position for position, move in moved if move}

    def add(self, row: Row) -> bytes | None:
        """The record of this row, to be put at `used`; `None` when it needs a new page."""
        if self.used == PAGE or len(row.values) != len(self._key.values):
            return None
        since = row.monotonic - self._key.monotonic
        ticks = round(since * _TICKS)
        drift = round((row.time - self._key.time - since) * _DRIFTS)
        if not (0 <= ticks < 1 << 32 and -32768 <= drift <= 32767):
            return None
        values = row.values
        escapes: list[int] = []
        try:
            deltas = [round((values[i] - key) * scale) for i, key, scale in self._scales]
            packed = self._deltas.pack(*deltas)
        except (ValueError, OverflowError, struct.error):
            deltas = self._escaped(values, escapes)
            packed = self._deltas.pack(*deltas)
        if [values[i] for i in self._still] != self._still_values:
            escapes += self._stirred(values)
        tail = b"".join([_ESCAPE.pack(i, _single(values[i])) for i in escapes])
        if self.used + _RECORD.size + len(packed) + len(tail) > PAGE:
            return None
        self._moves = list(map(or_, self._moves, deltas))
        if escapes:
            self._moved = (self._moved or set()).union(escapes)
        body = _RECORD.pack(0, ticks, drift, len(escapes))[4:] + packed + tail
        record = struct.pack("<I", crc32(body, self._seed())) + body
        self.used += len(record)
        return record

    def _seed(self) -> int:
        return (self.number * PAGE + self.used) & 0xFFFFFFFF

    def _escaped(self, values: tuple[float, ...], escapes: list[int]) -> list[int]:
        """Steps from the key, 0 with an escape where there are none or too many."""
        deltas = []
        for i, key, scale in self._scales:
            steps = (values[i] - key) * scale
            if -32767 < steps < 32767:
                deltas.append(round(steps))
            else:
                deltas.append(0)
                escapes.append(i)
        return deltas

    def _stirred(self, values: tuple[float, ...]) -> list[int]:
        """Fields that are not active and yet differ from the key."""
        return [
            i
            for i, key in zip(self._still, self._still_values, strict=True)
            if values[i] != key and not (math.isnan(values[i]) and math.isnan(key))
        ]


def _single(value: float) -> float:
    """The value, infinite where single precision cannot hold it."""
    return value if abs(value) < 3.4e38 or math.isnan(value) else math.copysign(math.inf, value)


def read_page(content: bytes, steps: Sequence[float]) -> Page | None:
    """The rows of one page; `None` when it is empty or its beginning is damaged."""
    crc, session, number, monotonic, time, present, active = _HEAD.unpack_from(content)
    keys, moving = _positions(present), _positions(active)
    end = _HEAD.size + 8 * len(keys)
    if number == 0 or end > PAGE or crc32(content[4:end]) != crc:
        return None
    if max(keys, default=0) >= len(steps) or not set(moving) <= set(keys):
        return None
    values = [math.nan] * len(steps)
    for position, (value,) in zip(keys, struct.iter_unpack("<d", content[_HEAD.size : end])):  # noqa: B905
        values[position] = value
    key = Row(time, monotonic, tuple(values))
    rows = [key]
    while (found := _read_record(content, end, number, key, moving, steps)) is not None:
        row, end = found
        rows.append(row)
    return Page(number, session, rows, any(content[end:]))


def _read_record(  # noqa: PLR0917 - the state of reading one page
    content: bytes, at: int, number: int, key: Row, moving: list[int], steps: Sequence[float]
) -> tuple[Row, int] | None:
    deltas_at = at + _RECORD.size
    escapes_at = deltas_at + 2 * len(moving)
    if escapes_at > PAGE:
        return None
    crc, ticks, drift, escapes = _RECORD.unpack_from(content, at)
    end = escapes_at + escapes * _ESCAPE.size
    if end > PAGE or crc32(content[at + 4 : end], (number * PAGE + at) & 0xFFFFFFFF) != crc:
        return None
    values = list(key.values)
    deltas = struct.unpack_from(f"<{len(moving)}h", content, deltas_at)
    for position, delta in zip(moving, deltas, strict=True):
        values[position] += delta * steps[position]
    for position, value in _ESCAPE.iter_unpack(content[escapes_at:end]):
        values[position] = value
    since = ticks / _TICKS
    return Row(key.time + since + drift / _DRIFTS, key.monotonic + since, tuple(values)), end
