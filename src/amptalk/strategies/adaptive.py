"""Strategy `adaptive`: the control of `dynamic`, suited to the workload.

What it adds is in `adapting`, the control in `controllers`.
"""

from __future__ import annotations

from amptalk.model.decision import Allocation, Decision, Observation
from amptalk.model.level import LimitState
from amptalk.strategies.adapting import Adapting
from amptalk.strategies.control import LimitControl
from amptalk.strategies.patterns import Pattern


class _Limit:
    __slots__ = ("adapting", "control")

    def __init__(self, state: LimitState, interval: float, delay: int) -> None:
        self.control = LimitControl(state)
        self.adapting = Adapting(interval, delay)


class Adaptive:
    """Holds each limit with the guard band and the sampling interval that suit its use."""

    def __init__(self, interval: float = 1.0, name: str = "adaptive") -> None:
        """`interval`: nominal seconds between observations."""
        self.name = name
        self._interval = interval
        self._limits: dict[str, _Limit] = {}

    def pattern(self, resource: str) -> Pattern:
        """The pattern a resource was recognised to have."""
        limit = self._limits.get(resource)
        return Pattern.UNKNOWN if limit is None else limit.adapting.pattern

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
            adapting = limit.adapting
            if state.fresh and not state.blind:
                adapting.take(now, state.value / state.limit, limit.control.controller)
            allocations.append(
                limit.control.allocate(state, now, topic=adapting.pattern, tell=adapting.tell)
            )
            pace = min(pace, adapting.pace(state))
        return Decision(self.name, tuple(allocations), pace * self._interval)
