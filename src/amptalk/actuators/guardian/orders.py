"""What the application tells its guardian and what it hears from it: lines of JSON over two pipes.

An order tells the whole of what is to be watched, so each one replaces the last. A pipe that is
closed without `BYE` says that the application is gone, by `exec` too.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

BYE = b"bye\n"
"""The application undoes everything itself; the guardian ends."""


class Usage(NamedTuple):
    """The files that tell what a control group is charged with."""

    total: str
    details: str
    dropped: tuple[str, ...]
    """Names of the lines in `details` with what the kernel drops before it kills: file cache."""


class Watched(NamedTuple):
    """A child that may be stopped, and perhaps ended."""

    pid: int
    start: int
    priority: int
    may_end: bool


class Order(NamedTuple):
    """What is to be watched; amounts in bytes."""

    limit: int
    cap: int
    usage: Usage
    children: tuple[Watched, ...]


class Told(NamedTuple):
    """What the guardian has done about memory from the first sign of danger to its end."""

    began: float
    """Monotonic seconds."""
    seconds: float
    """How long it took until there was no danger any more."""
    before_mb: float
    after_mb: float
    helped: bool
    """Whether less is used, or growth has ended, by what was done."""
    text: str
    """What was done to whom, and why."""


def order_line(order: Order) -> bytes:
    """An order as it goes over the pipe."""
    return json.dumps(order).encode() + b"\n"


def order_of(line: bytes) -> Order:
    """Read an order back. Raises `ValueError` for anything else."""
    try:
        limit, cap, usage, children = json.loads(line)
        total, details, dropped = usage
        files = Usage(str(total), str(details), tuple(map(str, dropped)))
        return Order(int(limit), int(cap), files, tuple(map(_watched, children)))
    except (TypeError, AttributeError) as error:
        raise ValueError(f"no order: {error}") from None


def _watched(row: Any) -> Watched:
    pid, start, priority, may_end = row
    return Watched(int(pid), int(start), int(priority), bool(may_end))


def told_line(told: Told) -> bytes:
    """What was done, as it goes over the pipe."""
    return json.dumps(told).encode() + b"\n"


def told_of(line: bytes) -> Told:
    """Read it back. Raises `ValueError` for anything else."""
    try:
        began, seconds, before, after, helped, text = json.loads(line)
        numbers = float(began), float(seconds), float(before), float(after)
    except TypeError as error:
        raise ValueError(f"nothing that was told: {error}") from None
    return Told(*numbers, bool(helped), str(text))
