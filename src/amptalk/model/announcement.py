"""Demand that is known to come.

Announced by the application, or of admitted work that has not taken what it will. What is measured
already is never part of it.
"""

from __future__ import annotations

from typing import NamedTuple


class Announcement(NamedTuple):
    """Demand that will come: `amount` more of `resource`, from `starts_in` for `duration`."""

    resource: str
    amount: float
    """In the resource's unit, on top of what is used otherwise."""
    starts_in: float
    """Seconds from now; 0 for work that runs and may take it at any moment, negative for announced
    work that should have begun: whether it has, is not known."""
    duration: float
    """Seconds from then; `inf` when it stays or is not known."""
