"""What a noisy, late reading says of a quantity that follows its load within seconds.

The level is what the load asks for at the present share, seen through a sensor that is some
readings late and follows with a lag:

    level += pace · (elasticity · share + load − level)

in logs, so that `load` is the level that full work would lead to. How late and how slow is
told by a `Response`; which one fits is found in `responses`. Nothing is decided here.
"""

from __future__ import annotations

import math
from collections import deque

from amptalk.strategies.controllers.contract import followed_spread, log_of

REMEMBERED = 12
"""Shares of the last readings that are kept; a response is later by less than that."""
JUMP = 16.0
"""Squared error, in spreads, from which a reading is a change of load and no noise."""
_FULL_PACE = 0.33
"""A change of load is extrapolated from its first reading by at most 1 / this."""
_FAST = 0.3
"""Pace from which the load is corrected in proportion; a slower one would amplify noise."""
_SETTLED = 6
"""Readings after a jump until what is left is noise."""
_FIRST = 3
"""Readings that are taken as they are: before, nothing can be expected."""
_YOUNG = 60
"""Readings after which spread is learned slowly."""
_SPREAD_STEPS = {"young": 0.1, "calm": 0.05, "restless": 0.01}
_NARROWEST, _WIDEST = 0.002, 0.3
_LEAST_GAIN, _MOST_GAIN, _GAIN_STEP = 0.06, 0.6, 0.03
_DRIFT_MEMORY = 0.85
"""Part of the drift that is left after a second."""
_DISTURBS = 0.01
"""Own moves of a smaller effect (log) leave errors as they are."""
_FLATTEST, STEEPEST = 0.4, 3.0
"""Elasticities are between these."""
_KNOWN, _DOUBT = 3, 1.5
"""From so many lessons on an elasticity is hardly more than this times larger than thought."""


class Response:
    """One idea of how a reading follows the share, and what it makes of the readings."""

    __slots__ = ("cost", "delay", "level", "load", "pace", "per_second", "since_jump")

    def __init__(self, delay: int, per_second: float) -> None:
        """Begin without a level.

        `delay`: readings from a decision to its first effect; `per_second`: part of the way to
        a new level that is gone in a second, in (0, 1).
        """
        self.delay = delay
        self.per_second = per_second
        self.pace = per_second
        """The same for the present time between readings."""
        self.level = 0.0
        self.load = 0.0
        self.since_jump = 99
        """Readings since the load changed."""
        self.cost = 0.0
        """Squared errors after own moves; see `responses`."""

    def timed(self, elapsed: float) -> None:
        """Readings come `elapsed` seconds apart from now on."""
        self.pace = 1.0 - (1.0 - self.per_second) ** elapsed

    def begin(self, level: float, effect: float) -> None:
        """Take a level as it is; `effect` is elasticity · share."""
        self.level, self.load = level, level - effect

    def shift(self, by: float) -> None:
        """Levels are told on another scale from now on."""
        self.level += by
        self.load += by

    def take(self, level: float, effect: float, gain: float, spread: float) -> float:
        """Correct by a reading and return its error in spreads.

        `effect`: elasticity · share behind this reading. Errors count in parts of the limit,
        because noise does not shrink with the level.
        """
        pace = self.pace
        expected = self.level + pace * (effect + self.load - self.level)
        seen = math.exp(level)
        error = (seen - math.exp(expected)) / spread
        if error * error > JUMP:
            before = math.exp(self.level)
            heading = before + (seen - before) / max(pace, _FULL_PACE)
            self.load = log_of(heading) - effect
            self.level = level
            self.since_jump = 0
        else:
            self.since_jump += 1
            if self.since_jump < _SETTLED:
                gain = max(gain, 1.0 / (1.0 + self.since_jump))
            left = level - expected
            self.level = expected + gain * left
            weight = gain if pace >= _FAST else max(gain * gain / (2.0 - gain), gain * pace)
            self.load += weight / pace * left
        return error


class Observer:
    """Follows one level, learns its noise and how strongly it answers to the share."""

    def __init__(self) -> None:
        self.response = Response(2, 0.65)
        """The one believed in now."""
        self.elasticity = 1.0
        """Log level that a log of share is worth, once it has shown."""
        self._lessons = 0
        """Answers that it was learned from."""
        self.spread = 0.02
        """Of a reading about the expected one, in parts of the limit: 68 % are within it."""
        self.jumped = 0
        """1 or -1 when the last reading told of more or less load, else 0."""
        self.elapsed = 1.0
        """Seconds from reading to reading."""
        self.shares: deque[float] = deque([0.0] * REMEMBERED, maxlen=REMEMBERED)
        """Logs, by reading; the last is in force."""
        self.drift = 0.0
        """Change of the load in a second (log), while nothing leaps."""
        self._gain = 0.4
        self._error = 0.0
        self._readings = 0
        self._moved_at = -math.inf

    @property
    def level(self) -> float:
        """Filtered log level, as the sensor tells it."""
        return self.response.level

    @property
    def load(self) -> float:
        """Log level that full work would lead to."""
        return self.response.load

    @property
    def steepest(self) -> float:
        """The elasticity is hardly larger than this."""
        known = self._lessons >= _KNOWN
        return min(STEEPEST, _DOUBT * self.elasticity) if known else STEEPEST

    @property
    def settled_load(self) -> bool:
        """Whether what a jump led to is known by now."""
        return self.response.since_jump > _FIRST

    @property
    def gain(self) -> float:
        """Part of a reading's error that is believed."""
        return self._gain

    @property
    def error(self) -> float:
        """Standard error of the filtered level."""
        return self.spread * math.sqrt(self._gain)

    @property
    def delay(self) -> float:
        """Seconds from a decision to its first effect."""
        return self.response.delay * self.elapsed

    @property
    def settling(self) -> float:
        """Seconds from a decision until most of its effect shows."""
        time_constant = -1.0 / math.log(1.0 - self.response.per_second)
        return self.delay + max(self.elapsed, 2.0 * time_constant)

    def heading(self, share: float) -> float:
        """The level that a share leads to."""
        return self.elasticity * share + self.load

    def share_for(self, level: float) -> float:
        """The share that leads to a level."""
        return (level - self.load) / self.elasticity

    def share_with(self, coming: float, level: float) -> float:
        """The share that leads to a level with so much more work (part of the limit, in full)."""
        return (level - math.log(math.exp(self.load) + coming)) / self.elasticity

    def effect(self, response: Response) -> float:
        """What the share behind a reading adds to the level, by a response."""
        return self.elasticity * self.shares[-response.delay]

    def take(self, now: float, level: float) -> float:
        """Take a reading; returns its error in spreads."""
        response = self.response
        self._readings += 1
        if self._readings <= _FIRST:
            response.begin(level, self.effect(response))
            return 0.0
        before = response.load
        error = response.take(level, self.effect(response), self._gain, self.spread)
        if response.since_jump < _FIRST:
            self.drift = 0.0
        else:
            moved = (response.load - before) / self.elapsed
            self.drift += (1.0 - _DRIFT_MEMORY**self.elapsed) * (moved - self.drift)
        self.jumped = 0 if error * error <= JUMP else 1 if error > 0.0 else -1
        self._learn_noise(now, error)
        return error

    def decided(self, now: float, share: float) -> None:
        """The log share in force from now on."""
        if abs(share - self.shares[-1]) * self.elasticity > max(_DISTURBS, self.spread):
            self._moved_at = now
        self.shares.append(share)

    def learn_elasticity(self, seen: float, weight: float) -> None:
        """Move towards an elasticity that was seen in an answer to an own move."""
        self._lessons += 1
        seen = min(STEEPEST, max(_FLATTEST, seen))
        self.elasticity += weight * (seen - self.elasticity)
        self.response.load = self.level - self.effect(self.response)

    def _learn_noise(self, now: float, error: float) -> None:
        """Follow the 68 % quantile of errors, and the gain at which errors do not correlate.

        Own moves and jumps disturb, so both are learned in calm; the spread a little always, or
        noise that was taken for jumps would stay so.
        """
        quiet_after = self.delay + self.elapsed + max(2.0 * self.elapsed, 2.0)
        calm = self.response.since_jump > _SETTLED and now - self._moved_at > quiet_after
        if calm:
            correlation = min(2.0, max(-2.0, error * self._error))
            gain = self._gain * (1.0 + _GAIN_STEP * correlation)
            self._gain = min(_MOST_GAIN, max(_LEAST_GAIN, gain))
        self._error = error
        step = _SPREAD_STEPS["young" if self._readings < _YOUNG else "calm" if calm else "restless"]
        spread = followed_spread(self.spread, error, step)
        self.spread = min(_WIDEST, max(_NARROWEST, spread))
