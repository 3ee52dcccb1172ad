"""What `amptalk run` tells the program that it watches: one JSON line an event.

An *appeal* asks for less of one resource and says by when that is looked at; it carries the share
of full work that would suit. `share` events follow the strategy's allocation, `clear` ends an
appeal. The lines go through a descriptor whose number is in `AMPTALK_EVENTS_FD`; the inode of its
pipe is in `AMPTALK_EVENTS_INODE`, so that a process which did not inherit it takes no other file
for it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

DESCRIPTOR, INODE = "AMPTALK_EVENTS_FD", "AMPTALK_EVENTS_INODE"
"""Environment variables of the program."""
ASK, SHARE, CLEAR = "ask", "share", "clear"
_EVENTS = frozenset({ASK, SHARE, CLEAR})
_LEAST = 0.05


class Appeal(NamedTuple):
    """One event."""

    event: str
    """`ask`: use less. `share`: the allocation moved. `clear`: all is well again."""
    resource: str
    share: float
    """Share of full work that may run from now on, 0.05 to 1."""
    value: float = math.nan
    limit: float = math.nan
    unit: str = ""
    level: str = ""
    give_back: float = math.nan
    """How much less is wanted, in the unit."""
    deadline: float = math.nan
    """Seconds after which it is measured whether it helped."""
    time: float = math.nan
    """Seconds since the epoch."""


def line_of(appeal: Appeal) -> bytes:
    """An event as it is written; what is not known is left out."""
    import json

    known = {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in appeal._asdict().items()
        if value == value and value != ""  # noqa: PLR0124 - nan
    }
    return json.dumps(known).encode() + b"\n"


def appeal_of(line: bytes) -> Appeal:
    """Read an event. Raises `ValueError` for anything else; unknown facts are passed over."""
    import json

    plain = json.loads(line)
    if not isinstance(plain, dict) or plain.get("event") not in _EVENTS:
        raise ValueError(f"no event: {line[:40]!r}")
    share, resource = plain.get("share"), plain.get("resource")
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not resource:
        raise ValueError(f"no share of a resource: {line[:40]!r}")
    known = {name: plain[name] for name in Appeal._fields if name in plain}
    return Appeal(**{**known, "resource": str(resource),
                     "share": min(1.0, max(_LEAST, float(share)))})  # fmt: skip
