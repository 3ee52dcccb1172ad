"""Checks of what a component asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, NamedTuple

from amptalk.model.decision import Ask, Hold
from amptalk.model.errors import ConfigurationError
from amptalk.model.resource import BUILT_IN

ARGUMENTS = {"memory": "memory_mb", "gpu_memory": "gpu_memory_mb", "cpu": "cpu_percent"}
"""What can be shared, and by which argument."""


class Wish(NamedTuple):
    """What a component asks, before it is checked."""

    bounds: Mapping[str, Any]
    """By resource: `None`, `(minimum, maximum)` or `(minimum, maximum, step)`."""
    weight: float = 1.0
    priority: int = 0
    coupled: bool = False
    shrink_seconds: float = 0.0


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


def checked(name: object, wish: Wish) -> dict[str, Ask]:
    """Return the asks by resource; raises `ConfigurationError` for what cannot be meant."""
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(f"the name of a component is {name!r}: give a string")
    priority = wish.priority
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise ConfigurationError(f"priority={priority!r} of {name!r}: give a whole number")
    if amount(name, "weight", wish.weight) <= 0:
        raise ConfigurationError(f"weight={wish.weight!r} of {name!r}: give more than 0")
    amount(name, "shrink_seconds", wish.shrink_seconds)
    asks = {
        resource: _ask(name, resource, bounds, wish)
        for resource, bounds in wish.bounds.items()
        if bounds is not None
    }
    if not asks:
        raise ConfigurationError(
            f"component {name!r} asks for nothing: give memory_mb, cpu_percent or "
            "gpu_memory_mb as (minimum, maximum)"
        )
    return asks


def _ask(component: str, resource: str, bounds: object, wish: Wish) -> Ask:
    what = ARGUMENTS[resource]
    if not isinstance(bounds, (tuple, list)) or len(bounds) not in (2, 3):
        raise ConfigurationError(
            f"{what}={bounds!r} of component {component!r}: give (minimum, maximum), or "
            "(minimum, maximum, step)"
        )
    minimum, maximum, step = (amount(component, what, bound) for bound in (*bounds, 0.0)[:3])
    if minimum > maximum or maximum == 0:
        raise ConfigurationError(
            f"{what}={bounds!r} of component {component!r}: give a minimum that is at most the "
            "maximum, and a maximum above 0"
        )
    hold: Hold = "physical" if BUILT_IN[resource].kind == "hold" else "rate"
    return Ask(minimum, maximum, float(wish.weight), wish.priority, step, hold, wish.coupled)
