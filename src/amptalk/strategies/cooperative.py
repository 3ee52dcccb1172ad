"""Strategy `cooperative`: divide each limit among the components that share it.

What may run in all is decided by another strategy (`dynamic` unless combined); this
one divides the limit times that share by what the components ask. The division is
in `sharing.allocation`, handing grants out and taking them back is not done here.
"""

from __future__ import annotations

from collections.abc import Mapping

from amptalk.model.decision import Allocation, Ask, Decision, Observation, Strategy
from amptalk.model.level import LimitState
from amptalk.sharing.allocation import allocate, shortfall

_MOVED = 0.01
"""Capacity is divided again when it moved by this part, so that grants do not tremble."""
_NOTHING: Mapping[str, float] = {}


class _Division:
    """How one resource is divided at present."""

    __slots__ = ("asks", "capacity", "demands", "grants", "text")

    def __init__(
        self, state: LimitState, capacity: float, asks: dict[str, Ask], demands: dict[str, float]
    ) -> None:
        self.capacity = capacity
        self.asks = asks
        self.demands = demands
        self.grants = allocate(capacity, asks, demands, clamp=True)
        unit = state.resource.unit
        shares = ", ".join(f"{name} {grant:.4g}" for name, grant in self.grants.items())
        self.text = f"{capacity:.4g} {unit} of {state.resource.name} divided: {shares}"
        lacking = shortfall(capacity, asks)
        if lacking > 0.0:
            self.text += f" (the minimums exceed it by {lacking:.4g} {unit})"

    def holds(self, capacity: float, asks: dict[str, Ask], demands: dict[str, float]) -> bool:
        moved = abs(capacity - self.capacity)
        return moved <= _MOVED * self.capacity and asks == self.asks and demands == self.demands


class Cooperative:
    """Divides limits among components; without components it is the strategy within."""

    def __init__(self, inner: Strategy, name: str = "cooperative") -> None:
        """`inner` decides the share that may run in all."""
        self.name = name
        self._inner = inner
        self._divisions: dict[str, _Division] = {}
        self._texts: dict[str, tuple[Allocation, str, Allocation]] = {}
        self._grants: dict[str, dict[str, float]] = {}

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation; grants are by component and resource."""
        decision = self._inner.decide(observation)
        allocations = []
        changed = False
        for state, allocation in _paired(observation, decision):
            name = state.resource.name
            asks = {who: ask[name] for who, ask in observation.asks.items() if name in ask}
            if not asks:
                changed = self._divisions.pop(name, None) is not None or changed
                allocations.append(self._told(allocation, "one share, no component asks"))
                continue
            division = self._divisions.get(name)
            demands = {
                who: observation.demands.get(who, _NOTHING)[name]
                for who in asks
                if name in observation.demands.get(who, _NOTHING)
            }
            capacity = state.limit * allocation.share
            if division is None or not division.holds(capacity, asks, demands):
                division = self._divisions[name] = _Division(state, capacity, asks, demands)
                changed = True
            allocations.append(self._told(allocation, division.text))
        if changed:
            self._grants = {}
            for name, division in self._divisions.items():
                for who, grant in division.grants.items():
                    self._grants.setdefault(who, {})[name] = grant
        return Decision(self.name, tuple(allocations), decision.interval, self._grants or None)

    def _told(self, allocation: Allocation, text: str) -> Allocation:
        """The allocation with `text` before its reason; the same object while it is the same."""
        known = self._texts.get(allocation.resource)
        if known is not None and known[0] is allocation and known[1] is text:
            return known[2]
        told = allocation._replace(reason=f"{text}; {allocation.reason}")
        self._texts[allocation.resource] = (allocation, text, told)
        return told


def _paired(observation: Observation, decision: Decision) -> list[tuple[LimitState, Allocation]]:
    by_name = {allocation.resource: allocation for allocation in decision.allocations}
    return [
        (state, by_name[state.resource.name])
        for state in observation.limits
        if state.resource.name in by_name
    ]
