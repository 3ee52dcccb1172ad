"""What a component is asked to do about memory: three levels, one request.

Callbacks may take one request or be coroutine functions. They run on action threads, or on the
event loop in which the component was registered, never inside a lock of sharing, and may not ask
for more: whoever gives something back would wait for others that wait for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from enum import IntEnum
from typing import Any, NamedTuple

from amptalk.model.errors import ConfigurationError, NestedAdmissionError


class Pressure(IntEnum):
    """How much is asked."""

    NONE = 0
    """More may be used."""
    TRIM = 1
    """Please drop what is easily had again; the grant stays."""
    SHRINK = 2
    """Use no more than the target, by the deadline."""
    EVICT = 3
    """The deadline has passed: give back everything above the minimum."""


class Request(NamedTuple):
    """What `on_shrink` and `on_grow` are called with."""

    level: Pressure
    resource: str
    target: float
    """What may be used from now on, in the resource's unit."""
    seconds: float
    """Until it must be done; `inf` where nobody waits for it."""


Notify = Callable[[Request], Any]
"""A callback of a component; what it returns does not count."""

_asked: ContextVar[bool] = ContextVar("amptalk_sharing_callback", default=False)


def checked(component: str, what: str, function: Notify | None) -> Notify | None:
    """Return a callback as one that can be called on any thread; raises `ConfigurationError`."""
    if function is None:
        return None
    if not callable(function):
        raise ConfigurationError(f"{what}={function!r} of {component!r} cannot be called")
    if inspect.iscoroutinefunction(function):
        return _on_its_loop(component, what, function)
    return function


def call(function: Notify, request: Request) -> None:
    """Call a callback so that it cannot ask for more meanwhile."""
    token = _asked.set(True)
    try:
        function(request)
    finally:
        _asked.reset(token)


def refuse_in_a_callback(component: str) -> None:
    """Raise `NestedAdmissionError` inside a callback."""
    if _asked.get():
        raise NestedAdmissionError(
            f"component {component!r} asked for a share inside on_shrink or on_grow, where it "
            "would wait for itself: ask after the callback has returned"
        )


def _on_its_loop(component: str, what: str, function: Notify) -> Notify:
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            f"{what} of {component!r} is a coroutine function: register the component inside a "
            "running event loop, on which it is then called"
        ) from None

    async def run(request: Request) -> None:
        _asked.set(True)
        await function(request)

    def wait_for(request: Request) -> None:
        asyncio.run_coroutine_threadsafe(run(request), loop).result()

    return wait_for
