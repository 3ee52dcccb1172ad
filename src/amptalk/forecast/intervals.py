"""How far a value may be from what was expected, learned from how far values were.

A bound on each side for each step ahead, in spreads of the moment a forecast was made,
is moved so that one value in twenty lies beyond it (quantile tracking, the first part
of conformal PID control: Angelopoulos, Candès and Tibshirani 2023). It makes no
assumption on the errors, and follows when they change. How the errors lie within the
bounds is kept apart, once for all steps.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import exp, sqrt

from amptalk.forecast.window import SortedWindow

TRACKED = 0.95
"""Share of the values on the inner side of each bound."""
_NEAR_PACE, _FAR_PACE = 0.1, 0.05
"""How fast a bound moves, one step ahead and at the end of the horizon: errors of long
horizons come in longer runs."""
_FIRST_PACE, _SETTLING = 0.3, 2.0
"""At the start, when a bound is not known, it moves by 2 / n but not more than this."""
_SETTLED = 40
_LEAST = 0.02
_FURTHEST = 1e9
_KEPT = 48
_NORMAL = tuple([x / 1.645 for x in (0.06, 0.19, 0.32, 0.45, 0.6, 0.76, 0.93, 1.15, 1.44, 1.96)])
"""Absolute values of a normal distribution, in its 95 % quantile: the shape before there is
another one."""


class Intervals:
    """Bounds of all steps ahead."""

    __slots__ = ("_above", "_below", "_count", "_in_down", "_in_up", "_inwards", "_outwards")

    def __init__(self, horizon: int) -> None:
        self._above = array("d", [sqrt(step) for step in range(1, horizon + 1)])
        self._below = self._above[:]
        self._inwards = array("d")
        self._outwards = array("d")
        self._count = 0
        self._in_up = SortedWindow(_KEPT, _NORMAL)
        self._in_down = SortedWindow(_KEPT, _NORMAL)

    def learn(self, errors: Sequence[float]) -> None:
        """Take how far the newest value is from what was expected of it 1, 2 … steps before.

        In spreads of the moments at which it was expected; one error for each step.
        """
        self._count = count = self._count + 1
        if count <= _SETTLED:
            self._set_pace(min(_FIRST_PACE, _SETTLING / count))
        above, below, inwards, outwards = self._above, self._below, self._inwards, self._outwards
        for i, error in enumerate(errors):
            up = above[i] * (outwards[i] if error > above[i] else inwards[i])
            down = below[i] * (outwards[i] if -error > below[i] else inwards[i])
            above[i] = up if up > _LEAST else _LEAST
            below[i] = down if down > _LEAST else _LEAST
        at = count % len(errors)
        error = errors[at]
        if error >= 0.0:
            self._in_up.add(min(error / above[at], _FURTHEST))
        else:
            self._in_down.add(min(-error / below[at], _FURTHEST))

    def _set_pace(self, least: float) -> None:
        """Work out the factors of a bound that held and of one that did not.

        With a share `TRACKED` that holds they cancel in the mean.
        """
        horizon = len(self._above)
        slope = (_FAR_PACE - _NEAR_PACE) / (horizon - 1)
        paces = [max(least, _NEAR_PACE + slope * i) for i in range(horizon)]
        self._inwards = array("d", [exp(-pace * (1.0 - TRACKED)) for pace in paces])
        self._outwards = array("d", [exp(pace * TRACKED) for pace in paces])

    def bounds(self, tail: float) -> tuple[list[float], list[float]]:
        """Lower and upper distances from what is expected, in spreads, for each step.

        A share `tail` (0-0.5) of the values is expected beyond each of them.
        """
        level = 1.0 - 2.0 * tail
        down, up = _part(self._in_down, level), _part(self._in_up, level)
        return [-down * bound for bound in self._below], [up * bound for bound in self._above]


def _part(window: SortedWindow, level: float) -> float:
    """Of the values on one side a share `level` lies within this part of the bound."""
    tracked = window.quantile(2.0 * TRACKED - 1.0)
    if tracked <= 0.0:
        return 1.0 if level >= 2.0 * TRACKED - 1.0 else 0.0
    return max(0.0, window.quantile(level)) / tracked
