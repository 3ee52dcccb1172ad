"""Checks of numbers that a caller gives: one rule and one wording for the whole room."""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Real

from amptalk.model.errors import ConfigurationError


def number(name: str, value: object) -> float:
    """Return `value` as a float; raises `ConfigurationError` unless it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ConfigurationError(f"{name}={value!r} is not allowed: give a finite number")
    return float(value)


def amount(name: str, value: object) -> float:
    """Return `value` as a float; raises `ConfigurationError` unless finite and not negative."""
    checked = number(name, value)
    if checked < 0:
        raise ConfigurationError(f"{name}={value!r} is negative: give 0 or more")
    return checked


RESOURCES = {
    "memory_mb": "memory",
    "gpu_memory_mb": "gpu_memory",
    "cpu_percent": "cpu",
    "power_watts": "power",
}
"""The resource that each argument with an amount stands for; its name ends with the unit."""


def amounts(**given: float | None) -> dict[str, float]:
    """Return what was given by resource, checked by `amount`; `None` was not given."""
    return {
        RESOURCES[name]: amount(name, value) for name, value in given.items() if value is not None
    }


def label(name: object, what: str) -> str:
    """Return `name` when it is a non-empty string; raises `ConfigurationError` otherwise."""
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(f"the name of {what} is {name!r}: give a non-empty string")
    return name


def resource_name(name: object, known: Collection[str], what: str) -> str:
    """Return `name` when it is a known resource; raises `ConfigurationError` otherwise."""
    if not isinstance(name, str) or name not in known:
        raise ConfigurationError(
            f"resource={name!r} of {what} is unknown: use one of {', '.join(sorted(known))}"
        )
    return name
