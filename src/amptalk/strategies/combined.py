"""Several strategies at once: each decides, the smallest allocation wins.

Dividing limits among components is `cooperative`, which takes a combination as the
strategy it decides by.
"""

from __future__ import annotations

from collections.abc import Sequence

from amptalk.model.decision import Allocation, Decision, Observation, Strategy


class Combined:
    """Asks its parts in order and keeps, per resource, the most careful answer."""

    def __init__(self, parts: Sequence[Strategy]) -> None:
        """`parts`: two or more strategies."""
        self._parts = tuple(parts)
        self.name = "+".join(part.name for part in self._parts)
        self._chosen: dict[str, tuple[Allocation, Allocation]] = {}

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation; the reason names the part that decided."""
        decisions = [part.decide(observation) for part in self._parts]
        smallest: dict[str, tuple[Allocation, str]] = {}
        for part, decision in zip(self._parts, decisions, strict=True):
            for allocation in decision.allocations:
                chosen = smallest.get(allocation.resource)
                if chosen is None or allocation.share < chosen[0].share:
                    smallest[allocation.resource] = (allocation, part.name)
        wishes = [d.interval for d in decisions if d.interval is not None]
        return Decision(
            self.name,
            tuple([self._named(*chosen) for chosen in smallest.values()]),
            min(wishes, default=None),
        )

    def _named(self, allocation: Allocation, part: str) -> Allocation:
        """The allocation with its part in the reason; the same object while it is the same."""
        known = self._chosen.get(allocation.resource)
        if known is not None and known[0] is allocation:
            return known[1]
        named = allocation._replace(reason=f"{part}: {allocation.reason}")
        self._chosen[allocation.resource] = (allocation, named)
        return named
