"""One limited resource as admission sees it: what of the limit is committed.

**Committed** of a hold resource is max(used, baseline + outstanding):
*used* is the measurement, with what the application read of itself since then when work began
or ended; where it cannot read that, less what the work that ended had asked for, until the next
measurement tells. *Outstanding* are the amounts of jobs that run. *Baseline* is what is used
without them: all that is used while nothing runs; never more than is used; and,
where malloc keeps what jobs freed and they never pause, at least what is used beyond all that
those running may have taken. Of a rate (CPU) it is the outstanding amounts: use within the
limit is the allocation's business.
"""

from __future__ import annotations

import math

from amptalk.limits.thresholds import lines_for
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import Resource


class Ledger:
    """One limited resource."""

    __slots__ = (
        "baseline", "given_back", "is_hold", "level", "limit", "measured", "outstanding", "read_at",
        "unit",
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
        self.read_at = math.nan
        """What the application read of itself at the measurement."""
        self.given_back = 0.0
        self.outstanding = 0.0

    def take(self, state: LimitState, taken: float) -> None:
        """Take this tick's judgement; `taken` as in `read`."""
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
        self.read_at = math.nan
        if math.isnan(self.baseline):
            self.baseline = max(0.0, value - self.outstanding)
        self._rebase(taken)

    def read(self, own: float, taken: float) -> None:
        """The application holds `own` now, `nan` when it cannot tell.

        `taken` is what the jobs that run may have taken by now at most, `inf` when unknown.
        """
        if math.isnan(self.read_at):  # the first since the measurement stands for its time
            self.read_at = own
        if math.isnan(own) or math.isnan(self.measured):
            return
        self.given_back = self.read_at - own
        self._rebase(taken)

    def _rebase(self, taken: float) -> None:
        """Bring the baseline into line with what is used."""
        self.baseline = min(self.used, max(self.baseline, self.used - taken))

    @property
    def used(self) -> float:
        """What is used now, as far as it is known."""
        return max(0.0, self.measured - self.given_back)

    @property
    def committed(self) -> float:
        """Without a measurement the amounts alone count."""
        if math.isnan(self.measured):
            return self.outstanding
        return max(self.used, self.baseline + self.outstanding)

    def fits(self, amount: float) -> bool:
        """Whether so much more is within the limit."""
        return self.committed + amount <= self.limit * (1.0 + 1e-9)
