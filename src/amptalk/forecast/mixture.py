"""Combine the last value and the experts by how well they did of late.

Weights follow MLpol with linearised absolute loss (Gaillard, Stoltz and van Erven 2014,
"A second-order bound with excess losses"): an expert gains weight by the regret of not
having followed it. The last value is a permanent member; on most signals with a sample
a second nothing beats it, and so nothing may be much worse. Steps of the horizon that
are alike share their weights: 1, 2-3, 4-7, 8-15 … steps ahead. What the experts expect
is their own business.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import pairwise
from operator import mul

from amptalk.forecast.past import Past

_FADE = 0.9995
"""Weight of a regret relative to the next newer one: some 2000 lessons matter."""
_FADE_LARGEST = 0.99995
_LEFT_OUT = 0.5
"""Share of the values that are not learned from, among them those that the regression
learns from: so each update costs about the same."""
_SHARE = 0.01
"""Weight that the priors always keep, so that an expert can come back."""


class _Weights:
    """Weights of the last value and of the experts for some neighbouring steps ahead."""

    __slots__ = ("_largest", "_priors", "_regret", "_square", "first", "last", "now")

    def __init__(self, priors: Sequence[float], first: int, last: int) -> None:
        """For the steps `first` to `last` ahead, both of them included."""
        self.first, self.last = first, last
        self._priors = priors
        self._regret = [0.0] * len(priors)
        self._square = [0.0] * len(priors)
        self._largest = 0.0
        self.now = list(priors)

    def learn(self, expected: Sequence[float], combined: float, happened: float) -> None:
        """Score what each expected by the outcome; all are offsets in scales."""
        if happened == combined:
            return
        sign = 1.0 if combined > happened else -1.0
        gains = [sign * (combined - offset) for offset in expected]
        largest = max(_FADE_LARGEST * self._largest, *map(abs, gains))
        self._largest = largest
        floor = largest * largest
        if floor <= 0.0:
            return
        regret, square = self._regret, self._square
        raw = []
        for i, gain in enumerate(gains):
            regret[i] = r = _FADE * regret[i] + gain
            square[i] = v = _FADE * square[i] + gain * gain
            raw.append(self._priors[i] * r / (v + floor) if r > 0.0 else 0.0)
        total = sum(raw)
        if total <= 0.0:
            self.now = list(self._priors)
            return
        keep = (1.0 - _SHARE) / total
        self.now = [keep * u + _SHARE * p for u, p in zip(raw, self._priors, strict=True)]


class Mixture:
    """Weighs what is expected, step by step of the horizon."""

    __slots__ = ("_experts", "_horizon", "_said", "_turn", "_weights")

    def __init__(self, horizon: int, priors: Sequence[float]) -> None:
        """`priors`: weight of the last value at the start, then of each expert, in any unit."""
        shares = [prior / sum(priors) for prior in priors]
        starts = [2**i for i in range(horizon.bit_length()) if 2**i <= horizon]
        self._horizon = horizon
        self._experts = len(priors) - 1
        self._weights = [
            _Weights(shares, first, after - 1) for first, after in pairwise([*starts, horizon + 1])
        ]
        self._said = array("f")
        """What was said at the last H moments, newest first: a row for all together, one for
        each expert; in each the offsets of H steps."""
        self._turn = 0

    def clear(self) -> None:
        """Forget what was said, not who was right."""
        del self._said[:]

    @property
    def full(self) -> bool:
        """Whether a whole horizon was said something about."""
        return len(self._said) == (self._experts + 1) * self._horizon**2

    def combine(self, columns: Sequence[Sequence[float]]) -> list[float]:
        """What all together expect, from what each of the experts does at each step.

        No offset before a whole horizon was seen, or when no expert was asked.
        """
        if columns and self.full:
            # The last value expects no offset, whatever its weight.
            weights: list[list[float]] = []
            for one in self._weights:
                weights += [one.now[1:]] * (one.last - one.first + 1)
            steps = zip(*columns, strict=True)
            combined = [sum(map(mul, w, step)) for w, step in zip(weights, steps, strict=True)]
        else:
            combined = [0.0] * self._horizon
        row = array("f", combined)
        for column in columns or [combined] * self._experts:
            row.extend(column)
        self._said[0:0] = row
        del self._said[len(row) * self._horizon :]
        return combined

    def said_of_now(self) -> array[float]:
        """The offsets that all together expected of the newest value 1, 2 … steps before it."""
        return self._said[:: (self._experts + 1) * self._horizon + 1]

    def learn(self, past: Past) -> None:
        """Compare the newest value with what was expected of it.

        Of the steps that share weights one is looked at, another one each time; and only at a
        part of the values. Called before anything is said at the newest value.
        """
        if past.phase < _LEFT_OUT:
            return
        self._turn = turn = self._turn + 1
        said, horizon, value = self._said, self._horizon, past.values[0]
        width = (self._experts + 1) * horizon
        for weights in self._weights:
            step = weights.first + turn % (weights.last - weights.first + 1)
            scale = past.scales[step]
            if scale:
                at = (step - 1) * width + step - 1
                combined = said[at]
                expected = [0.0, *said[at + horizon : step * width : horizon]]
                weights.learn(expected, combined, (value - past.values[step]) / scale)
