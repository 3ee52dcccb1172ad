"""Strategy `adaptive`: the control of `dynamic`, tuned to the pattern of the workload.

It recognises the pattern of each limited value, sets guard band and gains to suit,
and asks for faster samples when a limit is close or work comes in bursts. The
patterns are in `patterns`, the control in `controllers`.
"""

from __future__ import annotations

from collections.abc import Callable

from amptalk.model.decision import Allocation, Decision, Observation
from amptalk.model.level import Level, LimitState
from amptalk.strategies.control import LimitControl
from amptalk.strategies.controllers import DEFAULT, Tuning
from amptalk.strategies.patterns import Pattern, PatternWatch

TUNINGS: dict[Pattern, Tuning] = {
    Pattern.UNKNOWN: DEFAULT,
    # Nothing comes unawares: a narrow guard band.
    Pattern.STEADY: Tuning(guard=0.7, slow_guard=0.8),
    # The value runs towards its limit: turn it sooner.
    Pattern.RAMP: Tuning(slow_gain=11.0),
    # The filter follows leaps at once, so what it leaves of the noise is little.
    Pattern.BURSTY: Tuning(guard=0.7, probe=0.08),
    # What goes up comes down again, and smoothly: follow it closely.
    Pattern.PERIODIC: Tuning(probe=0.5),
    # A crossing is mostly the sensor's.
    Pattern.NOISY: Tuning(guard=0.7),
}
_CLOSE = 0.9
_FASTER, _FASTEST = 0.5, 0.25
"""Parts of the nominal interval: close to a limit or bursty, critical."""


class _Limit:
    __slots__ = ("control", "watch")

    def __init__(self, state: LimitState, interval: float, delay: int) -> None:
        self.control = LimitControl(state)
        self.watch = PatternWatch(interval, delay)


class Adaptive:
    """Holds each limit by a controller tuned to how the resource is used."""

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
                limit.watch.add(now, state.value / state.limit)
            pattern = limit.watch.pattern
            limit.control.controller.tuning = TUNINGS[pattern]
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
