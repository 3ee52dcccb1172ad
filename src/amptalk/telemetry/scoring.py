"""Did what was expected come? Warnings against breaches, forecasts against values, online.

Only what can be known is counted. A breach is a violation as the limits judge it. After a
warning on which more work was held back nobody knows what would have come without that: it
is counted as acted on, neither right nor false. So are forecasts during which the allocation
moved: they are left out, since they tell of a course that was not taken.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import NamedTuple

from amptalk.model.decision import Band, Claim, Expectation

WARNING_PROBABILITY = 0.5
"""An expectation at least this likely, or with a time to the limit, is a warning."""
WARNING_SECONDS = 60.0
"""A breach within this time of a warning was warned of, where it does not say how soon."""
PATIENCE = 1.5
"""A warning is false when no breach came within this multiple of the time it gave."""
MOVED = 0.01
"""An allocation that moved this far since is a course that was changed."""
_KEPT_LEADS = 101
_WAITING = 128
"""Forecasts that wait for their moment; one is made each step."""
_TOLERANCE = 0.25
"""A value this part of a step early counts as being at its moment, three times it late."""


class WarningScore:
    """Warnings of one limit against its breaches."""

    __slots__ = (
        "_acted", "_breached", "_over_since", "_until", "_warned_at", "acted_on", "breaches",
        "false", "leads", "missed", "share", "warned",
    )  # fmt: skip

    def __init__(self) -> None:
        self.breaches = self.warned = self.missed = self.false = self.acted_on = 0
        self.leads: deque[float] = deque(maxlen=_KEPT_LEADS)
        """Seconds from a warning to the first value beyond the limit, of the newest breaches."""
        self._warned_at = math.nan
        self._until = -math.inf
        self._acted = self._breached = False
        self.share = 1.0
        """Allocation of the last tick; the highest one since a warning began."""
        self._over_since = math.nan

    @property
    def idle(self) -> bool:
        """Whether nothing is waited for: a tick within the limit and without warning is none."""
        return self._until == -math.inf and not self._breached

    def add(
        self, now: float, share: float, expected: Expectation | None, *, over: bool, violated: bool
    ) -> None:
        """Take a tick: what is judged, what is expected, what may run from now on."""
        if over:
            if self._over_since != self._over_since:
                self._over_since = now
            if violated and not self._breached:
                self._breach()
        else:
            self._over_since = math.nan
            if not violated:
                self._breached = False
        if self._until > -math.inf:
            self._acted = self._acted or share < self.share - MOVED
            if now > self._until:
                self._close()
        if (
            self._until == -math.inf
            and expected is not None
            and not (over or violated)
            and (expected.probability >= WARNING_PROBABILITY or expected.seconds < math.inf)
        ):
            within = expected.claim.within if expected.claim is not None else WARNING_SECONDS
            if expected.seconds < math.inf:
                within = max(within, PATIENCE * expected.seconds)
            self._warned_at = now
            self._until = now + within
            self._acted = share < self.share - MOVED
        self.share = share if self._until == -math.inf else max(share, self.share)

    def acted(self) -> None:
        """An action gave something back."""
        self._acted = True

    def _breach(self) -> None:
        self._breached = True
        self.breaches += 1
        lead = self._over_since - self._warned_at if self._until > -math.inf else 0.0
        if lead > 0.0:
            self.warned += 1
            self.leads.append(lead)
        else:
            self.missed += 1
        self._until = -math.inf

    def _close(self) -> None:
        if self._acted:
            self.acted_on += 1
        else:
            self.false += 1
        self._until = -math.inf

    @property
    def lead(self) -> float | None:
        """Median seconds from warning to breach; `None` without a breach that was warned of."""
        return median(self.leads) if self.leads else None


class _Error:
    """How forecasts for one distance fared."""

    __slots__ = ("count", "covered", "ours", "unchanged")

    def __init__(self) -> None:
        self.count = self.covered = 0
        self.ours = self.unchanged = 0.0

    def add(self, band: Band, value: float, before: float) -> None:
        self.count += 1
        self.covered += band.low <= value <= band.high
        self.ours += abs(value - band.mean)
        self.unchanged += abs(value - before)

    @property
    def coverage(self) -> float | None:
        return self.covered / self.count if self.count else None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.unchanged if self.unchanged > 0.0 else None


class _Waiting:
    """A forecast whose moment has not come yet."""

    __slots__ = ("breach", "claim", "made", "probability", "value")

    def __init__(self, made: float, value: float, probability: float, claim: Claim) -> None:
        self.made = made
        self.value = value
        self.probability = probability
        self.claim = claim
        self.breach = False


class ForecastOutcome(NamedTuple):
    """How forecasts of one value fared; `None` where nothing can be said yet."""

    forecasts: int
    """Those checked at one step."""
    coverage_soon: float | None
    """Share of values that were within the 90 % interval one step ahead."""
    coverage_late: float | None
    """The same at the horizon."""
    error_ratio_soon: float | None
    """Mean absolute error relative to that of "it stays as it is", one step ahead."""
    error_ratio_late: float | None
    """The same at the horizon."""
    brier_skill: float | None
    """Of the breach probability, against always saying how often one came: 1 is perfect, 0 no
    better; `None` before both has happened, a breach and none."""


class ForecastScore:
    """Forecasts of one limited value against what came."""

    __slots__ = (
        "_breaches", "_chances", "_late", "_made", "_moved", "_over", "_share", "_soon",
        "_squares", "_tries", "_waiting", "late", "soon",
    )  # fmt: skip

    def __init__(self) -> None:
        self.soon, self.late = _Error(), _Error()
        self._soon: _Waiting | None = None
        self._waiting: deque[_Waiting] = deque(maxlen=_WAITING)
        self._chances: deque[_Waiting] = deque(maxlen=_WAITING)
        self._made = -math.inf
        self._over = False
        self._share = 1.0
        self._moved = -math.inf
        self._squares = 0.0
        self._tries = self._breaches = 0

    def add(
        self, now: float, value: float, share: float, expected: Expectation | None, *, over: bool
    ) -> None:
        """Take a freshly measured value with what is expected from now on."""
        self._check(now, value)
        if over and self._over:
            for one in self._chances:
                if now <= one.made + one.claim.within:
                    one.breach = True
        self._over = over
        if abs(share - self._share) > MOVED:
            self._share = share
            self._moved = now
        if expected is None or expected.claim is None:
            return
        claim = expected.claim
        if now - self._made < (1.0 - _TOLERANCE) * claim.step:
            return
        self._made = now
        waiting = _Waiting(now, value, expected.probability, claim)
        self._soon = waiting
        self._waiting.append(waiting)
        if not over:
            self._chances.append(waiting)

    def _check(self, now: float, value: float) -> None:
        """Compare what was forecast for now."""
        moved, one = self._moved, self._soon
        if one is not None:
            late = (now - one.made) / one.claim.step - 1.0
            if late >= -_TOLERANCE:
                self._soon = None
                if moved < one.made and late <= 3.0 * _TOLERANCE:
                    self.soon.add(one.claim.soon, value, one.value)
        waiting = self._waiting
        while waiting:
            one = waiting[0]
            late = (now - one.made - one.claim.horizon) / one.claim.step
            if late < -_TOLERANCE:
                break
            waiting.popleft()
            if moved < one.made and late <= 3.0 * _TOLERANCE:
                self.late.add(one.claim.late, value, one.value)
        chances = self._chances
        while chances and now > chances[0].made + chances[0].claim.within:
            one = chances.popleft()
            if moved < one.made:
                self._tries += 1
                self._breaches += one.breach
                self._squares += (one.probability - one.breach) ** 2

    @property
    def outcome(self) -> ForecastOutcome:
        """The score so far."""
        skill = None
        if 0 < self._breaches < self._tries:
            often = self._breaches / self._tries
            skill = 1.0 - self._squares / self._tries / (often * (1.0 - often))
        soon, late = self.soon, self.late
        return ForecastOutcome(
            soon.count, soon.coverage, late.coverage, soon.ratio, late.ratio, skill
        )
