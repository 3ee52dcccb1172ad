"""What admitted work will still take: the demand that is known before it can be measured.

Pure. Work that **runs** may take at any moment what it is expected to take and has not taken
yet, for the rest of its time. Work that **waits** takes what it is expected to once enough of
what runs has ended; when that will be is known only where it was learned how long jobs last.

What running work will give back is never told by itself: it may last longer than it used to,
and malloc may keep what was freed. It is only taken off the demand of the work that waits for
it, so that the same memory is not counted for both. Work that waits because a level is too high
is not told: it begins when there is room, which its demand would take away.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from amptalk.model.announcement import Announcement

SMALL = 0.05
"""Share of what is expected that counts as taken: runs scatter by so much."""


class Work(NamedTuple):
    """One piece of admitted work, by resource in its unit."""

    expected: Mapping[str, float]
    """What it takes at most."""
    taken: Mapping[str, float]
    """What it was seen to take so far; `nan` where that is not known. Empty while it waits."""
    reserved: Mapping[str, float]
    """What the gate sets aside for it."""
    seconds: float
    """Until it ends or, while it waits, how long it lasts; `inf` when unknown."""


def of_running(running: Iterable[Work]) -> list[Announcement]:
    """What running work has not taken yet."""
    found = []
    for work in running:
        for resource, amount in work.expected.items():
            left = amount - work.taken.get(resource, math.nan)
            if left > SMALL * amount:  # also False for nan: what is not known is not told
                found.append(Announcement(resource, left, 0.0, work.seconds))
    return found


def of_waiting(
    waiting: Iterable[Work], running: Iterable[Work], room: Mapping[str, float], rest: float
) -> list[Announcement]:
    """What those that wait, in their order, will take, and when.

    `room` is what is left of each limit, `rest` the seconds before the first may begin.
    """
    free, back = dict(room), dict.fromkeys(room, 0.0)
    places = itertools.count()
    ends = [(work.seconds, next(places), work) for work in running]
    heapq.heapify(ends)
    begins = rest
    found = []
    for work in waiting:
        while ends and not _fits(work.reserved, free):
            seconds, _, ended = heapq.heappop(ends)
            begins = max(begins, seconds)
            _add(free, ended.reserved, 1.0)
            _add(back, ended.taken, 1.0)
        if begins == math.inf or not _fits(work.reserved, free):
            break  # when this one and those behind it begin is not known
        for resource, amount in work.expected.items():
            extra = amount - back.get(resource, 0.0)
            if extra > SMALL * amount:
                found.append(Announcement(resource, extra, begins, work.seconds))
        back = {
            resource: max(0.0, left - work.expected.get(resource, 0.0))
            for resource, left in back.items()
        }
        _add(free, work.reserved, -1.0)
        begun = work._replace(taken=work.expected)
        heapq.heappush(ends, (begins + work.seconds, next(places), begun))
    return found


def _fits(amounts: Mapping[str, float], free: Mapping[str, float]) -> bool:
    return all(amount <= free.get(resource, math.inf) for resource, amount in amounts.items())


def _add(to: dict[str, float], amounts: Mapping[str, float], sign: float) -> None:
    """Add amounts of limited resources, those that are not known as nothing."""
    for resource, amount in amounts.items():
        if resource in to and not math.isnan(amount):
            to[resource] += sign * amount
