"""A temperature on its way to where it settles: T(t) = E + (T₀ - E)·exp(-t/τ).

First-order heating (one thermal mass, Newton's law of cooling): under a constant load a
temperature approaches an equilibrium E exponentially, with a time constant τ. Neither is known.
For each of a few time constants the best E is a line fitted by least squares to the readings
since the load last changed; how well each fits says how likely it is. A straight line through a
temperature promises a crossing whenever something warms up; this says whether it warms that far.

It knows the load only by what it does to the temperature, and nothing of announced work.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

TIME_CONSTANTS = tuple([5.0 * 2.0**power for power in range(11)])
"""Seconds, from a bare die (5) to a sealed case (5120)."""
_FINER = (0.59, 0.7, 0.84, 1.19, 1.41, 1.68)
"""Times the best of them, tried next."""
_BLOCKS = 16
"""Readings are averaged into at most so many blocks, longer ones the longer a load lasts."""
_FEWEST = 8
_LARGEST = 1e9
_LONGEST_GAP = 600.0
"""After more seconds without a reading everything is learned anew."""
_LEAST_NOISE = 0.05
"""Readings come in steps of 0.1 or more: the standard deviation is no less, in °C."""
_LEAK, _CHANGED = 0.9, 20.0
"""Errors of one sign add up, forgetting; beyond this many deviations the load has changed."""
_KEPT = 4
"""Newest readings that are taken to belong to the new load then."""
_MISFIT = 2.0
"""Readings further from their course than this many times their noise: the oldest are dropped."""
_QUIET = 0.03
_TAIL = 0.025


class _Course(NamedTuple):
    """The best course for one time constant."""

    weight: float
    """Probability of this time constant, 0-1."""
    seconds: float
    settles_at: float
    deviation: float
    """Standard deviation of `settles_at`, the time constant being the right one."""
    value: float
    """Present value."""

    def time_to(self, limit: float) -> float:
        if self.value >= limit:
            return 0.0
        if not self.settles_at > limit:
            return math.inf
        way = (self.settles_at - self.value) / (self.settles_at - limit)
        return self.seconds * math.log(way) if way < math.inf else math.inf


class Settling:
    """Where a temperature is and where it goes, if the load stays as it is."""

    __slots__ = ("_courses", "settles_at", "value")

    def __init__(self, courses: tuple[_Course, ...]) -> None:
        self._courses = courses
        self.value = sum([one.weight * one.value for one in courses])
        """Smoothed present value."""
        self.settles_at = _quantile(sorted([(one.settles_at, one.weight) for one in courses]), 0.5)
        """Median of where it may end; far off while the course is nearly straight."""

    def after(self, seconds: float) -> float:
        """Expected value in `seconds`, 0 or more."""
        return sum(
            [
                one.weight
                * (one.settles_at + (one.value - one.settles_at) * math.exp(-seconds / one.seconds))
                for one in self._courses
            ]
        )

    def reaches(self, limit: float) -> float:
        """Probability (0-1) that it settles above `limit`."""
        likely = [
            one.weight
            * 0.5
            * math.erfc((limit - one.settles_at) / max(1e-9, one.deviation * math.sqrt(2.0)))
            for one in self._courses
        ]
        return min(1.0, sum(likely))

    def time_to(self, limit: float) -> tuple[float, float, float]:
        """Seconds until `limit` is met: the median, the earliest and the latest; `inf`: never.

        Earliest and latest leave out 2.5 % of what is possible at each end.
        """
        times = sorted([(one.time_to(limit), one.weight) for one in self._courses])
        return _quantile(times, 0.5), _quantile(times, _TAIL), _quantile(times, 1.0 - _TAIL)


def _quantile(weighted: list[tuple[float, float]], share: float) -> float:
    """Smallest of ascending figures that, with those before it, has this share of the weight."""
    passed = 0.0
    for figure, weight in weighted:
        passed += weight
        if passed >= share:
            return figure
    return weighted[-1][0]


class ThermalModel:
    """Learns from readings, regular or not, where a temperature settles. Bounded."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self._courses: tuple[_Course, ...] = ()
        self._noise = _LEAST_NOISE
        """Standard deviation of the readings, from how they bend: what warms evenly has none."""
        self._readings = 0
        self._before = (math.nan, math.nan)
        self._fitted = 0.0
        self._begin()

    def _begin(self) -> None:
        self._blocks: list[tuple[float, float]] = []
        """Mean moment and mean value of `_per_block` readings each."""
        self._per_block = 1
        self._moments = self._values = 0.0
        self._open = 0
        self._off = 0.0

    def update(self, value: float, seconds: float) -> None:
        """Take the reading of the moment `seconds`; missing and late ones are left out."""
        if not (math.isfinite(value) and math.isfinite(seconds)):
            return
        value = max(-_LARGEST, min(_LARGEST, value))
        if self._recent:
            elapsed = seconds - self._recent[-1][0]
            if not elapsed > 0.0:
                return
            if elapsed > _LONGEST_GAP:
                self._recent.clear()
                self._courses = ()
                self._begin()
        self._recent.append((seconds, value))
        self._learn_noise(value)
        if self._courses and self._has_changed(value, seconds):
            self._begin()
            for moment, earlier in self._recent:
                self._put(earlier, moment)
            self._courses = ()
        else:
            self._put(value, seconds)

    def settling(self) -> Settling | None:
        """What was learned by now; `None` before there is enough of it under the present load."""
        if not self._courses:
            return None
        passed = self._recent[-1][0] - self._fitted
        if passed <= 0.0:
            return Settling(self._courses)
        return Settling(
            tuple(
                [
                    one._replace(
                        value=one.settles_at
                        + (one.value - one.settles_at) * math.exp(-passed / one.seconds)
                    )
                    for one in self._courses
                ]
            )
        )

    def _has_changed(self, value: float, seconds: float) -> bool:
        """Whether readings left the course that was expected of them."""
        passed = seconds - self._fitted
        expected = sum(
            [
                one.weight
                * (one.settles_at + (one.value - one.settles_at) * math.exp(-passed / one.seconds))
                for one in self._courses
            ]
        )
        off = (value - expected) / self._noise
        self._off = _LEAK * self._off + max(-4.0, min(4.0, off))
        return abs(self._off) > _CHANGED

    def _learn_noise(self, value: float) -> None:
        older, last = self._before
        self._before = (last, value)
        if older == older:  # noqa: PLR0124 - nan
            # sqrt(pi / 2) / sqrt(6): standard deviation from the mean absolute second difference.
            bend = 0.5117 * abs(value - 2.0 * last + older)
            self._readings += 1
            if self._readings > _FEWEST:
                bend = min(bend, 4.0 * self._noise)
            gain = max(1.0 / self._readings, _QUIET)
            self._noise = max(_LEAST_NOISE, self._noise + gain * (bend - self._noise))

    def _put(self, value: float, seconds: float) -> None:
        self._moments += seconds
        self._values += value
        self._open += 1
        if self._open < self._per_block:
            return
        blocks = self._blocks
        blocks.append((self._moments / self._open, self._values / self._open))
        self._moments = self._values = 0.0
        self._open = 0
        if len(blocks) == _BLOCKS:
            self._blocks = blocks = [
                (0.5 * (t + after_t), 0.5 * (v + after_v))
                for (t, v), (after_t, after_v) in zip(blocks[::2], blocks[1::2], strict=True)
            ]
            self._per_block *= 2
        if len(blocks) >= _FEWEST:
            self._fit(seconds)

    def _fit(self, now: float) -> None:
        """Fit a course for each time constant and weigh them by how well they fit."""
        blocks = self._blocks
        count = len(blocks)
        middle = sum([value for _, value in blocks]) / count
        total = sum([(value - middle) ** 2 for _, value in blocks])
        constants = list(TIME_CONSTANTS)
        fits = [self._line(constant, now, middle, total) for constant in constants]
        best = constants[min(range(len(fits)), key=lambda at: fits[at][0])]
        for factor in _FINER:
            constants.append(best * factor)
            fits.append(self._line(best * factor, now, middle, total))
        least = min([fit[0] for fit in fits])
        expected = self._noise**2 / self._per_block
        variance = max(least / max(1, count - 3), expected)
        if variance > _MISFIT**2 * expected and count >= _FEWEST + 2:
            del blocks[: count // 4]
        likely = [math.exp(-0.5 * (fit[0] - least) / variance) for fit in fits]
        whole = sum(likely)
        self._courses = tuple(
            [
                _Course(weight / whole, constant, at, math.sqrt(variance * spread), at + height)
                for weight, constant, (_, at, height, spread) in zip(
                    likely, constants, fits, strict=True
                )
                if weight > 1e-3 * whole
            ]
        )
        self._fitted = now

    def _line(
        self, constant: float, now: float, middle: float, total: float
    ) -> tuple[float, float, float, float]:
        """Least squares of value = E + height·power, power = exp((now - moment) / constant).

        Returns the squared error, E, height and the variance of E in variances of a block.
        """
        blocks = self._blocks
        count = len(blocks)
        # Powers grow towards the past without bound: in units of the first they are at most 1.
        first = blocks[0][0]
        if now - first > 40.0 * constant:
            return total, middle, 0.0, 1.0 / count
        powers = [math.exp((first - moment) / constant) for moment, _ in blocks]
        mean = sum(powers) / count
        square = cross = 0.0
        for power, (_, value) in zip(powers, blocks, strict=True):
            off = power - mean
            square += off * off
            cross += off * (value - middle)
        if not square > 1e-12:
            return total, middle, 0.0, 1.0 / count
        slope = cross / square
        height = slope * math.exp((first - now) / constant)
        spread = 1.0 / count + mean * mean / square
        return max(0.0, total - slope * cross), middle - slope * mean, height, spread
