"""Work that is known to come."""

from __future__ import annotations

from typing import NamedTuple


class Announcement(NamedTuple):
    """Demand that will come: `amount` more of `resource`, from `starts_in` for `duration`."""

    resource: str
    amount: float
    """In the resource's unit, on top of what is used otherwise."""
    starts_in: float
    """Seconds from now; negative when it has begun."""
    duration: float
    """Seconds; `inf` when it stays."""
