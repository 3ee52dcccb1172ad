"""Combine experts by how well they did of late, never much worse than the last value.

Weights per horizon follow MLpol with linearised absolute loss (Gaillard, Stoltz
and van Erven 2014): an expert gains weight by the regret of not having followed
it. The last value is a permanent member; on most signals at one sample a second
nothing beats it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

_FADE = 0.9995
_SHARE = 0.01
"""Weight that the priors always keep, so that an expert can come back."""
_LEAP = 8.0
"""Experts see a value move by at most this many usual changes at once: a spike passes them
by, and a step is seen one value later, when changes have become usual."""


class Expert(Protocol):
    """Predicts from what it has seen."""

    def update(self, value: float) -> list[float]:
        """Take a value and return the expected ones at the horizons."""


class _Weights:
    """Weights of the experts at one horizon."""

    __slots__ = ("_priors", "_regret", "_scale", "_square", "now")

    def __init__(self, priors: Sequence[float]) -> None:
        self._priors = tuple(priors)
        self._regret = [0.0] * len(priors)
        self._square = [0.0] * len(priors)
        self._scale = 0.0
        self.now = list(priors)

    def learn(self, forecasts: Sequence[float], combined: float, happened: float) -> None:
        """Score forecasts (offsets, in units of the scale at their origin) by the outcome."""
        if happened == combined:
            return
        sign = 1.0 if combined > happened else -1.0
        regret, square = self._regret, self._square
        largest = 0.0
        for i, forecast in enumerate(forecasts):
            gain = sign * (combined - forecast)
            regret[i] = _FADE * regret[i] + gain
            square[i] = _FADE * square[i] + gain * gain
            largest = max(largest, abs(gain))
        self._scale = max(0.99995 * self._scale, largest)
        floor = self._scale * self._scale
        if floor <= 0.0:
            return
        raw = [
            prior * max(r, 0.0) / (v + floor)
            for prior, r, v in zip(self._priors, regret, square, strict=True)
        ]
        total = sum(raw)
        if total <= 0.0:
            self.now = list(self._priors)
            return
        keep = (1.0 - _SHARE) / total
        self.now = [keep * u + _SHARE * p for u, p in zip(raw, self._priors, strict=True)]


class Mixture:
    """Experts combined at a few horizons ("anchors"), as offsets from the present value."""

    __slots__ = ("_anchors", "_experts", "_pending", "_scale", "_shown", "_weights")

    def __init__(
        self, anchors: Sequence[int], experts: Sequence[Expert], priors: Sequence[float]
    ) -> None:
        """`priors`: weight of the last value, then of each expert; they add up to 1."""
        self._anchors = tuple(anchors)
        self._experts = tuple(experts)
        self._weights = [_Weights(priors) for _ in anchors]
        self._scale = 0.0
        self._shown = 0.0
        # Newest first: value, scale and (forecasts, combined) per anchor, as offsets in scales.
        self._pending: deque[tuple[float, float, list[tuple[list[float], float]]]] = deque(
            maxlen=self._anchors[-1]
        )

    def update(self, value: float, scale: float) -> list[float]:
        """Take a value and the size of usual changes; return the offsets at the anchors.

        No expert may go further from the value than usual changes in one direction
        would, so the result is bounded whatever was seen.
        """
        pending = self._pending
        before, self._scale = self._scale, scale
        if scale <= 0.0:
            self._shown = value
            for expert in self._experts:
                expert.update(value)
            pending.clear()
            return [0.0] * len(self._anchors)
        for position, anchor in enumerate(self._anchors):
            if anchor <= len(pending):
                origin, unit, made = pending[anchor - 1]
                forecasts, combined = made[position]
                happened = max(-50.0, min(50.0, (value - origin) / unit))
                self._weights[position].learn(forecasts, combined, happened)
        leap = _LEAP * before
        if before > 0.0 and abs(value - self._shown) > leap:
            self._shown += leap if value > self._shown else -leap
        else:
            self._shown = value
        columns = [expert.update(self._shown) for expert in self._experts]
        made = []
        for position, anchor in enumerate(self._anchors):
            bound = 6.0 * anchor**0.5 if anchor < 4 else 3.0 * anchor
            forecasts = [0.0]
            for column in columns:
                offset = (column[position] - value) / scale
                forecasts.append(bound if offset > bound else -bound if offset < -bound else offset)
            weights = self._weights[position].now
            made.append((forecasts, sum(w * f for w, f in zip(weights, forecasts, strict=True))))
        pending.appendleft((value, scale, made))
        return [combined * scale for _, combined in made]
