"""Expert: what usually follows a shape, learned step by step of the horizon, beside the day.

Direct multi-step regression, weighted by the size of its errors, which makes it one of
least absolute errors (iteratively reweighted) that spikes do not disturb. Where a daily
profile is known, its rise times a learned share is expected, and the regression learns
the rest.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from amptalk.forecast.experts.contract import Expert
from amptalk.forecast.experts.least_squares import LeastSquares
from amptalk.forecast.past import BOUND, FURTHEST, SHAPE, Past
from amptalk.forecast.profile import DailyProfile

_SMALLEST_ERROR = 0.1
"""Scales below which an error does not weigh more the smaller it is."""
_LEARNED = 1 / 3
"""Share of the moments that are learned from: neighbours say nearly the same."""
_SILENT = 8
"""Lessons before anything but the profile is expected."""
_PROFILE_STEP = 10.0
"""Seconds: with shorter steps the horizon ends within a bin of the profile."""
_MEMORY = 0.998
"""Weight of how far a rise of the profile came true relative to the next newer one."""


class Regression(Expert):
    """Learns, for each step ahead, how far the value moves from a shape like the present."""

    __slots__ = (
        "_agreement", "_horizon", "_learned", "_profile", "_rises", "_rows", "_size", "_step",
    )  # fmt: skip

    def __init__(self, horizon: int, step: float, profile: DailyProfile | None) -> None:
        """`step`: seconds of a step of the grid."""
        self._horizon = horizon
        self._step = step
        self._profile = profile if step >= _PROFILE_STEP else None
        self._rows = LeastSquares(horizon)
        self._learned = 0
        self._rises = array("f")
        """What the profile said at the last H moments, newest first; at each for H steps."""
        self._agreement = self._size = 0.0

    def update(self, past: Past) -> Sequence[float]:
        """Learn from the moment a horizon ago, then expect."""
        horizon = self._horizon
        if past.phase < _LEARNED and len(past.values) > horizon and past.scales[horizon]:
            self._learn(past)
        offsets = [0.0] * horizon
        if self._learned >= _SILENT:
            outputs = self._rows.outputs(past.shapes[:SHAPE])
            offsets = [BOUND if o > BOUND else -BOUND if o < -BOUND else o for o in outputs]
        if self._profile is not None:
            self._add_rises(past, self._profile, offsets)
        return offsets

    def _add_rises(self, past: Past, profile: DailyProfile, offsets: list[float]) -> None:
        """Add what the profile expects."""
        profile.add(past.values[0], past.seconds)
        rises = profile.rises(past.seconds, self._step, self._horizon)
        if rises is None or len(past.values) == 1:
            del self._rises[:]
        if rises is None:
            return
        scale, share = past.scales[0], self._share()
        rises = [max(-FURTHEST, min(FURTHEST, rise / scale)) for rise in rises]
        for i, rise in enumerate(rises):
            offsets[i] += share * rise
        self._rises[0:0] = array("f", rises)
        del self._rises[self._horizon * self._horizon :]

    def _share(self) -> float:
        """How much of the profile's rise really follows, 0 to 1."""
        return min(1.0, max(0.0, self._agreement / (self._size + 1.0)))

    def _learn(self, past: Past) -> None:
        """Compare what followed the moment a horizon ago with what its shape made expect."""
        horizon = self._horizon
        value, scale = past.values[horizon], past.scales[horizon]
        moves = [(later - value) / scale for later in past.values[horizon - 1 :: -1]]
        rises = self._rises[-horizon:]
        if len(self._rises) == horizon * horizon:
            self._compare(moves[-1], rises[-1])
            share = self._share()
            moves = [move - share * rise for move, rise in zip(moves, rises, strict=True)]
        shape = past.shapes[horizon * SHAPE :]
        errors = [
            (BOUND if move > BOUND else -BOUND if move < -BOUND else move) - output
            for move, output in zip(moves, self._rows.outputs(shape), strict=True)
        ]
        size = sum(map(abs, errors)) / horizon
        self._rows.learn(shape, errors, max(_SMALLEST_ERROR, size))
        self._learned += 1

    def _compare(self, move: float, rise: float) -> None:
        """Learn how much of a rise of the profile comes true, by least squares."""
        bounded = max(-5.0 * BOUND, min(5.0 * BOUND, move))
        self._agreement = _MEMORY * self._agreement + bounded * rise
        self._size = _MEMORY * self._size + rise * rise
