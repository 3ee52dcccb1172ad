"""What was done about a limit, and what came of it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from amptalk.model.level import Level


class Verdict(Enum):
    """What measurement says of an action; its own return value never counts."""

    WORKED = "worked"
    PARTIAL = "partial"
    NO_EFFECT = "no effect"
    DENIED = "denied"
    """It could not be carried out: it raised, was refused or missed its deadline."""
    UNVERIFIABLE = "unverifiable"
    """Nothing measured it, such as a missing sensor."""


class ActionReport(NamedTuple):
    """One action from decision to measured result."""

    action: str
    resource: str
    unit: str
    level: Level
    """The level that called for it."""
    started: float
    """Seconds since the epoch."""
    seconds: float
    """How long the action itself took."""
    before: float
    after: float
    expected: float | None
    """How much was expected to be given back, in the unit; `None` when unknown."""
    verdict: Verdict
    detail: str = ""

    @property
    def freed(self) -> float:
        """How much less is used afterwards, in the unit; negative when more."""
        return self.before - self.after
