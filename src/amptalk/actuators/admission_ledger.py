"""One limited resource as admission sees it: what of the limit is committed.

**Committed** of a hold resource is max(used, baseline + outstanding):
*used* is the measurement, with what the application read of itself since then when work began
or ended; where it cannot read that, less what the work that ended had asked for, until the next
measurement tells. *Outstanding* are the amounts of jobs that run. *Baseline* is what is used
without them: all that is used while nothing runs; never more than is used; and,
where malloc keeps what jobs freed and they never pause, at least what is used beyond all that
those running may have taken. Of a rate (CPU) it is the outstanding amounts: use within the
limit is the allocation's business.

Work may begin or end **while it is measured**, and what the application reads of itself a moment
later is then something else than was measured. Of its readings about that time the one is taken
beside which the rest is most nearly what it was before.

What else **grows** goes on to grow while work runs: weights that are loaded, a leak. Work of
flexible size leaves that free as well, as far as the last moments tell.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from amptalk.actuators.jobs.watch import UNREAD, Held
from amptalk.actuators.planner import FILLED
from amptalk.limits.thresholds import lines_for
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import Resource

_FOLLOWED, _FORGOTTEN = 0.2, 5.0
"""Seconds over which growth is told at least, and at most."""
_PIECES = 4
"""Looks at the growth that are remembered: what is loaded may come in large pieces."""
_NEXT_TO_NOTHING = 0.005
"""Of the limit."""
_REACTION = 1.0
"""Seconds until a step that gives something back shows."""


class Ledger:
    """One limited resource."""

    __slots__ = (
        "_beside", "_followed", "_followed_at", "_grown", "_growth", "_level", "_lines", "bare_at",
        "baseline", "given_back", "is_hold", "limit", "measured", "outstanding", "read_at", "unit",
    )  # fmt: skip

    def __init__(self, resource: Resource, limit: float) -> None:
        self.is_hold = resource.kind == "hold"
        self.unit = resource.unit
        self.limit = limit
        self._lines = lines_for(resource, limit)
        self.forget()

    def forget(self) -> None:
        """Nothing is known but the limit."""
        self._level = Level.NORMAL
        self.measured = math.nan
        self.baseline = math.nan
        self.bare_at = -math.inf
        """When the baseline was last all that was used: the work that ran had taken next to
        nothing."""
        self.read_at = math.nan
        """What the application read of itself at the measurement."""
        self._beside = math.nan
        """What was measured more than that."""
        self.given_back = 0.0
        self.outstanding = 0.0
        self._growth = 0.0
        """Of the baseline, in the unit a second, as far as it lasts."""
        self._grown: deque[float] = deque([0.0] * _PIECES, _PIECES)
        """What the last looks told of it."""
        self._followed, self._followed_at = math.nan, -math.inf

    def take(self, state: LimitState, taken: float, own: Held = UNREAD) -> None:
        """Take this tick's judgement and what the application holds; `taken` as in `read`."""
        self.limit = state.limit
        value = state.value
        self._level = state.level
        self._lines = lines_for(state.resource, state.limit)
        if not self.is_hold or not state.fresh or math.isnan(value):
            return
        self.measured = value
        self.read_at = self._told_by(value, own.sampled)
        given_back = self.read_at - own.amount
        self.given_back = 0.0 if math.isnan(given_back) else given_back
        if math.isnan(self.baseline):
            self.baseline = max(0.0, value - self.outstanding)
        self._rebase(taken, own.at)

    def read(self, own: Held, taken: float) -> None:
        """The application holds `own` now, `nan` when it cannot tell.

        `taken` is what the jobs that run may have taken by now at most, `inf` when unknown.
        """
        if math.isnan(self.read_at):  # the first since the measurement stands for its time
            self.read_at = own.amount
        if math.isnan(own.amount) or math.isnan(self.measured):
            return
        self.given_back = self.read_at - own.amount
        self._rebase(taken, own.at)

    def _told_by(self, value: float, readings: Iterable[float]) -> float:
        """Which of the application's readings a measurement told; `nan` without any."""
        known = [one for one in readings if not math.isnan(one)]
        if not known:
            return math.nan
        told = known[-1]
        if not math.isnan(self._beside):
            told = min(known, key=lambda one: abs(value - one - self._beside))
        self._beside = value - told
        return told

    def _rebase(self, taken: float, now: float) -> None:
        """Bring the baseline into line with what is used."""
        self.baseline = min(self.used, max(self.baseline, self.used - taken))
        if taken <= _NEXT_TO_NOTHING * self.limit:
            self.bare_at = max(self.bare_at, now)

    @property
    def level(self) -> Level:
        """The level as far as what is used now still calls for it.

        A level outlives by seconds what raised it, which keeps actions from flapping. Work does
        not wait for that: the allocation paces it.
        """
        level, used = self._level, self.used
        while level > Level.ELEVATED and used <= self._lines.stay[level - 1]:
            level = Level(level - 1)
        return level

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

    def __str__(self) -> str:
        return f"{self.committed:.0f} of {self.limit:.0f} {self.unit} are taken"

    def follow(self, now: float) -> None:
        """Look how fast the baseline grows."""
        elapsed = now - self._followed_at
        if elapsed < _FOLLOWED or math.isnan(self.baseline):
            return
        grown = self._grown
        told = (self.baseline - self._followed) / elapsed if elapsed <= _FORGOTTEN else 0.0
        grown.append(told)
        # One leap is over: the largest does not count. Several pieces may come between two looks.
        lasting = (math.fsum(grown) - max(grown)) / (_PIECES - 1)
        self._growth = max(0.0, lasting, min(told, grown[-2]))
        self._followed, self._followed_at = self.baseline, now

    def least(self, amount: float) -> float:
        """What is committed when those that work take `amount`, by the time a step can help."""
        return self.baseline + amount + self._growth * _REACTION

    def spares(self, amount: float, seconds: float, *, unknown: bool) -> bool:
        """Whether so much more leaves free what work of flexible size is to leave.

        It runs for `seconds`, in which the baseline goes on to grow. Beside work of `unknown` cost
        it leaves more.
        """
        most = self.room_for_unknown if unknown else FILLED * self.limit
        return self.committed + amount + self._growth * seconds <= most

    @property
    def room_for_unknown(self) -> float:
        """No more may be committed when work of unknown cost begins: the line of critical."""
        return self._lines.enter[Level.CRITICAL - 1]

    def fits(self, amount: float, *, learned: bool) -> bool:
        """Whether so much more is within the limit, of what was `learned` with some left free."""
        most = FILLED * self.limit if learned else self.limit
        return self.committed + amount <= most * (1.0 + 1e-9)
