"""Recursive least squares for several outputs of the same eight inputs.

One covariance serves all outputs, as it depends on the inputs only. The arithmetic is
written out: it is most of what a forecast costs, and a loop over eight numbers takes
Python two to three times as long. Rows of eight lie one behind the other.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from math import sqrt
from typing import cast

INPUTS = 8
Eight = tuple[float, float, float, float, float, float, float, float]

_MEMORY = 0.998
"""Weight of a lesson relative to the next newer one: some 500 matter."""
_UNCERTAIN = 100.0
"""Variance of a weight at the start; in the mean it is never above."""


class LeastSquares:
    """Learns, for each output, what the inputs say about it."""

    __slots__ = ("_covariance", "_weights")

    def __init__(self, outputs: int) -> None:
        self._weights = array("d", bytes(8 * INPUTS * outputs))
        self._covariance = array("d", bytes(8 * INPUTS * INPUTS))
        for i in range(0, INPUTS * INPUTS, INPUTS + 1):
            self._covariance[i] = _UNCERTAIN

    def outputs(self, inputs: Sequence[float]) -> list[float]:
        """What is expected of `inputs`."""
        a, b, c, d, e, f, g, h = inputs
        return [
            p * a + q * b + r * c + s * d + t * e + u * f + v * g + w * h
            for p, q, r, s, t, u, v, w in _rows(self._weights)
        ]

    def learn(self, inputs: Sequence[float], errors: Sequence[float], variance: float) -> None:
        """Take what the outputs for `inputs` lacked; the lesson weighs 1 / `variance`."""
        a, b, c, d, e, f, g, h = self._gains(inputs, variance)
        rows = [
            (
                p + miss * a, q + miss * b, r + miss * c, s + miss * d,
                t + miss * e, u + miss * f, v + miss * g, w + miss * h,
            )
            for miss, (p, q, r, s, t, u, v, w) in zip(errors, _rows(self._weights), strict=True)
        ]  # fmt: skip
        self._weights = array("d", list(chain.from_iterable(rows)))

    def _gains(self, inputs: Sequence[float], variance: float) -> list[float]:
        """How far each weight follows an error."""
        a, b, c, d, e, f, g, h = inputs
        covariance = self._covariance
        along = [
            p * a + q * b + r * c + s * d + t * e + u * f + v * g + w * h
            for p, q, r, s, t, u, v, w in _rows(covariance)
        ]
        # What a quiet signal no longer tells must not grow without end.
        total = sum(covariance[:: INPUTS + 1])
        keep = min(1.0 / _MEMORY, _UNCERTAIN * INPUTS / total)
        spread = 0.0
        for x, y in zip(along, inputs, strict=True):
            spread += x * y
        root = sqrt(_MEMORY * variance + max(0.0, spread))
        # Both factors of what is taken off are the same numbers: a covariance that is not
        # symmetric to the last digit is so less and less, and useless after some 20000 lessons.
        parts = [x / root for x in along]
        a, b, c, d, e, f, g, h = parts
        rows = [
            (
                keep * (p - x * a), keep * (q - x * b), keep * (r - x * c), keep * (s - x * d),
                keep * (t - x * e), keep * (u - x * f), keep * (v - x * g), keep * (w - x * h),
            )
            for x, (p, q, r, s, t, u, v, w) in zip(parts, _rows(covariance), strict=True)
        ]  # fmt: skip
        self._covariance = array("d", list(chain.from_iterable(rows)))
        return [x / root for x in parts]


def _rows(numbers: array[float]) -> Iterator[Eight]:
    """Eight by eight."""
    return cast("Iterator[Eight]", zip(*[iter(numbers)] * INPUTS, strict=True))
