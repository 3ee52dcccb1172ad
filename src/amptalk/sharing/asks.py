"""Checks of what a component asks for."""

from __future__ import annotations

import math
from numbers import Real

from amptalk.model.decision import Ask
from amptalk.model.errors import ConfigurationError


def amount(component: str, what: str, value: object) -> float:
    """Return a finite number that is not negative; raises `ConfigurationError` otherwise."""
    if (
        isinstance(value, bool)
        or not isinstance(value, Real)
        or not math.isfinite(value)
        or float(value) < 0
    ):
        raise ConfigurationError(
            f"{what}={value!r} of component {component!r} is not allowed: give a finite number, "
            "0 or more"
        )
    return float(value)


def ask(component: str, what: str, bounds: object, weight: float, priority: int) -> Ask:
    """Build an ask from `(minimum, maximum)`; raises `ConfigurationError`."""
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise ConfigurationError(
            f"{what}={bounds!r} of component {component!r}: give a pair (minimum, maximum)"
        )
    minimum, maximum = (amount(component, what, bound) for bound in bounds)
    if minimum > maximum or maximum == 0:
        raise ConfigurationError(
            f"{what}={bounds!r} of component {component!r}: give a minimum that is at most the "
            "maximum, and a maximum above 0"
        )
    return Ask(minimum, maximum, weight, priority)
