"""Which experts are asked, and how far each is trusted before it has shown anything.

Each earned its place: `benchmarks/forecast.py --ablation` leaves them out one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from amptalk.forecast.experts.contract import Expert
from amptalk.forecast.experts.median import Median
from amptalk.forecast.experts.regression import Regression
from amptalk.forecast.profile import DailyProfile

LAST_VALUE = 0.75
"""Weight at the start of the last value, which is always a member."""


class Member(NamedTuple):
    """An expert of the team."""

    name: str
    prior: float
    """Its weight at the start."""
    make: Callable[[int, float], Expert]
    """From the horizon in steps and the seconds of a step."""


TEAM = (
    Member("median", 0.05, lambda horizon, _: Median(horizon)),
    Member("regression", 0.2, lambda horizon, step: Regression(horizon, step, DailyProfile())),
)
