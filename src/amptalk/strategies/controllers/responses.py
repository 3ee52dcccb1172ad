"""Find out how late and how slowly readings answer, from those that follow a change.

Each idea predicts the readings after an own move or a leap of the load; the squared errors tell
which is right. Between them all predict the same, and cost nothing. A move that shows no effect
(work that nobody asks for) says nothing: an idea must beat "no effect" as well.
"""

from __future__ import annotations

import math

from amptalk.strategies.controllers.observer import JUMP, REMEMBERED, Observer, Response

_DELAYS = (1, 2, 3, 4, 5, 7)
"""Readings."""
_PACES = (0.35, 0.65, 0.95)
"""Part of the way in a second."""
_WINDOW = 9
"""Readings after a move in which ideas are compared."""
_LEAD = 40.0
"""Squared errors by which an idea must be better to be believed."""
_SMALLEST_MOVE = 0.05
_DETECTABLE = 5.0
"""A move counts from an effect of so many spreads."""


class Responses:
    """The ideas, and the evidence for each."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        first = observer.response
        self._ideas = [first]
        self._ideas += [
            Response(delay, pace)
            for delay in _DELAYS
            for pace in _PACES
            if (delay, pace) != (first.delay, first.per_second)
        ]
        self._no_effect = Response(REMEMBERED - 1, first.per_second)
        self._until = -math.inf
        self._elapsed = math.nan
        self._before = (0.0, 0.0, 0)

    def timed(self, elapsed: float) -> None:
        """Readings come `elapsed` seconds apart; when that changes, delays in readings do too."""
        if abs(elapsed - self._elapsed) <= 0.01 * elapsed:
            return
        self._elapsed = elapsed
        for one in (*self._ideas, self._no_effect):
            one.timed(elapsed)
            one.cost = 0.0

    def shift(self, by: float) -> None:
        """Levels are told on another scale from now on."""
        for one in (*self._ideas, self._no_effect):
            one.shift(by)

    def remember(self) -> None:
        """Keep what is believed before a reading, for the case that it is a leap."""
        believed = self._observer.response
        self._before = believed.level, believed.load, believed.since_jump

    def take(self, now: float, level: float, error: float) -> None:
        """Compare the ideas by a reading, with the error that the believed one made of it."""
        leapt = error * error > JUMP
        if leapt and now > self._until:
            self._begin(*self._before)
        if leapt:
            self._until = now + _WINDOW * self._observer.elapsed
        if now <= self._until:
            self._compare(level, error)

    def moved(self, now: float, by: float) -> None:
        """The log share was changed by so much; called before the observer is told."""
        seen = self._observer
        if abs(by) * seen.elasticity <= max(_SMALLEST_MOVE, _DETECTABLE * seen.spread):
            return
        if now > self._until:
            believed = seen.response
            self._begin(believed.level, believed.load, believed.since_jump)
        self._until = now + _WINDOW * seen.elapsed

    def _begin(self, level: float, load: float, since_jump: int) -> None:
        """Let all ideas start from the same state."""
        seen = self._observer
        believed = seen.response
        heading = seen.effect(believed) + load
        for one in (*self._ideas, self._no_effect):
            if one is not believed:
                one.level, one.load = level, heading - seen.effect(one)
                one.since_jump = since_jump

    def _compare(self, level: float, error: float) -> None:
        seen = self._observer
        believed = best = seen.response
        believed.cost += min(error * error, JUMP)
        gain, spread = seen.gain, seen.spread
        for one in (*self._ideas, self._no_effect):
            if one is not believed:
                error = one.take(level, seen.effect(one), gain, spread)
                one.cost += min(error * error, JUMP)
                if one.cost < best.cost:
                    best = one
        if best.cost + _LEAD < min(believed.cost, self._no_effect.cost):
            seen.response = best
