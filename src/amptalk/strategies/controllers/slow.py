"""Control of what answers within minutes: memory and temperatures.

The share sets how fast the level moves: slope += speed · change of the share. An observer
follows level and slope (an alpha-beta filter with the own moves as a known input), learns the
speed from them, and the share is set so that the level comes to the guard band without
crossing it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from amptalk.strategies.controllers.contract import Controller, followed_spread

_GUARD = 0.004
_GUARD_ERRORS = 1.2
"""Guard band in standard errors of the filtered level, on top of `_GUARD` (log)."""
_SECONDS_DOWN, _SECONDS_UP = 8.0, 20.0
"""Time to come to the guard band from above and from below it …"""
_READINGS_DOWN, _READINGS_UP = 1.0, 4.0
"""… but not less than so many readings."""
_LARGEST_CUT, _LARGEST_RAISE = -0.4, 0.05
"""Moves at a reading, of readings a second apart or more; in proportion where they come faster,
but …"""
_URGENT = 0.25
"""… a cut not less than this part: what is beyond its limit cannot wait."""
_NEVER_CUT_BELOW = math.log(0.5)
"""A level below half of its limit is no reason to cut."""
_DEADBAND = 0.01
_DEADBAND_ERRORS = 1.5
"""Moves below so many standard errors of the slope, turned into share, are noise."""
_GAIN, _LEAST_GAIN = 0.3, 0.06
"""Of the filter, at a reading a second or less; lower where readings come faster."""
_ALERT_GAIN = 0.7
"""The gain while errors add up to one side: the slope has changed."""
_ALERT, _ALERT_MEMORY, _ALERT_CLIP = 4.0, 0.75, 3.0
_JUMP = 16.0
"""Squared error, in spreads, from which the level leapt: its slope did not."""
_ENDED, _ENDED_READINGS = 0.25, 2
"""A surge ends when readings in a row grow by less than this part of what it made of the slope."""
_TOLD = 2.0
"""… and what it made of the slope is worth so many spreads a reading: own cuts did not end it."""
_LONGEST_SURGE = 30.0
"""Seconds; what grows for longer is the load."""
_CAUSED = 60.0
"""Seconds after a share came back in which a surge counts as the answer to it."""
_YOUNG = 90
_SPREAD_YOUNG, _SPREAD_STEP = 0.1, 0.03
_NARROWEST, _WIDEST = 0.0015, 0.1
_SPEED, _LEAST_SPEED, _MOST_SPEED = 0.015, 0.003, 0.06
"""Log level a second that a log of share is worth."""
_DOUBT = 3e-5
"""Variance of the speed at first, and at most."""
_FORGETTING = 0.995
_FIRST_SLOPE = 0.1
"""A second; a first value beyond the limit counts as growing so."""


class _Surge(NamedTuple):
    """A growth in leaps, such as a model that is loaded: what was before it."""

    share: float
    """Log."""
    slope: float
    begun: float
    """Monotonic seconds."""


class SlowController(Controller):
    """Leads the level to its guard band and holds it there."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = 0.0
        """Log a second, with what was decided last in force."""
        self.spread = 0.005
        """Of a reading about the expected one (log): 68 % are within it."""
        self.speed = _SPEED
        self._doubt = _DOUBT
        self._level_by_speed = self._slope_by_speed = 0.0
        """Derivatives of the expected level and slope by the speed."""
        self._move = 0.0
        self._alert = 0.0
        self._leapt = 0
        """1 or -1 when the last reading was a leap."""
        self._readings = 0
        self._seen = self._rate = 0.0
        """The last reading, and its growth a second since the one before."""
        self._surge: _Surge | None = None
        self._ending = 0
        """Readings in a row that did not grow as the surge did."""
        self._back_to = -math.inf
        """The log share up to which what a surge took may come back at once."""
        self._came_back = -math.inf

    def _begin(self, level: float) -> None:
        self.level = self._seen = level
        if level > 0.0:
            # Taken as normal, coming down from it would raise the share again.
            self.slope = _FIRST_SLOPE

    def shift(self, by: float) -> None:
        """Levels are told on another scale from now on, `by` (log) above that until now."""
        self.level += by
        self._seen += by

    def _decide(self, now: float, elapsed: float) -> float:
        gain = _gain(_GAIN, elapsed, _LEAST_GAIN)
        noise = self.spread * math.sqrt(gain)
        self.noise_guard = self.caution * _GUARD_ERRORS * noise
        self.guard = _GUARD + self.noise_guard + self._learned
        room = -self.guard - self.level
        if room < 0.0:
            wanted = room / max(_SECONDS_DOWN, _READINGS_DOWN * elapsed)
        else:
            wanted = room / max(_SECONDS_UP, _READINGS_UP * elapsed)
        move = (wanted - self.slope) / self.speed
        jitter = self.spread * _slope_gain(gain, elapsed) / self.speed
        if abs(move) < _DEADBAND + _DEADBAND_ERRORS * jitter and not (move < 0.0 < self.level):
            move = 0.0
        if move < 0.0 and self.level < _NEVER_CUT_BELOW:
            move = 0.0
        part = min(1.0, elapsed)
        most = _LARGEST_RAISE * part
        if self._back_to > self._log_share + most and move > most:
            most, self._came_back = self._back_to - self._log_share, now
        self._back_to = -math.inf
        move = min(most, max(_LARGEST_CUT * max(_URGENT, part), move))
        return self._log_share + move

    def _held_back(self, now: float) -> None:
        """Nothing to do: the move that is put in force counts."""

    def _decided(self, now: float, log_share: float) -> None:  # noqa: ARG002
        self._move = log_share - self._log_share

    def _observe(self, now: float, level: float, elapsed: float) -> None:
        self._readings += 1
        self._rate, self._seen = (level - self._seen) / elapsed, level
        if self._surge is not None and self._surge_ended(now, elapsed, self._surge):
            return
        gain = _gain(_GAIN, elapsed, _LEAST_GAIN)
        self._learn_guard(level, elapsed)
        self.slope += self.speed * self._move
        self._slope_by_speed += self._move
        expected = self.level + self.slope * elapsed
        by_speed = self._level_by_speed + self._slope_by_speed * elapsed
        error = level - expected
        self.error = math.exp(level) - math.exp(expected)
        spreads = error / self.spread
        self._learn_spread(spreads)
        leapt, self._leapt = self._leapt, 0
        if spreads * spreads > _JUMP:
            self._leapt = 1 if spreads > 0.0 else -1
            if leapt != self._leapt:  # once is a leap, twice is a slope
                self.level = level
                self._level_by_speed = self._alert = 0.0
                return
            if leapt > 0 and self._surge is None:
                self._surge = _Surge(self._log_share, self.slope, now)
        clipped = min(_ALERT_CLIP, max(-_ALERT_CLIP, spreads))
        self._alert = _ALERT_MEMORY * self._alert + clipped
        alert = abs(self._alert) > _ALERT or self._leapt != 0
        if alert:
            gain = _gain(_ALERT_GAIN, elapsed, 2.0 * gain)
        slope_gain = _slope_gain(gain, elapsed)
        self.level = expected + gain * error
        self.slope += slope_gain * error
        if not alert:  # what changed then is the load, which own moves only followed
            self._learn_speed(error, by_speed)
        self._level_by_speed = (1.0 - gain) * by_speed
        self._slope_by_speed -= slope_gain * by_speed

    def _surge_ended(self, now: float, elapsed: float, surge: _Surge) -> bool:
        """Whether it is over; then the slope and, unless it caused the surge, the share come back.

        What was cut for a growth that then ended by itself is not needed. Whether it did is seen
        by trying: a surge soon after is the answer, and what is cut for that comes back slowly.
        """
        made = self.slope - surge.slope
        if made <= 0.0 or now - surge.begun > _LONGEST_SURGE:
            self._surge = None
            return False
        grows = self._rate >= surge.slope + _ENDED * made or made * elapsed < _TOLD * self.spread
        self._ending = 0 if grows else self._ending + 1
        if self._ending < _ENDED_READINGS:
            return False
        self.level = self._seen
        self.slope = surge.slope + self.speed * (self._log_share - surge.share)
        self.error = self._level_by_speed = self._alert = 0.0
        self._leapt = self._ending = 0
        self._surge = None
        if surge.begun - self._came_back > _CAUSED:
            self._back_to = surge.share
        return True

    def _learn_spread(self, spreads: float) -> None:
        step = _SPREAD_YOUNG if self._readings < _YOUNG else _SPREAD_STEP
        spread = followed_spread(self.spread, spreads, step)
        self.spread = min(_WIDEST, max(_NARROWEST, spread))

    def _learn_speed(self, error: float, by_speed: float) -> None:
        """Recursive prediction error (Ljung and Söderström, 1983), bounded."""
        bound = 2.5 * self.spread
        variance = 4.0 * self.spread * self.spread + by_speed * by_speed * self._doubt
        weight = self._doubt * by_speed / variance
        speed = self.speed + weight * min(bound, max(-bound, error))
        self.speed = min(_MOST_SPEED, max(_LEAST_SPEED, speed))
        self._doubt = min(_DOUBT, (1.0 - weight * by_speed) * self._doubt / _FORGETTING)


def _gain(per_second: float, elapsed: float, least: float) -> float:
    """A gain for readings `elapsed` seconds apart, of one that is for a second."""
    if elapsed >= 1.0:
        return per_second
    return float(max(least, 1.0 - (1.0 - per_second) ** elapsed))


def _slope_gain(gain: float, elapsed: float) -> float:
    """The gain of the slope that belongs to one of the level (critically damped alpha-beta)."""
    return gain * gain / (2.0 - gain) / elapsed
