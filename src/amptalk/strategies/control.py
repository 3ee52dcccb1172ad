"""One limit under control: its controller, and the allocation with a reason in words.

Shared by the strategies; what they add is the value they feed in, the tuning and
what they have to tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from amptalk.model.decision import Allocation, Expectation
from amptalk.model.level import LimitState, as_measured
from amptalk.strategies.controllers import Controller, FastController, SlowController

_TOLD = 0.01
"""The reason is put into words again when the share moved this far."""


class LimitControl:
    """Turns the states of one limit into allocations."""

    __slots__ = ("_allocation", "_limit", "_told", "_topic", "controller")

    def __init__(self, state: LimitState) -> None:
        rate = state.resource.kind == "rate"
        self.controller: Controller = FastController() if rate else SlowController()
        self._limit = state.limit
        self._allocation: Allocation | None = None
        self._told = -1.0
        self._topic: tuple[object, ...] = ()

    def allocate(  # noqa: PLR0917 - hot path: what a strategy may know more
        self,
        state: LimitState,
        now: float,
        ratio: float | None = None,
        expected: Expectation | None = None,
        topic: object = None,
        tell: Callable[[], str] | None = None,
    ) -> Allocation:
        """Answer a state.

        `ratio` replaces value / limit where more is known than the value. `tell` is asked
        for the first words of the reason when it is due: the share moved, or the level or
        `topic` is another one.
        """
        value = state.value
        blind = state.blind or value != value  # noqa: PLR0124 - nan
        if blind:
            share = self.controller.miss(now)
        elif state.fresh or state.limit != self._limit:
            self._limit = state.limit
            share = self.controller.take(now, value / state.limit if ratio is None else ratio)
        else:
            share = self.controller.share
        last = self._allocation
        about = (state.level, blind, topic)
        if (
            last is not None
            and about == self._topic
            and abs(share - self._told) < _TOLD
            and (share < 1.0 or self._told == 1.0)
        ):
            if share == last.share and expected == last.expected:
                return last
            reason = last.reason
        else:
            self._told, self._topic = share, about
            reason = self._reason(state, share, blind=blind)
            if tell is not None:
                reason = f"{tell()}; {reason}"
        self._allocation = allocation = Allocation(state.resource.name, share, reason, expected)
        return allocation

    def _reason(self, state: LimitState, share: float, *, blind: bool) -> str:
        name, unit = state.resource.name, state.resource.unit
        if blind:
            return f"{name} is not measured now: held at {share:.0%} of the work"
        if share >= 1.0:
            return f"{state.told}: all work may run"
        line = state.limit * math.exp(-self.controller.guard)
        side = "above" if state.resource.minimum else "below"
        kept = as_measured(state.resource, line, state.limit)
        return f"{state.told}, kept {side} {kept:.4g} {unit}: {share:.0%} of the work may run"
