"""Strategy `cooperative`: components share the limits, another strategy decides what may run.

The limits that it is shown are the grants of this process where others share them, too (see
`sharing.book`). It hands the part of each limit that may run at present, by the strategy within
(`dynamic` unless combined), to the components, and tells who holds what of it. Dividing is done
where all that ask are known: in the ledger (`sharing.ledgers`).
"""

from __future__ import annotations

from collections.abc import Mapping

from amptalk.model.decision import Allocation, Decision, Observation, Strategy

_MOVED = 0.01
"""What is divided changes when it moved by this part, so that grants do not tremble."""
_NOTHING: Mapping[str, float] = {}


class Cooperative:
    """Has components share what may run; without components it is the strategy within."""

    def __init__(self, inner: Strategy, name: str = "cooperative") -> None:
        """`inner` decides the share that may run in all."""
        self.name = name
        self._inner = inner
        self._divided: dict[str, float] = {}
        self._texts: dict[str, tuple[Allocation, Mapping[str, float], Allocation]] = {}

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation."""
        decision = self._inner.decide(observation)
        limits = {state.resource.name: state for state in observation.limits}
        allocations, divided = [], {}
        for allocation in decision.allocations:
            name = allocation.resource
            granted = observation.granted.get(name, _NOTHING)
            state = limits.get(name)
            if state is None:
                allocations.append(allocation)
                continue
            capacity, before = state.limit * allocation.share, self._divided.get(name)
            if before is not None and abs(capacity - before) <= _MOVED * before:
                capacity = before
            divided[name] = capacity
            allocations.append(self._told(allocation, granted, state.resource.unit, capacity))
        if divided != self._divided:
            self._divided = divided
        return Decision(self.name, tuple(allocations), decision.interval, self._divided)

    def _told(
        self, allocation: Allocation, granted: Mapping[str, float], unit: str, capacity: float
    ) -> Allocation:
        """The allocation with who holds what before its reason; the same while they are."""
        known = self._texts.get(allocation.resource)
        if known is not None and known[0] is allocation and known[1] is granted:
            return known[2]
        text = "one share, no component asks"
        if granted:
            shares = ", ".join(f"{name} {amount:.4g}" for name, amount in granted.items())
            text = f"{capacity:.4g} {unit} of {allocation.resource} divided: {shares}"
        told = allocation._replace(reason=f"{text}; {allocation.reason}")
        self._texts[allocation.resource] = (allocation, granted, told)
        return told
