"""Follow what `amptalk run` asks: no resource gets more than the share that was asked for.

Wraps any strategy. It decides as before; where less is asked for than it allots, what is asked
counts, also of resources that have no limit here. Pure: who asks is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from amptalk.model.appeal import Appeal
from amptalk.model.decision import Allocation, Decision, Observation, Strategy


class Asked:
    """A strategy that heeds appeals; `appeals` tells those that are made now."""

    def __init__(self, inner: Strategy, appeals: Callable[[], Mapping[str, Appeal]]) -> None:
        self._inner = inner
        self._appeals = appeals
        self._seen: tuple[Decision | None, Mapping[str, Appeal]] = None, {}
        self._decision: Decision | None = None

    @property
    def name(self) -> str:
        """That of the strategy within."""
        return self._inner.name

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation; the same object again when nothing changed."""
        decided, appeals = self._inner.decide(observation), self._appeals()
        if not appeals:
            return decided
        last, before = self._seen
        if self._decision is None or decided is not last or appeals is not before:
            self._seen = decided, appeals
            self._decision = _heeded(decided, appeals)
        return self._decision


def _heeded(decided: Decision, appeals: Mapping[str, Appeal]) -> Decision:
    left = dict(appeals)
    allocations = []
    for allocation in decided.allocations:
        appeal = left.pop(allocation.resource, None)
        if appeal is not None and appeal.share < allocation.share:
            allocation = allocation._replace(share=appeal.share, reason=_reason(appeal))  # noqa: PLW2901
        allocations.append(allocation)
    allocations += [Allocation(name, one.share, _reason(one)) for name, one in left.items()]
    return decided._replace(allocations=tuple(allocations))


def _reason(appeal: Appeal) -> str:
    what = f"{appeal.resource} {appeal.value:.4g} of {appeal.limit:.4g} {appeal.unit}"
    known = appeal.value == appeal.value
    return f"asked by amptalk run: {what if known else appeal.resource}"
