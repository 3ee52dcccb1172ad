"""At what point a value becomes elevated, critical or an emergency: one table.

It holds numbers and turns them into lines for one limit; how levels move over
time is in `levels`.
"""

from __future__ import annotations

from typing import NamedTuple

from amptalk.model.resource import Resource

Three = tuple[float, float, float]
"""For elevated, critical and emergency."""


class Thresholds(NamedTuple):
    """When a resource enters each level and when it is clear of it again."""

    enter: Three
    """Fraction of the limit; for a temperature °C relative to it (negative is below)."""
    clear: float
    """How far below its entry a level is clear, in the same measure."""
    hold: Three = (0.25, 0.25, 0.0)
    """Seconds the condition must last. A sample below takes back what one above gave, so
    seconds stand for a mean over that time; 0 needs a single sample, anything else two."""
    time_to_limit: Three | None = None
    """Enter when the limit is less than these seconds away at the present slope."""


CLEAR_SECONDS = 15.0
"""How long a level must be clear before it goes down by one."""
LONGEST_CLEAR_SECONDS = 300.0
RETURN_SECONDS = 60.0
"""A level that comes back sooner than this has twice the time to be clear next time."""
SLOPE_FLOOR = 0.5
"""Time to the limit counts from this fraction of it: start-up and loading look steep."""
SLOPE_CLEAR = 2.0
"""A level entered by time to the limit is clear at this multiple of its seconds."""
STALE_PERIODS = 3.0
"""A value older than this many of its own periods is too old to judge."""

_HOLD = Thresholds((0.75, 0.85, 0.93), 0.10, time_to_limit=(30.0, 10.0, 3.0))
_BUSY = Thresholds((0.85, 0.95, 1.10), 0.10, hold=(10.0, 30.0, 30.0))
_POWER = Thresholds((0.90, 1.00, 1.10), 0.10, hold=(10.0, 5.0, 2.0))
_TEMPERATURE = Thresholds((-10.0, -5.0, 0.0), 5.0)

_BY_NAME = {"power": _POWER}
_BY_KIND = {"hold": _HOLD, "rate": _BUSY, "temperature": _TEMPERATURE}


def thresholds_for(resource: Resource) -> Thresholds:
    """Row of the table for a resource: by its name, otherwise by its kind."""
    return _BY_NAME.get(resource.name) or _BY_KIND[resource.kind]


class Lines(NamedTuple):
    """Thresholds of one limit in the resource's own unit."""

    enter: Three
    stay: Three
    """Below these the level is clear."""


def lines_for(resource: Resource, limit: float) -> Lines:
    """Entry and clear lines of `resource` under `limit`."""
    table = thresholds_for(resource)
    elevated, critical, emergency = table.enter
    if resource.kind == "temperature":
        enter = (limit + elevated, limit + critical, limit + emergency)
        gap = table.clear
    else:
        enter = (limit * elevated, limit * critical, limit * emergency)
        gap = limit * table.clear
    return Lines(enter, (enter[0] - gap, enter[1] - gap, enter[2] - gap))
