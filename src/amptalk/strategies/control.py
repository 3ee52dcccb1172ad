"""One limit under control: its controller, and the allocation with a reason in words.

Shared by the strategies; what they add is known demand, the guard band and what they have to
tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from amptalk.model.decision import Allocation, Expectation
from amptalk.model.level import LimitState, as_measured
from amptalk.model.resource import Resource
from amptalk.strategies.controllers.contract import Controller, log_of
from amptalk.strategies.controllers.either import EitherController
from amptalk.strategies.controllers.fast import FastController
from amptalk.strategies.controllers.use import UseController

_LEAST_LEFT = 0.05
"""Part of a limit that is left to what runs, whatever is known to come."""
_ALL = 101
"""Told for the whole, which 100 % may be rounded to as well."""


class Known(NamedTuple):
    """Known demand to make room for, in the resource's unit."""

    taken: float = 0.0
    """What the value has of it."""
    reserved: float = 0.0
    """All that is taken in full, whatever share of the rest runs; `taken` is part of it."""
    coming: float = 0.0
    """What comes on top, and of which the share will run as of the rest."""

    def room(self, limit: float) -> float:
        """What is left of the limit to the rest."""
        return max(_LEAST_LEFT * limit, limit - self.reserved)

    def ratio(self, value: float, limit: float) -> float:
        """The rest of the value as a part of the room that it has."""
        return (value - self.taken) / self.room(limit)


NOTHING = Known()


def _controller_for(resource: Resource) -> Controller:
    """A new controller of the kind that suits a resource."""
    if resource.kind != "rate":
        return EitherController()
    return UseController() if resource.unit == "%" else FastController()


class LimitControl:
    """Turns the states of one limit into allocations."""

    __slots__ = ("_allocation", "_known", "_limit", "_told", "_topic", "controller")

    def __init__(self, state: LimitState) -> None:
        self.controller = _controller_for(state.resource)
        self._limit = state.limit
        self._known = NOTHING
        self._allocation: Allocation | None = None
        self._told = -1
        """Percent of the work that the reason names."""
        self._topic: tuple[object, ...] = ()

    def allocate(  # noqa: PLR0917 - hot path: what a strategy may know more
        self,
        state: LimitState,
        now: float,
        known: Known = NOTHING,
        expected: Expectation | None = None,
        topic: object = None,
        tell: Callable[[], str] | None = None,
    ) -> Allocation:
        """Answer a state.

        `known` is the known demand to make room for. `tell` is asked
        for the first words of the reason when it is due: the share moved, or the level or
        `topic` is another one.
        """
        value = state.value
        blind = state.blind or value != value  # noqa: PLR0124 - nan
        if blind:
            share = self.controller.miss(now)
        elif state.fresh or state.limit != self._limit:
            self._limit = state.limit
            share = self._take(now, value, state.limit, known)
        else:
            share = self.controller.share
        last = self._allocation
        about = (state.level, blind, topic)
        percent = round(100.0 * share) if share < 1.0 else _ALL
        if last is not None and about == self._topic and percent == self._told:
            if share == last.share and expected == last.expected:
                return last
            reason = last.reason
        else:
            self._told, self._topic = percent, about
            reason = self._reason(state, share, blind=blind)
            if tell is not None:
                reason = f"{tell()}; {reason}"
        self._allocation = allocation = Allocation(state.resource.name, share, reason, expected)
        return allocation

    def _take(self, now: float, value: float, limit: float, known: Known) -> float:
        controller = self.controller
        ratio = known.ratio(value, limit)
        if known != self._known:
            if controller.measured:
                controller.shift(log_of(ratio) - log_of(self._known.ratio(value, limit)))
            self._known = known
        most = 1.0
        if known.coming and isinstance(controller, FastController):
            most = controller.share_with(known.coming / limit)
        return controller.take(now, ratio, most)

    def _reason(self, state: LimitState, share: float, *, blind: bool) -> str:
        name, unit = state.resource.name, state.resource.unit
        if blind:
            return f"{name} is not measured now: held at {share:.0%} of the work"
        if share >= 1.0:
            return f"{state.told}: all work may run"
        known = self._known
        line = known.taken + known.room(state.limit) * math.exp(-self.controller.guard)
        side = "above" if state.resource.minimum else "below"
        kept = as_measured(state.resource, line, state.limit)
        return f"{state.told}, kept {side} {kept:.4g} {unit}: {share:.0%} of the work may run"
