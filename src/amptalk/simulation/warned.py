"""Which warnings a strategy gave: expectations that begin to be likely, each told once."""

from __future__ import annotations

from typing import NamedTuple

from amptalk.model.tick import Tick
from amptalk.telemetry.scoring import WARNING_PROBABILITY

_ENDS = 0.5
"""A warning lasts until its probability is below this part of what began it."""


class Warned(NamedTuple):
    """A warning as it began: what a strategy expected of one limit."""

    at: float
    """Seconds since the start."""
    resource: str
    unit: str
    measured: float
    """The value at the time of the warning, in the unit."""
    limit: float
    expected: float
    """The value expected, in the unit."""
    seconds: float
    """Until the limit is met; `inf` where that is not said."""
    probability: float
    """Of crossing the limit, 0-1."""


class Warnings:
    """Follows the expectations of a strategy tick by tick."""

    def __init__(self) -> None:
        self._lasting: set[str] = set()

    def begun(self, at: float, tick: Tick) -> tuple[Warned, ...]:
        """The warnings that begin in this tick; a limit that is exceeded is no more warned of."""
        expectations = {one.resource: one.expected for one in tick.decision.allocations}
        found = []
        for state in tick.limits:
            name = state.resource.name
            expected = expectations.get(name)
            likely = 0.0 if expected is None or state.over else expected.probability
            if name in self._lasting:
                if likely < _ENDS * WARNING_PROBABILITY:
                    self._lasting.discard(name)
            elif expected is not None and likely >= WARNING_PROBABILITY:
                self._lasting.add(name)
                found.append(
                    Warned(
                        at, name, state.resource.unit, state.value, state.limit,
                        expected.value, expected.seconds, likely,
                    )
                )  # fmt: skip
        return tuple(found)
