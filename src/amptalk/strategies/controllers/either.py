"""Control of what is held, and answers slowly as a rule and at once at times.

Memory that work fills answers within minutes; memory of caches and buffers that are sized by a
knob answers within seconds. Both controllers watch, and the one whose expectations come true
decides. A quantity whose kind tells its speed has one of them alone (`fast`).
"""

from __future__ import annotations

import math

from amptalk.strategies.controllers.contract import Controller
from amptalk.strategies.controllers.fast import FastController
from amptalk.strategies.controllers.slow import SlowController

_LEAD = 0.3
"""Part by which the other's errors must be smaller to change over."""
_MEMORY = 0.98
"""Part of the evidence that is left after a second in which the share moved."""
_MOVED = 0.02
"""Errors count for some seconds after the share moved by this much (log)."""
_WINDOW = 6.0
_CLIP = 0.05
"""A larger error (part of the limit) is a leap of the load, which none expects."""
_ENOUGH = 30.0
"""Seconds of evidence before a change."""


class EitherController(Controller):
    """Lets the slow or the fast controller decide, at first the slow one."""

    def __init__(self) -> None:
        super().__init__()
        self.deciding: Controller = SlowController()
        """The one in charge."""
        self._watching: Controller = FastController()
        self._errors = {self.deciding: 0.0, self._watching: 0.0}
        """Mean squared, in parts of the limit, while own moves show."""
        self._seconds = 0.0
        self._until = -math.inf

    def shift(self, by: float) -> None:
        """Levels are told on another scale from now on, `by` (log) above that until now."""
        self.deciding.shift(by)
        self._watching.shift(by)

    def _begin(self, level: float) -> None:
        for one in self._errors:
            one.follow(self._last, math.exp(level))

    def _observe(self, now: float, level: float, elapsed: float) -> None:
        ratio = math.exp(level)
        self.deciding.caution = self._watching.caution = self.caution
        for one in self._errors:
            one.follow(now, ratio)
        self.error, self.level = self.deciding.error, self.deciding.level
        if now <= self._until:
            self._compare(elapsed)

    def _decide(self, now: float, elapsed: float) -> float:
        share = self.deciding.decision(now, elapsed)
        self.guard, self.noise_guard = self.deciding.guard, self.deciding.noise_guard
        return share

    def _held_back(self, now: float) -> None:
        self.deciding._held_back(now)

    def _decided(self, now: float, log_share: float) -> None:
        if abs(log_share - self._log_share) > _MOVED:
            self._until = now + _WINDOW
        for one in self._errors:
            one.put(now, log_share)

    def _compare(self, elapsed: float) -> None:
        left = _MEMORY**elapsed
        for one in self._errors:
            squared = min(abs(one.error), _CLIP) ** 2
            self._errors[one] += (1.0 - left) * (squared - self._errors[one])
        self._seconds += elapsed
        theirs, ours = self._errors[self._watching], self._errors[self.deciding]
        if self._seconds >= _ENOUGH and theirs < (1.0 - _LEAD) * ours:
            self.deciding, self._watching = self._watching, self.deciding
            self._seconds = 0.0
