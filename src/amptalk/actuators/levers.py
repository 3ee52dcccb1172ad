"""Which levers can hold which limit: what an application can register, and what acts without it.

The table is what the code does today, and a test holds it to that. Kernel and device limits are
not in it, because `actuation` sets none; it says so at start.
"""

from __future__ import annotations

from collections.abc import Mapping

_ALWAYS = ("knob", "admission", "hook")
"""They take any resource: a share of full work, the pace of starts, a step at a level."""

LEVERS: Mapping[str, tuple[str, ...]] = {
    "memory": (*_ALWAYS, "component", "trim"),
    "cpu": (*_ALWAYS, "component"),
    "gpu": _ALWAYS,
    "gpu_memory": (*_ALWAYS, "component"),
    "power": _ALWAYS,
    "temperature": _ALWAYS,
}
"""Levers by name of the resource. Only `trim` acts without anything registered."""
