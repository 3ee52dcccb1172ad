"""Forecast one series as it comes: regular or not, with gaps, of any unit and size.

Readings are put on a fixed grid, so that a faster tick does not shorten what is
looked ahead. It forecasts a single series from its own past; what is announced is
added by the strategy that knows of it.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise

from amptalk.forecast.errors import Errors
from amptalk.forecast.holt import DampedHolt
from amptalk.forecast.line import Line
from amptalk.forecast.median import RunningMedian
from amptalk.forecast.mixture import Mixture
from amptalk.forecast.result import Forecast, Growth, peak
from amptalk.model.errors import ConfigurationError

_PRIORS = (0.46, 0.18, 0.18, 0.18)
"""Last value, damped Holt, line, median."""
_FIRST = 5
"""Readings whose median spacing becomes the grid."""
_LARGEST = 1e100
"""Larger values are taken as this, so that no sum or product overflows."""
_KEPT_ERRORS = 64
_FAR_EVERY = 4
_KEPT_PEAKS = 192


class Forecaster:
    """Learns a series one reading at a time and predicts its next `horizon` steps.

    `horizon`: steps ahead, 2-120. `period`: seconds of a step; without it the median
    spacing of the first readings.
    """

    def __init__(self, horizon: int = 12, period: float | None = None) -> None:
        if isinstance(horizon, bool) or not isinstance(horizon, int) or not 2 <= horizon <= 120:
            raise ConfigurationError(f"horizon={horizon!r} is out of range: give 2 to 120 steps")
        if period is not None and not 0.0 < period < math.inf:
            raise ConfigurationError(f"period={period!r} is out of range: give seconds above 0")
        self._horizon = horizon
        self._anchors = sorted({1, max(2, horizon // 4), max(2, horizon // 2), horizon})
        self._step = period
        self._first: list[tuple[float, float]] = []
        self._origin = 0.0
        self._cell = -1
        self._latest = math.nan
        self._value = math.nan
        self._last_seconds = -math.inf
        self._usual = 0.0
        self._recent_usual = 0.0
        self._count = 0
        self._errors = (Errors(_KEPT_ERRORS), Errors(_KEPT_ERRORS))
        self._peaks = (Errors(_KEPT_PEAKS), Errors(_KEPT_PEAKS))
        self._restart()

    def update(self, value: float, seconds: float) -> None:
        """Take the reading `value` of the moment `seconds`.

        A missing value (`nan`, infinite) is a gap, filled by a straight line when it is
        shorter than the horizon. A reading that is not later than the one before is
        left out.
        """
        if not math.isfinite(value) or not seconds > self._last_seconds or seconds == math.inf:
            return
        value = max(-_LARGEST, min(_LARGEST, float(value)))
        self._last_seconds = seconds
        self._latest = value
        if self._cell >= 0:
            self._place(value, seconds)
            return
        self._first.append((value, seconds))
        if self._step is None and len(self._first) < _FIRST:
            return
        if self._step is None:
            self._step = self._median_spacing()
        self._origin = self._first[0][1]
        self._cell = 0
        self._learn(self._first[0][0])
        for earlier, moment in self._first[1:]:
            self._place(earlier, moment)
        self._first.clear()

    def forecast(self) -> Forecast:
        """What is to be expected now, as far as anything was seen."""
        moved = self._latest - self._value if self._cell >= 0 else 0.0
        if self._cell < 0:
            mean = (self._latest,) * self._horizon
            step = self._median_spacing() if len(self._first) > 1 else math.nan
        else:
            mean = tuple([value + moved for value in self._path]) if moved else tuple(self._path)
            step = self._step if self._step is not None else math.nan
        line = self._line
        growth = Growth(line.level + moved, line.slope, line.slope_deviation(), line.deviation)
        return Forecast(self._latest, mean, step, self._scale, growth, self._errors, self._peaks)

    def _median_spacing(self) -> float:
        times = [seconds for _, seconds in self._first]
        return sorted([b - a for a, b in pairwise(times)])[(len(times) - 1) // 2]

    def _restart(self) -> None:
        """Forget the series but not how wrong forecasts of it were."""
        self._line = Line(self._anchors)
        experts = (DampedHolt(self._anchors), self._line, RunningMedian(self._anchors))
        self._mixture = Mixture(self._anchors, experts, _PRIORS)
        self._values: deque[float] = deque(maxlen=self._horizon)
        # Newest first: value, scale, next, last, peak of one and of two in a row.
        self._made: deque[tuple[float, ...]] = deque(maxlen=self._horizon)
        self._path: list[float] = []

    @property
    def _scale(self) -> float:
        return 0.8 * self._usual + 0.25 * self._recent_usual

    def _place(self, value: float, seconds: float) -> None:
        """Put a reading into its cell and fill the ones it skipped."""
        step = self._step or 1.0
        position = (seconds - self._origin) / step
        cell = round(position)
        skipped = cell - self._cell - 1
        if skipped < 0:
            return
        if skipped >= self._horizon:
            self._restart()
        else:
            before = self._value
            for i in range(1, skipped + 1):
                self._learn(before + (value - before) * i / (skipped + 1))
        # The grid follows slowly, or a sampler that is 0.1 % slow would skip a cell now and then.
        self._origin += 0.1 * (position - cell) * step
        self._cell = cell
        self._learn(value)

    def _learn(self, value: float) -> None:
        if self._path:
            change = abs(value - self._value)
            self._count += 1
            gain = 1.0 / self._count
            self._usual += max(gain, 0.005) * (change - self._usual)
            self._recent_usual += max(gain, 0.1) * (change - self._recent_usual)
        self._value = value
        values, made = self._values, self._made
        values.append(value)
        if made:
            self._errors[0].add(value - made[0][2], made[0][1])
            if len(made) == self._horizon:
                _, scale, _, last, single, double = made[-1]
                happened = list(values)
                # Neighbouring errors of a long horizon are nearly the same one.
                if not self._count % _FAR_EVERY:
                    self._errors[1].add(value - last, scale)
                self._peaks[0].add(max(happened) - single, scale)
                self._peaks[1].add(peak(happened, 2) - double, scale)
        scale = self._scale
        path = self._spread(value, self._mixture.update(value, scale))
        made.appendleft((value, scale, path[0], path[-1], max(path), peak(path, 2)))
        self._path = path

    def _spread(self, value: float, offsets: list[float]) -> list[float]:
        """Path through the anchors, straight between them."""
        path = []
        before, height = 0, 0.0
        for anchor, offset in zip(self._anchors, offsets, strict=True):
            rise = (offset - height) / (anchor - before)
            path.extend([value + height + rise * i for i in range(1, anchor - before + 1)])
            before, height = anchor, offset
        return path
