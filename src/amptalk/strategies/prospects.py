"""Put together what is expected of one limit: forecast, known demand, heating, growth.

Answers how probable a breach is, when it comes and what causes it. Whether to act on it is
decided in `costs` and done in `predictive`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from amptalk.forecast.result import Forecast
from amptalk.forecast.thermal import Settling
from amptalk.model.decision import Band, Claim
from amptalk.model.resource import Kind
from amptalk.strategies.demand import Stretch

LIKELY = 0.5
"""A breach this probable is expected: it gets a time, and counts as a warning."""
LOOKAHEAD: dict[Kind, float] = {"rate": 0.0, "hold": 60.0, "temperature": 60.0}
"""Seconds ahead in which known demand counts for the probability, beyond the horizon too. What a
rate will be beyond it is not known, whatever comes on top."""
_SHORTEST = 2
"""Steps over the limit that make a breach."""
_BELIEVED = 1.0
"""Growth is believed to last as long again as it has lasted, times this: nothing grows for ever,
and something that rose for a minute says nothing of the next hour."""
_STILL = 0.5
"""Part of the slope that must be seen in the newer half of the time, too."""
_FIRST_SEEN = 8
"""Steps that it takes to see growth at all."""


class Prospect(NamedTuple):
    """What is expected of one limit if no more is held back than now."""

    probability: float
    """Of a breach within `within` seconds, 0-1."""
    within: float
    seconds: float
    """Until the limit is met; 0 when over, `inf` when that is not to be expected."""
    value: float
    """Highest expected value within the horizon and the known demand."""
    slope: float
    """Growth per second along the recent values."""
    cause: str
    """`over`, `known`, `growth`, `warming`, `chance`, or empty when nothing is expected."""


class Growth:
    """Believes growth the further ahead the longer it lasts."""

    __slots__ = ("_latest", "_middle", "_since")

    def __init__(self) -> None:
        self._since = math.nan
        self._middle = self._latest = (0.0, 0.0)

    def believed(self, now: float, value: float, slope: float, seconds: float, step: float) -> bool:
        """Whether a limit will be met in `seconds` (`inf`: no growth), at `slope` a second.

        A level that leapt and stays looks like growth to a line for a while. So at least half
        of the slope must be seen in the newer half of the time as well.
        """
        if seconds == math.inf:
            self._since = math.nan
            return False
        if math.isnan(self._since):
            self._since = now - _FIRST_SEEN * step
            self._middle = self._latest = (now, value)
        latest = self._latest[0]
        if now - latest >= latest - self._since:
            self._middle, self._latest = self._latest, (now, value)
        moment, before = self._middle
        grown = value - before >= _STILL * slope * (now - moment)
        return grown and seconds <= _BELIEVED * (now - self._since)


def probability_of(
    forecast: Forecast, stretches: Sequence[Stretch], limit: float, until: float
) -> tuple[float, float, float]:
    """Probability of a breach with the known demand that begins before `until` seconds.

    Also the highest expected value, and the seconds for which the probability holds. Known
    demand moves the expected path, and with it the peak that past peaks are compared with.
    """
    mean, step = forecast.mean, forecast.step
    within = len(mean) * step
    if not stretches:
        return forecast.breach_probability(limit), max(mean), within
    path: list[float] = []
    at, moment = 0, 0.0
    one = stretches[0]
    for value in mean:
        moment += step
        while one.ends < moment:
            at += 1
            one = stretches[at]
        if one.begins > until:
            path.append(value)
        elif one.taking:
            path.append(_level(forecast, value, one))
        else:
            path.append(value + one.amount)
    highest = max(map(min, path, path[1:]))
    for one in stretches[at:]:
        if one.begins > until:
            break
        level = _level(forecast, mean[-1], one)
        if level > highest and one.ends >= max(moment, one.begins) + _SHORTEST * step:
            highest = level
            within = max(within, one.begins + _SHORTEST * step)
    shift = highest - max(map(min, mean, mean[1:]))
    probability = forecast.breach_probability(limit - shift)
    if highest > limit:
        # Even before there were errors to learn from: the expected path itself crosses it.
        probability = max(probability, LIKELY)
    return probability, max(highest, *path), within


def _level(forecast: Forecast, mean: float, stretch: Stretch) -> float:
    """Expected value with known demand, where the forecast alone expects `mean`."""
    if stretch.taking:
        # From the value itself: a path may lead back from what was taken just now.
        # On the value itself: a path may lead back from what was taken just now.
        mean = max(mean, forecast.value + stretch.taking)
    return mean + stretch.amount


def time_to(forecast: Forecast, stretches: Sequence[Stretch], limit: float) -> tuple[float, bool]:
    """Seconds until the limit is met, and whether known demand is what meets it."""
    alone = forecast.time_to(limit)
    for one in stretches:
        if one.begins >= alone:
            break
        if not one.whole:
            continue
        seconds = max(one.begins, forecast.time_to(limit - one.whole))
        if seconds < one.ends:
            return seconds, True
    return alone, False


def prospect_of(  # noqa: PLR0917 - everything that is known of a limit
    kind: Kind,
    forecast: Forecast,
    stretches: Sequence[Stretch],
    settling: Settling | None,
    growth: Growth,
    now: float,
    value: float,
    limit: float,
    was: str,
    *,
    violated: bool,
) -> Prospect:
    """Everything that is known of one limit, put together; `was` is the cause the last time."""
    step = forecast.step
    until = max(LOOKAHEAD[kind], len(forecast.mean) * step)
    probability, highest, within = probability_of(forecast, stretches, limit, until)
    seconds, known = time_to(forecast, stretches, limit)
    if settling is not None and not known:
        seconds, _, latest = settling.time_to(limit)
        believed = latest < math.inf
    else:
        alone = math.inf if known else seconds
        believed = growth.believed(now, forecast.value, forecast.slope, alone, step)
        if seconds < within:  # so near, the forecast knows better
            believed = believed and probability >= LIKELY
    if value > limit:
        # One value beyond may be noise; that it stays there is a violation.
        seconds, cause = 0.0, "over" if violated else was
    elif known and probability >= LIKELY:
        cause = "known"
    elif believed:
        cause = "growth" if settling is None else "warming"
    elif probability >= LIKELY:
        seconds, cause = min(seconds, within), "chance"
    else:
        # A chance is let go at half of what it took, so that reasons do not flicker.
        stays = was == "chance" and probability >= 0.5 * LIKELY
        seconds, cause = math.inf, "chance" if stays else ""
    return Prospect(probability, within, seconds, highest, forecast.slope, cause)


def claim_of(forecast: Forecast, stretches: Sequence[Stretch], within: float) -> Claim:
    """The forecast with its known demand, in the form in which it can be checked later."""
    low, high = forecast.interval(0.9)
    mean, step = forecast.mean, forecast.step
    horizon = len(mean) * step
    soon, late = mean[0], mean[-1]
    for one in stretches:
        if one.begins < step:
            soon = _level(forecast, mean[0], one)
        if one.begins < horizon:
            late = _level(forecast, mean[-1], one)
    return Claim(
        step,
        Band(soon + low[0] - mean[0], soon, soon + high[0] - mean[0]),
        horizon,
        Band(late + low[-1] - mean[-1], late, late + high[-1] - mean[-1]),
        within,
    )
