"""Strategy `predictive`: the same control, with room for what will be.

Three things tell what will be: a forecast of each limited value, known demand (announced,
admitted, granted) on top of it, and for a temperature the course of its heating. A cut is made
before the limit is met when its expected cost is less than that of waiting, and as late as it
still helps. What is known of one limit is in `foresight`. Combined with `adaptive` the control
is suited to the workload as well.
"""

from __future__ import annotations

from amptalk.model.decision import Allocation, Decision, Observation
from amptalk.model.level import LimitState
from amptalk.strategies.adapting import Adapting
from amptalk.strategies.foresight import Foresight


class Predictive:
    """Holds limits ahead of time; without anything to go by it is as `dynamic` is."""

    def __init__(
        self, interval: float = 1.0, name: str = "predictive", *, adaptive: bool = False
    ) -> None:
        """`interval`: nominal seconds between observations, the least step of the forecasts."""
        self.name = name
        self._interval = interval
        self._adaptive = adaptive
        self._limits: dict[str, Foresight] = {}
        self._unmeasured: dict[str, tuple[LimitState, Allocation]] = {}
        """The last state and answer of a limit that never had a value."""

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation."""
        allocations = []
        pace = 1.0
        now, announcements = observation.now, observation.announcements
        for state in observation.limits:
            name = state.resource.name
            known = self._unmeasured.get(name)
            if known is not None and state is known[0]:
                allocations.append(known[1])
                continue
            limit = self._limits.get(name)
            if limit is None:
                limit = self._limits[name] = self._foresight(state)
            coming = [one for one in announcements if one.resource == name]
            allocation = limit.allocate(state, coming, now)
            if not limit.measured:
                self._unmeasured[name] = (state, allocation)
            allocations.append(allocation)
            pace = min(pace, limit.pace(state))
        interval = pace * self._interval if self._adaptive else None
        return Decision(self.name, tuple(allocations), interval)

    def _foresight(self, state: LimitState) -> Foresight:
        adapting = Adapting(self._interval, len(self._limits)) if self._adaptive else None
        return Foresight(state, self._interval, adapting)
