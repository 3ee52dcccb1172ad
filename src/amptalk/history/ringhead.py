"""Header and event slots of the recorder's file. Pure: bytes in, bytes out (see `ringfile`)."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from zlib import crc32

from amptalk.history.document import plain, this_host
from amptalk.history.ringfile import COLUMNS, EVENT_BYTES, PAGE, PAGES_AT, STEPS
from amptalk.model.errors import MetricsFileError
from amptalk.model.sample import FIELDS, Field

MAGIC = b"AMPTALKR"
VERSION = 1

_PREFIX = struct.Struct("<8sIIII")
"""Magic, CRC of the rest of the header, version, pages, bytes of JSON."""
_CRC_FROM = 12
_SLOT = struct.Struct("<IIQ")
"""CRC of the rest, bytes of JSON, sequence number."""
_SIGNALS = struct.Struct("<II")
"""CRC of the JSON that follows, its bytes."""
SIGNALS_AT = 2560
"""Where the header names the signals. Written anew when one is declared, and apart from the rest:
should that write be torn, the recording is readable without them."""
_ROOM = EVENT_BYTES - _SLOT.size
_LONGEST_TEXT = 100


class Header(NamedTuple):
    """What a recording says of itself."""

    pages: int
    fields: tuple[str, ...]
    units: tuple[str, ...]
    steps: tuple[float, ...]
    interval: float
    host: dict[str, Any]

    @property
    def resolutions(self) -> tuple[float, ...]:
        """Step of each column that a page may have; 0 for signals."""
        return (*self.steps, *(0.0,) * (COLUMNS - len(self.steps)))

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return PAGES_AT + self.pages * PAGE


def new_header(pages: int, interval: float) -> Header:
    """The header of a recording made by this version on this machine."""
    names, units = zip(*FIELDS, strict=True)
    return Header(pages, names, units, STEPS, interval, this_host())


def pack_header(header: Header) -> bytes:
    """The first page of the file."""
    content = header._asdict()
    del content["pages"]
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    rest = struct.pack("<III", VERSION, header.pages, len(text)) + text
    packed = MAGIC + struct.pack("<I", crc32(rest)) + rest
    if len(packed) > SIGNALS_AT:
        raise ValueError(f"the header takes {len(packed)} bytes; it has {SIGNALS_AT}")
    return packed.ljust(PAGE, b"\0")


def read_header(place: str, content: bytes, size: int) -> Header:
    """Check and unpack the first page of a file of `size` bytes, or raise `MetricsFileError`."""
    if len(content) < _PREFIX.size or content[: len(MAGIC)] != MAGIC:
        raise MetricsFileError(f"{place}: this is no recording of AMPTALK; choose another path")
    _, crc, version, pages, length = _PREFIX.unpack_from(content)
    end = _PREFIX.size + length
    if end > len(content) or crc32(content[_CRC_FROM:end]) != crc:
        raise MetricsFileError(
            f"{place}: the header (the first {PAGE} bytes) is damaged; move the file away"
        )
    if version != VERSION:
        raise MetricsFileError(
            f"{place}: the recording has version {version}; this version of AMPTALK knows {VERSION}"
        )
    raw = json.loads(content[_PREFIX.size : end])
    header = Header(
        pages, tuple(raw["fields"]), tuple(raw["units"]), tuple(raw["steps"]),
        raw["interval"], raw["host"],
    )  # fmt: skip
    if size < header.size:
        raise MetricsFileError(
            f"{place}: the file is cut short at {size} of {header.size} bytes; move it away"
        )
    return header


def pack_signals(signals: Sequence[Field]) -> bytes | None:
    """The header's table of signals, to be put at `SIGNALS_AT`; `None` when it does not fit."""
    text = json.dumps(signals, separators=(",", ":"), ensure_ascii=False).encode()
    packed = _SIGNALS.pack(crc32(text), len(text)) + text
    return packed if SIGNALS_AT + len(packed) <= PAGE else None


def read_signals(content: bytes) -> tuple[Field, ...] | None:
    """The signals named in a file's first page, in the order of their columns; `None`: damaged."""
    crc, length = _SIGNALS.unpack_from(content, SIGNALS_AT)
    text = content[SIGNALS_AT + _SIGNALS.size :][:length]
    if not length:
        return None if crc else ()
    if len(text) < length or crc32(text) != crc:
        return None
    return tuple([Field(name, unit) for name, unit in json.loads(text)])


def pack_event(number: int, event: Mapping[str, Any]) -> bytes:
    """One slot; facts that do not fit are left out, in which case `"cut"` is true."""
    text = _encoded(event)
    if len(text) > _ROOM:
        text = _cut(event)
    body = struct.pack("<IQ", len(text), number) + text
    return (struct.pack("<I", crc32(body)) + body).ljust(EVENT_BYTES, b"\0")


def _encoded(event: Mapping[str, Any]) -> bytes:
    return json.dumps(plain(event), separators=(",", ":"), allow_nan=False).encode()


def _cut(event: Mapping[str, Any]) -> bytes:
    kept: dict[str, Any] = {"cut": True}
    text = _encoded(kept)
    for name, value in event.items():
        fact = value[:_LONGEST_TEXT] if isinstance(value, str) else value
        longer = _encoded({**kept, name: fact})
        if len(longer) <= _ROOM:
            kept[name], text = fact, longer
    return text


def read_event(slot: bytes) -> tuple[int, dict[str, Any]] | None:
    """Sequence number and event of a slot; `None` when it is empty or damaged."""
    crc, length, number = _SLOT.unpack_from(slot)
    end = _SLOT.size + length
    if number == 0 or end > EVENT_BYTES or crc32(slot[4:end]) != crc:
        return None
    return number, json.loads(slot[_SLOT.size : end])
