"""Observations made of nothing but what a test names."""

from __future__ import annotations

import math
from typing import Any

from amptalk.model.decision import Observation
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import BUILT_IN


def state(
    name: str = "memory",
    value: float = 500.0,
    limit: float = 1000.0,
    level: Level = Level.NORMAL,
    fresh: bool = True,
) -> LimitState:
    """A state of a built-in resource; a missing value is blind."""
    blind = math.isnan(value)
    return LimitState(
        BUILT_IN[name], limit, value, level, fresh and not blind, blind, 0.0, math.inf
    )


def observed(now: float, *states: LimitState, **more: Any) -> Observation:
    return Observation(now, 1.0, states, **more)
