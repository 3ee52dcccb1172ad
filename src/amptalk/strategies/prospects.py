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
from amptalk.strategies.demand import Stretch

LIKELY = 0.5
"""A breach this probable is expected: it gets a time, and counts as a warning."""
LOOKAHEAD = 60.0
"""Seconds ahead in which known demand counts for the probability, beyond the horizon too."""
_SHORTEST = 2
"""Steps over the limit that make a breach."""
_BELIEVED = 1.0
"""Growth is believed to last as long again as it has lasted, times this: nothing grows for ever,
and something that rose for a minute says nothing of the next hour."""
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

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = math.inf

    def believed(self, now: float, seconds: float, step: float) -> bool:
        """Whether a limit met in `seconds` (`inf`: no growth) at the present growth will be met."""
        if seconds == math.inf:
            self._since = math.inf
            return False
        self._since = min(self._since, now - _FIRST_SEEN * step)
        return seconds <= _BELIEVED * (now - self._since)


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
    path = []
    at, moment = 0, 0.0
    for value in mean:
        moment += step
        while stretches[at].ends < moment:
            at += 1
        one = stretches[at]
        path.append(value + one.amount if one.begins <= until else value)
    highest = max(map(min, path, path[1:]))
    for one in stretches[at + 1 :]:
        if one.begins > until:
            break
        level = mean[-1] + one.amount
        if level > highest and one.ends - one.begins >= _SHORTEST * step:
            highest = level
            within = one.begins + _SHORTEST * step
    shift = highest - max(map(min, mean, mean[1:]))
    return forecast.breach_probability(limit - shift), max(highest, *path), within


def time_to(forecast: Forecast, stretches: Sequence[Stretch], limit: float) -> tuple[float, bool]:
    """Seconds until the limit is met, and whether known demand is what meets it."""
    alone = forecast.time_to(limit).seconds
    for one in stretches:
        if one.begins >= alone:
            break
        if not one.amount:
            continue
        seconds = max(one.begins, forecast.time_to(limit - one.amount).seconds)
        if seconds < one.ends:
            return seconds, True
    return alone, False


def prospect_of(  # noqa: PLR0917 - everything that is known of a limit
    forecast: Forecast,
    stretches: Sequence[Stretch],
    settling: Settling | None,
    growth: Growth,
    now: float,
    value: float,
    limit: float,
) -> Prospect:
    """Everything that is known of one limit, put together."""
    step = forecast.step
    probability, highest, within = probability_of(forecast, stretches, limit, LOOKAHEAD)
    seconds, known = time_to(forecast, stretches, limit)
    if settling is not None and not known:
        seconds = settling.time_to(limit)[0] if settling.reaches(limit) >= LIKELY else math.inf
        believed = seconds < math.inf
    else:
        believed = growth.believed(now, math.inf if known else seconds, step)
    if value > limit:
        seconds, cause = 0.0, "over"
    elif known and probability >= LIKELY:
        cause = "known"
    elif believed:
        cause = "growth" if settling is None else "warming"
    elif probability >= LIKELY:
        seconds, cause = min(seconds, within), "chance"
    else:
        seconds, cause = math.inf, ""
    return Prospect(probability, within, seconds, highest, forecast.slope, cause)


def claim_of(forecast: Forecast, stretches: Sequence[Stretch], within: float) -> Claim:
    """The forecast with its known demand, in the form in which it can be checked later."""
    low, high = forecast.interval(0.9)
    mean, step = forecast.mean, forecast.step
    horizon = len(mean) * step
    soon = late = 0.0
    for one in stretches:
        if one.begins < step:
            soon = one.amount
        if one.begins < horizon:
            late = one.amount
    return Claim(
        step,
        Band(low[0] + soon, mean[0] + soon, high[0] + soon),
        horizon,
        Band(low[-1] + late, mean[-1] + late, high[-1] + late),
        within,
    )
