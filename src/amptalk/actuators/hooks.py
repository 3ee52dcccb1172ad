"""The application's own steps: drop a cache, unload a model, write a checkpoint.

A hook is called on an action thread with a deadline. What it returns never
counts: its effect is measured like that of any other actuator.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from amptalk.actuators.amounts import amount, label
from amptalk.actuators.contract import Actuator
from amptalk.actuators.memory import free_heap_mb, give_back_heap
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level
from amptalk.model.resource import MEMORY

ALLOWED = 2.0
"""Times its declared duration that a step may take until it is late."""


class Hook(Actuator):
    """Calls `release(need)`, or `release()` when it takes no argument.

    `need` is passed when the function has a required positional parameter, one named
    `need`, or `*args`. A hook with `restore` is a switch: once released it is not
    called again until the level was normal and `restore()` ran. Without `restore`
    it is called as often as it helps. Raises `ConfigurationError` for what cannot
    be called (an `async def` neither) and for numbers out of range.
    """

    def __init__(
        self,
        name: str,
        release: Callable[..., object],
        *,
        resource: str,
        restore: Callable[[], object] | None = None,
        level: Level = Level.ELEVATED,
        expected: float | None = None,
        cost: float = 0.1,
        duration: float = 0.0,
        latency: float = 0.0,
        deadline: float = 2.0,
    ) -> None:
        self.name = label(name, "a hook")
        self.resource = resource
        self.level = checked_level(f"hook {name!r}", level)
        self.cost = checked_cost(cost)
        self.duration = amount("seconds", duration)
        self.latency = amount("latency", latency)
        self.deadline = max(amount("deadline", deadline), ALLOWED * self.duration)
        self.expected = None if expected is None else amount("expected", expected)
        self._release = checked_function(f"hook {name!r}: release", release)
        self._restore = (
            None if restore is None else checked_function(f"hook {name!r}: restore", restore)
        )
        self._with_need = _takes_need(release)
        self._released = False

    def available(self) -> str | None:
        """Return that it waits to be restored, or `None` when it may be called."""
        if self._released and self._restore is not None:
            return "released already; it is restored once the level is normal"
        return None

    def apply(self, need: float) -> None:
        """Call the release function; one that raises counts as not done."""
        before = free_heap_mb()
        if self._with_need:
            self._release(need)
        else:
            self._release()
        self._released = True
        if self.resource == MEMORY.name:
            give_back_heap(before)

    def undo(self) -> None:
        """Call the restore function if there is one and the hook was released."""
        if self._released and self._restore is not None:
            self._released = False
            self._restore()


def checked_level(what: str, level: Level) -> Level:
    """Return a level at which a step may be used; raises `ConfigurationError` otherwise."""
    if level not in (Level.ELEVATED, Level.CRITICAL, Level.EMERGENCY):
        raise ConfigurationError(
            f"{what} has level={level!r}: give Level.ELEVATED, CRITICAL or EMERGENCY"
        )
    return Level(level)


def checked_cost(cost: object) -> float:
    """Return a loss of work, 0-1; raises `ConfigurationError` for anything else."""
    checked = amount("cost", cost)
    if checked > 1:
        raise ConfigurationError(f"cost={cost!r} is out of range: give 0 to 1")
    return checked


def checked_function(what: str, function: Callable[..., object]) -> Callable[..., object]:
    """Return what can be called on a thread; raises `ConfigurationError` for anything else."""
    if not callable(function):
        raise ConfigurationError(f"{what}={function!r} cannot be called: give a function")
    if inspect.iscoroutinefunction(function):
        raise ConfigurationError(
            f"{what}={function!r} is an async function, and steps run on a "
            "thread: give a plain function that uses asyncio.run_coroutine_threadsafe"
        )
    return function


def _takes_need(function: Callable[..., object]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # builtins without a signature
        return False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            return True
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            return parameter.default is parameter.empty or parameter.name == "need"
    return False
