"""Forecast one series as it comes: regular or not, with gaps, of any unit and size.

Readings are put on a fixed grid (`grid`), described (`past`), shown to experts
(`experts`), whose expectations are weighed (`mixture`); how wrong that was makes
intervals (`intervals`) and probabilities (`breaches`); lines through the recent
values tell when a far limit is met (`trend`). It forecasts a single series from its own past;
what is announced is added by the strategy that knows of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite, nan

from amptalk.forecast.breaches import Breaches, peaks_of
from amptalk.forecast.experts.contract import Expert
from amptalk.forecast.experts.team import LAST_VALUE, TEAM, Member
from amptalk.forecast.grid import Grid
from amptalk.forecast.intervals import Intervals
from amptalk.forecast.mixture import Mixture
from amptalk.forecast.past import Past
from amptalk.forecast.result import Forecast, Growth
from amptalk.forecast.trend import Trend
from amptalk.model.errors import ConfigurationError

_LARGEST = 1e100
"""Larger values are taken as this, so that no sum or product overflows."""
_ALWAYS = 1e15
"""Seconds: times beyond are none (thirty million years; a double still tells tenths there)."""


class Forecaster:
    """Learns a series one reading at a time and predicts its next `horizon` steps.

    `horizon`: steps ahead, 2-120. `period`: seconds of a step; without it the median
    spacing of the first readings. `team`: the experts that are asked. Time and memory
    grow with the horizon. Not thread-safe.
    """

    def __init__(
        self, horizon: int = 12, period: float | None = None, team: Sequence[Member] = TEAM
    ) -> None:
        if isinstance(horizon, bool) or not isinstance(horizon, int) or not 2 <= horizon <= 120:
            raise ConfigurationError(f"horizon={horizon!r} is out of range: give 2 to 120 steps")
        if period is not None and not 0.0 < period < inf:
            raise ConfigurationError(f"period={period!r} is out of range: give seconds above 0")
        self._horizon = horizon
        self._team = tuple(team)
        self._experts: tuple[Expert, ...] = ()
        self._grid = Grid(period, horizon)
        self._latest = nan
        self._last_seconds = -_ALWAYS
        self._past = Past(horizon)
        self._trend = Trend()
        self._mixture = Mixture(horizon, [LAST_VALUE, *[member.prior for member in team]])
        self._intervals = Intervals(horizon)
        self._breaches = Breaches(horizon)
        self._path: list[float] = []

    def update(self, value: float, seconds: float) -> None:
        """Take the reading `value` of the moment `seconds`.

        A missing value (`nan`, infinite) is a gap, filled by a straight line when it is
        shorter than the horizon. A reading that is not later than the one before is
        left out, as is one whose time is no time (`nan`, beyond 1e15).
        """
        if not isfinite(value) or not self._last_seconds < seconds < _ALWAYS:
            return
        value = max(-_LARGEST, min(_LARGEST, float(value)))
        self._last_seconds = seconds
        self._latest = value
        grid = self._grid
        values = grid.place(value, seconds)
        if values is None:
            self._resume()
            values = (value,)
        begun = grid.seconds - (len(values) - 1) * grid.step
        for i, cell in enumerate(values):
            self._learn(cell, begun + i * grid.step)

    def forecast(self) -> Forecast:
        """What is to be expected now, as far as anything was seen."""
        past = self._past
        moved = self._latest - past.values[0] if past.values else 0.0
        path = self._path or (self._latest,) * self._horizon
        line = self._trend.surest()
        return Forecast(
            self._latest,
            tuple([value + moved for value in path] if moved else path),
            self._grid.guess(),
            past.spreads[0] if past.values else 0.0,
            Growth(line.level + moved, line.slope, line.slope_deviation, line.deviation),
            self._intervals,
            self._breaches,
        )

    def _resume(self) -> None:
        """Go on after a long gap: what was learned holds, where the series was does not."""
        self._past.clear()
        self._mixture.clear()
        self._breaches.clear()
        self._trend = Trend()

    def _learn(self, value: float, seconds: float) -> None:
        past, mixture = self._past, self._mixture
        past.add(value, seconds)
        self._trend.update(value)
        scale = past.scales[0]
        if mixture.full:
            self._judge(value)
        columns: list[Sequence[float]] = []
        if scale:
            if not self._experts:
                step = self._grid.step
                self._experts = tuple([one.make(self._horizon, step) for one in self._team])
            columns = [expert.update(past) for expert in self._experts]
        self._path = path = [value + scale * offset for offset in mixture.combine(columns)]
        self._breaches.expect(peaks_of(path), past.spreads[0])

    def _judge(self, value: float) -> None:
        """Compare what came with what was expected of it at each of the moments before."""
        past, mixture = self._past, self._mixture
        mixture.learn(past)
        self._intervals.learn(
            [
                # What never changed made no claim on how far it may go.
                (value - before - scale * offset) / spread if spread else 0.0
                for before, scale, spread, offset in zip(
                    past.values[1:], past.scales[1:], past.spreads[1:], mixture.said_of_now(),
                    strict=True,
                )
            ]
        )  # fmt: skip
        self._breaches.learn(past)
