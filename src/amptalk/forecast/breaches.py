"""How likely a limit is crossed within the horizon, learned from how high peaks were.

The first guess is the share of past peaks that rose as far above the expected one as
the limit is. Such a guess is too sure of itself: it stays high after a value that
nearly crossed did not. So it is corrected by how earlier guesses on the limits that
were asked for came out, as odds on a line (Platt 1999), learned on the way (AdaGrad).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import exp, log, sqrt

from amptalk.forecast.past import Past
from amptalk.forecast.window import SortedWindow

_KEPT_SINGLE, _KEPT_DOUBLE = 96, 192
_EVERY = 2
"""Neighbouring peaks are nearly the same: every other one is kept."""
_FURTHEST = 1e30
_LIMITS = 4
"""Limits that are remembered, the last ones that were asked for."""
_DOUBT = -0.7
"""Log odds added at the start: half of the first guesses that are not sure come out."""
_PACE = 0.15
_SLOPES, _OFFSETS = (0.6, 1.5), (-4.0, 1.0)
_SILENT = 0.005
"""A guess below teaches nothing: the limit is out of reach."""
_LEAST = 1e-4


class _Claims:
    """What was guessed for a limit at the last moments, newest first."""

    __slots__ = ("guesses", "limit", "persistence")

    def __init__(self, limit: float, persistence: int) -> None:
        self.limit = limit
        self.persistence = persistence
        self.guesses = array("f")


class Breaches:
    """Peaks, one value and two in a row, and the correction of what follows from them."""

    __slots__ = (
        "_claims", "_count", "_expected", "_horizon", "_offset", "_offset_size", "_peaks",
        "_slope", "_slope_size",
    )  # fmt: skip

    def __init__(self, horizon: int) -> None:
        self._horizon = horizon
        self._peaks = (SortedWindow(_KEPT_SINGLE), SortedWindow(_KEPT_DOUBLE))
        self._expected = array("d")
        """Peaks of the paths that were expected at the last H moments, newest first."""
        self._claims: list[_Claims] = []
        self._count = 0
        self._slope, self._offset = 1.0, _DOUBT
        self._slope_size = self._offset_size = 1.0

    def probability(
        self, limit: float, persistence: int, expected: Sequence[float], spread: float
    ) -> float:
        """Probability (0-1) that a peak is above `limit`; the limit is remembered.

        `expected` are the peaks of the expected path, of one value and of two in a row.
        """
        self._remember(limit, persistence)
        return self._corrected(self._guess(limit, persistence, expected, spread))

    def _remember(self, limit: float, persistence: int) -> None:
        claims = self._claims
        for at, known in enumerate(claims):
            if known.limit == limit and known.persistence == persistence:
                if at:
                    claims.insert(0, claims.pop(at))
                return
        claims.insert(0, _Claims(limit, persistence))
        del claims[_LIMITS:]

    def _guess(
        self, limit: float, persistence: int, expected: Sequence[float], spread: float
    ) -> float:
        """Smoothed share of the peaks beyond `limit`, within (0, 1)."""
        room = limit - expected[persistence - 1]
        peaks = self._peaks[persistence - 1]
        if spread > 0.0:
            above = peaks.count_above(room / spread)
        else:
            above = 0 if room >= 0.0 else len(peaks)
        # Two made-up peaks, about as high as expected, so that there is an answer at the start.
        return (above + (0.1 if room >= 0.0 else 1.9)) / (len(peaks) + 2.0)

    def _corrected(self, guess: float) -> float:
        return 1.0 / (1.0 + exp(-self._slope * _log_odds(guess) - self._offset))

    def expect(self, peaks: tuple[float, float], spread: float) -> None:
        """Guess from the path expected now, for the limits that are remembered."""
        for known in self._claims:
            guess = self._guess(known.limit, known.persistence, peaks, spread)
            known.guesses.insert(0, guess)
            del known.guesses[self._horizon :]
        self._expected[0:0] = array("d", peaks)
        del self._expected[2 * self._horizon :]

    def learn(self, past: Past) -> None:
        """Compare how high the peaks were in the last horizon with what was expected before it.

        Called before anything is expected at the newest value.
        """
        horizon = self._horizon
        self._count += 1
        happened = peaks_of(past.values[:horizon])
        spread = past.spreads[horizon]
        if spread and self._count % _EVERY == 0:
            for peaks, was, would in zip(self._peaks, happened, self._expected[-2:], strict=True):
                peaks.add(max(-_FURTHEST, min(_FURTHEST, (was - would) / spread)))
        for known in self._claims:
            if len(known.guesses) == horizon and past.values[horizon] <= known.limit:
                crossed = happened[known.persistence - 1] > known.limit
                self._correct(known.guesses[-1], crossed=crossed)

    def _correct(self, guess: float, *, crossed: bool) -> None:
        if guess <= _SILENT:
            return
        error = self._corrected(guess) - crossed
        odds = _log_odds(guess)
        self._offset_size += error * error
        self._slope_size += (error * odds) ** 2
        offset = self._offset - _PACE * error / sqrt(self._offset_size)
        slope = self._slope - _PACE * error * odds / sqrt(self._slope_size)
        self._offset = max(_OFFSETS[0], min(_OFFSETS[1], offset))
        self._slope = max(_SLOPES[0], min(_SLOPES[1], slope))

    def clear(self) -> None:
        """Forget the guesses that can no longer come out."""
        del self._expected[:]
        for known in self._claims:
            del known.guesses[:]


def _log_odds(guess: float) -> float:
    bounded = max(_LEAST, min(1.0 - _LEAST, guess))
    return log(bounded / (1.0 - bounded))


def peaks_of(path: Sequence[float]) -> tuple[float, float]:
    """Highest level that one value and that two values in a row reach."""
    return max(path), max(map(min, path, path[1:]))
