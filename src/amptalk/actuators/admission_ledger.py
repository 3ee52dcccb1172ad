"""One limited resource as admission sees it: what of the limit is committed.

**Committed** of a hold resource is max(measured, baseline + outstanding):
*outstanding* are the amounts of jobs that run; *baseline* is the newest measurement
made while nothing was outstanding, lowered when a later one is below it; from
*measured* is taken what jobs gave back since that measurement, until the next one
tells. Of a rate (CPU) it is the outstanding amounts: use within the limit is the
allocation's business.
"""

from __future__ import annotations

import math

from amptalk.limits.thresholds import lines_for
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import Resource


class Ledger:
    """One limited resource."""

    __slots__ = (
        "baseline", "given_back", "is_hold", "level", "limit", "measured", "outstanding", "unit",
    )  # fmt: skip

    def __init__(self, resource: Resource, limit: float) -> None:
        self.is_hold = resource.kind == "hold"
        self.unit = resource.unit
        self.limit = limit
        self.forget()

    def forget(self) -> None:
        """Nothing is known but the limit."""
        self.level = Level.NORMAL
        self.measured = math.nan
        self.baseline = math.nan
        self.given_back = 0.0
        self.outstanding = 0.0

    def take(self, state: LimitState) -> None:
        """Take this tick's judgement."""
        self.limit = state.limit
        value = state.value
        # A level outlives by seconds what raised it, which keeps actions from flapping. Work
        # waits only while the value itself still calls for it: the allocation paces the rest.
        cleared = value <= lines_for(state.resource, state.limit).stay[Level.CRITICAL - 1]
        self.level = min(state.level, Level.ELEVATED) if cleared else state.level
        if not self.is_hold or not state.fresh or math.isnan(value):
            return
        self.measured = value
        self.given_back = 0.0
        if self.outstanding == 0.0 or value < self.baseline:
            self.baseline = value
        elif math.isnan(self.baseline):
            self.baseline = max(0.0, value - self.outstanding)

    @property
    def committed(self) -> float:
        """Without a measurement the amounts alone count."""
        if math.isnan(self.measured):
            return self.outstanding
        return max(self.measured - self.given_back, self.baseline + self.outstanding)

    def fits(self, amount: float) -> bool:
        """Whether so much more is within the limit."""
        return self.committed + amount <= self.limit * (1.0 + 1e-9)
