"""What `adaptive` adds to the control of one limit.

It takes the guard band that costs least (`scored`), names the pattern of the value (`patterns`),
and asks for faster samples when the limit is close or work comes in bursts. The control itself is
in `controllers`; it may be that of `predictive` as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from amptalk.model.level import Level, LimitState
from amptalk.strategies.controllers.contract import Controller
from amptalk.strategies.patterns import Pattern, PatternWatch
from amptalk.strategies.scored import ScoredCaution

_CLOSE = 0.9
_FASTER, _FASTEST = 0.5, 0.25
"""Parts of the nominal interval: close to a limit or bursty, critical."""


class Adapting:
    """Suits the control of one limit to its workload."""

    __slots__ = ("_caution", "_seen", "_watch")

    def __init__(self, interval: float, delay: int) -> None:
        """`interval`: nominal seconds between observations; `delay` as in `PatternWatch`."""
        self._watch = PatternWatch(interval, delay)
        self._caution = ScoredCaution()
        self._seen = math.nan
        """Monotonic time of the last value."""

    def take(self, now: float, ratio: float, controller: Controller) -> None:
        """Take a fresh value as a part of its limit; sets the width of the guard band."""
        self._watch.add(now, ratio)
        if now > self._seen:
            self._caution.take(now, now - self._seen, controller)
        self._seen = now

    @property
    def pattern(self) -> Pattern:
        """What the workload is like."""
        return self._watch.pattern

    @property
    def tell(self) -> Callable[[], str] | None:
        """Words for the pattern, `None` while it is not known."""
        return None if self.pattern is Pattern.UNKNOWN else _TELL[self.pattern]

    def pace(self, state: LimitState) -> float:
        """Part of the nominal interval after which the next sample is wanted."""
        if state.level >= Level.CRITICAL:
            return _FASTEST
        if self.pattern is Pattern.BURSTY or state.value >= _CLOSE * state.limit:
            return _FASTER
        return 1.0


def _teller(pattern: Pattern) -> Callable[[], str]:
    return f"the workload is {pattern.value}".__str__


_TELL = {pattern: _teller(pattern) for pattern in Pattern}
