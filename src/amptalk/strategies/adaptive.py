"""Strategy `adaptive`: the control of `dynamic`, with what suits the workload.

It takes the guard band that costs least (`scored`), names the pattern of each limited value
(`patterns`), and asks for faster samples when a limit is close or work comes in bursts. The
control is in `controllers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from amptalk.model.decision import Allocation, Decision, Observation
from amptalk.model.level import Level, LimitState
from amptalk.strategies.control import LimitControl
from amptalk.strategies.patterns import Pattern, PatternWatch
from amptalk.strategies.scored import ScoredCaution

_CLOSE = 0.9
_FASTER, _FASTEST = 0.5, 0.25
"""Parts of the nominal interval: close to a limit or bursty, critical."""


class _Limit:
    __slots__ = ("caution", "control", "seen", "watch")

    def __init__(self, state: LimitState, interval: float, delay: int) -> None:
        self.control = LimitControl(state)
        self.watch = PatternWatch(interval, delay)
        self.caution = ScoredCaution()
        self.seen = math.nan
        """Monotonic time of the last value."""

    def take(self, now: float, ratio: float) -> None:
        """Take a fresh value as a part of its limit."""
        self.watch.add(now, ratio)
        if now > self.seen:
            self.caution.take(now, now - self.seen, self.control.controller)
        self.seen = now


class Adaptive:
    """Holds each limit with the guard band and the sampling interval that suit its use."""

    name = "adaptive"

    def __init__(self, interval: float = 1.0) -> None:
        """`interval`: nominal seconds between observations."""
        self._interval = interval
        self._limits: dict[str, _Limit] = {}

    def pattern(self, resource: str) -> Pattern:
        """The pattern a resource was recognised to have."""
        limit = self._limits.get(resource)
        return Pattern.UNKNOWN if limit is None else limit.watch.pattern

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation."""
        now = observation.now
        allocations: list[Allocation] = []
        pace = 1.0
        for state in observation.limits:
            name = state.resource.name
            limit = self._limits.get(name)
            if limit is None:
                limit = self._limits[name] = _Limit(state, self._interval, len(self._limits))
            if state.fresh and not state.blind:
                limit.take(now, state.value / state.limit)
            pattern = limit.watch.pattern
            tell = None if pattern is Pattern.UNKNOWN else _TELL[pattern]
            allocations.append(limit.control.allocate(state, now, topic=pattern, tell=tell))
            pace = min(pace, _pace(state, pattern))
        return Decision(self.name, tuple(allocations), pace * self._interval)


def _pace(state: LimitState, pattern: Pattern) -> float:
    if state.level >= Level.CRITICAL:
        return _FASTEST
    if pattern is Pattern.BURSTY or state.value >= _CLOSE * state.limit:
        return _FASTER
    return 1.0


def _teller(pattern: Pattern) -> Callable[[], str]:
    return f"the workload is {pattern.value}".__str__


_TELL = {pattern: _teller(pattern) for pattern in Pattern}
