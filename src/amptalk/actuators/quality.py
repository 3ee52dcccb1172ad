"""Quality ladders: what the application does less well to need less, step by step.

A ladder has modes, the best first: precisions, model sizes, resolutions. Each step down is an
actuator of its own, so the planner weighs it against all others by its own cost and by what it was
seen to give back. Steps go one mode at a time, down while a level calls for it and up when it is
normal again. What a mode means is known to the application alone, which is called to change it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

from amptalk.actuators.amounts import amount, label
from amptalk.actuators.contract import Actuator
from amptalk.actuators.hooks import ALLOWED, checked_cost, checked_function, checked_level
from amptalk.actuators.memory import free_heap_mb, give_back_heap
from amptalk.clock import Clock
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level
from amptalk.model.resource import GPU_MEMORY, MEMORY

PAUSE = 15.0
"""Seconds after any step until the next one up: what it takes must be seen first."""
LEAST_DEADLINE = 2.0
"""Seconds that a change of mode may take at least."""
_COST = 0.1
"""Loss of work of the first step down, and how much more each further one loses."""


class QualityLadder:
    """Modes of the application and the one that applies. Built by `Ladder.quality`."""

    def __init__(
        self,
        name: str,
        modes: Sequence[Any],
        apply: Callable[[Any], object],
        clock: Clock,
        *,
        resource: str,
        level: Level,
        costs: Sequence[float] | None,
        expected: Sequence[float] | None,
        seconds: float,
    ) -> None:
        self.name = label(name, "a ladder")
        self.modes = _checked_modes(name, modes)
        self._apply = checked_function(f"ladder {name!r}: apply", apply)
        self._clock = clock
        self._lock = threading.Lock()
        self._at = 0
        self.changed_at = -math.inf
        """Monotonic seconds of the last change."""
        checked_level(f"ladder {name!r}", level)
        amount("seconds", seconds)
        steps = len(self.modes) - 1
        losses = _each(name, "costs", costs, steps) or [
            min(1.0, _COST * (index + 1)) for index in range(steps)
        ]
        gains = _each(name, "expected", expected, steps) or [None] * steps
        self.rungs = tuple(
            Rung(self, index, resource, level, checked_cost(loss), gain, seconds)
            for index, (loss, gain) in enumerate(zip(losses, gains, strict=True))
        )
        """The steps down, the first one first."""

    @property
    def mode(self) -> Any:
        """What applies now: the last mode that `apply` took without an error."""
        return self.modes[self._at]

    @property
    def at(self) -> int:
        """Place of the present mode, 0 for the best."""
        return self._at

    def __repr__(self) -> str:
        return f"QualityLadder({self.name!r}, mode={self.mode!r}, modes={self.modes!r})"

    def move(self, start: int, end: int) -> None:
        """Go from below or from `start` up to `end`, or from `start` down to it."""
        with self._lock:
            if self._at == start or self._at > start > end:
                self._apply(self.modes[end])
                self._at = end
                self.changed_at = self._clock.monotonic()


class Rung(Actuator):
    """One step down a ladder, from mode number `index` to the next."""

    def __init__(  # noqa: PLR0917 - built by its ladder alone
        self, ladder: QualityLadder, index: int, resource: str, level: Level, cost: float,
        expected: float | None, seconds: float,
    ) -> None:  # fmt: skip
        self._ladder = ladder
        self._index = index
        self.name = f"{ladder.name}: {ladder.modes[index]} to {ladder.modes[index + 1]}"
        self.resource = resource
        self.level = Level(level)
        self.cost = cost
        self.expected = expected
        self.duration = float(seconds)
        self.deadline = max(LEAST_DEADLINE, ALLOWED * self.duration)
        self.takes_again = resource in {MEMORY.name, GPU_MEMORY.name}

    def available(self) -> str | None:
        """Return which mode applies unless it is the one that this step leads down from."""
        ladder = self._ladder
        return None if ladder.at == self._index else f"{ladder.name} is at {ladder.mode}"

    def stays(self, now: float) -> bool:
        """Whether another step up comes first, or too little time has passed since the last."""
        ladder = self._ladder
        return ladder.at > self._index + 1 or now - ladder.changed_at < PAUSE

    def apply(self, need: float) -> None:  # noqa: ARG002 - a mode gives back what it gives back
        """Go one mode down."""
        before = free_heap_mb()
        self._ladder.move(self._index, self._index + 1)
        if self.resource == MEMORY.name:
            give_back_heap(before)

    def undo(self) -> None:
        """Go up to the mode above this step, from wherever it is below."""
        self._ladder.move(self._index + 1, self._index)


def _checked_modes(name: str, modes: Sequence[Any]) -> tuple[Any, ...]:
    if isinstance(modes, str) or len(modes) < 2:
        raise ConfigurationError(
            f"modes={modes!r} of ladder {name!r}: give two or more, the best first, such as "
            "['fp16', 'int8']"
        )
    if len(set(map(str, modes))) < len(modes):
        raise ConfigurationError(f"modes={modes!r} of ladder {name!r} has one twice: name it once")
    return tuple(modes)


def _each(
    name: str, what: str, values: Sequence[float] | None, steps: int
) -> list[float | None] | None:
    if values is None:
        return None
    if len(values) != steps:
        raise ConfigurationError(
            f"{what}={values!r} of ladder {name!r}: give {steps}, one for each step down"
        )
    return [amount(what, value) for value in values]
