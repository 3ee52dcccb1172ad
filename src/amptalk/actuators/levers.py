"""Which levers can hold which limit: what an application can register, and what acts without it.

The table is what the code does today, and a test holds it to that. What the kernel can hold
depends on the machine and is not in it: `enforcement` says so at start.
"""

from __future__ import annotations

from collections.abc import Mapping

from amptalk.model.resource import Resource

_ALWAYS = ("knob", "admission", "hook", "ladder")
"""They take any resource: a share of full work, the pace of starts, steps at a level."""
_LEVERS: Mapping[str, tuple[str, ...]] = {
    "memory": (*_ALWAYS, "component", "trim"),
    "cpu": (*_ALWAYS, "component"),
    "gpu_memory": (*_ALWAYS, "component"),
}


def levers(resource: Resource, *, seen: bool) -> tuple[str, ...]:
    """Name what can hold a limit on `resource`; only `trim` acts without anything registered.

    What cannot be measured cannot be controlled; but admission still holds the amounts that work
    states against a limit of memory.
    """
    if seen:
        return _LEVERS.get(resource.name, _ALWAYS)
    return ("admission",) if resource.kind == "hold" else ()
