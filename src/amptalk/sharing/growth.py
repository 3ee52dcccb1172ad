"""What was granted lately and is not taken up yet.

A grant that grew is demand that is known to come: its component was told and will use it. What
the total measured has risen by since is taken up. After ten seconds the rest counts as room that
the component does not want now; what a component holds when it is registered counts as there.
Pure.
"""

from __future__ import annotations

import math

from amptalk.model.announcement import Announcement
from amptalk.model.resource import BUILT_IN, Resource
from amptalk.model.sample import Sample

TAKE_UP_SECONDS = 10.0

_NOTHING: tuple[Announcement, ...] = ()


class Growth:
    """Growth of all grants, by resource in its unit. Belongs to the tick."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[str, tuple[float, float, float]] = {}
        """Resource to what was granted, what was used before, and when that was."""

    def note(self, resource: Resource, amount: float, sample: Sample) -> None:
        """Grants of a resource grow by `amount` as of a sample."""
        used, now = sample[resource.field], sample.monotonic
        self._open[resource.name] = self._left(resource.name, used, now) + amount, used, now

    def coming(self, sample: Sample) -> tuple[Announcement, ...]:
        """What is not taken up; nothing of a resource that is not measured."""
        if not self._open:
            return _NOTHING
        now, found = sample.monotonic, []
        for name in tuple(self._open):
            left = self._left(name, sample[BUILT_IN[name].field], now)
            if left > 0.0:
                found.append(Announcement(name, left, 0.0, math.inf))
            elif now - self._open[name][2] >= TAKE_UP_SECONDS:
                del self._open[name]
        return tuple(found)

    def _left(self, name: str, used: float, now: float) -> float:
        amount, before, at = self._open.get(name, (0.0, used, now))
        if now - at >= TAKE_UP_SECONDS or math.isnan(used - before):
            return 0.0
        return max(0.0, amount - max(0.0, used - before))
