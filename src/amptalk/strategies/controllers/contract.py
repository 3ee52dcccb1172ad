"""What every controller has: a share, a guard band that learns, and what it does while blind.

How a share follows from values is in `fast`, `use` and `slow`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from amptalk.model.decision import MINIMUM_SHARE

LEAST = math.log(MINIMUM_SHARE)
"""Log of the smallest share."""
_LOWEST_RATIO, HIGHEST_RATIO = 0.05, 20.0
"""Parts of a limit that a controller reckons with."""
_BLIND_HOLD = 4.0
_BLIND_DECAY = 0.02
"""After holding for some seconds, a share that cannot be judged falls by this a second …"""
_BLIND_LEAST = 0.8
"""… down to this part of it, and comes back when there are values again."""
_OVER = 0.002
"""Beyond the limit by this much (log) is a breach for the learned part of the guard band."""
_WIDEST_LEARNED = 0.08
_BREACHES = 0.02
"""Share of the time that may be a breach; the guard band widens until it is so."""
_LEARNED_A_SECOND = 0.004
"""Log that it widens in each second of a breach."""
_LONGEST_LESSON = 5.0
"""Seconds that one value stands for at most."""


_WITHIN = 0.68
"""Part of the errors that lies within the spread."""


def followed_spread(spread: float, error: float, step: float) -> float:
    """The spread after an error (in spreads), a `step` nearer to the 68 % quantile of errors.

    A quantile, because leaps must not count by their size.
    """
    return spread * math.exp(step * ((abs(error) > 1.0) - (1.0 - _WITHIN)))


def log_of(ratio: float) -> float:
    """Log of level / limit, within what a controller reckons with."""
    return math.log(min(HIGHEST_RATIO, max(_LOWEST_RATIO, ratio)))


class Controller(ABC):
    """Turns level / limit, value by value, into the share of work that may run.

    Times are monotonic seconds. Levels and shares are logs: 0 is the limit, or everything.
    """

    def __init__(self) -> None:
        self.share = 1.0
        """In [`MINIMUM_SHARE`, 1]."""
        self.guard = 0.0
        """How far below the limit (log) the level is held."""
        self.noise_guard = 0.0
        """The part of it that follows from noise."""
        self.caution = 1.0
        """Factor on the part of the guard band that follows from noise; above 0."""
        self.level = 0.0
        """Where the level is by all that was seen, log."""
        self.error = 0.0
        """Of the last value against the expected one, in parts of the limit."""
        self._log_share = 0.0
        self._learned = 0.0
        self._last = math.nan
        self._blind = False

    @property
    def measured(self) -> bool:
        """Whether there ever was a value; until then the share does not move."""
        return not math.isnan(self._last)

    def take(self, now: float, ratio: float, most: float = 1.0) -> float:
        """Take a fresh value as a part of its limit and return the share from now on.

        `most`: no more than this share of work may run, for a reason that is known elsewhere.
        """
        level = log_of(ratio)
        last, self._last = self._last, now
        if math.isnan(last):
            self._begin(level)
        elif now > last:
            self._observe(now, level, now - last)
            self.put(now, self.decision(now, now - last, most))
        return self.share

    def follow(self, now: float, ratio: float) -> None:
        """Take a fresh value as `take` does, while another controller decides."""
        level = log_of(ratio)
        last, self._last = self._last, now
        if math.isnan(last):
            self._begin(level)
        elif now > last:
            self._observe(now, level, now - last)

    def decision(self, now: float, elapsed: float, most: float = 1.0) -> float:
        """The log share that follows from what was followed; it is not put in force."""
        share = self._decide(now, elapsed)
        if most < 1.0 and math.log(most) < share:
            self._held_back(now)
            return math.log(most)
        return share

    @abstractmethod
    def _held_back(self, now: float) -> None:
        """Less may run than was decided."""

    def put(self, now: float, log_share: float) -> None:
        """Put a share in force, whoever decided on it."""
        log_share = min(0.0, max(LEAST, log_share))
        self._decided(now, log_share)
        if log_share != self._log_share or self._blind:
            self._blind = False
            self._log_share = log_share
            self.share = math.exp(log_share)

    def miss(self, now: float) -> float:
        """Return the share while there is no value: held, then lowered a little."""
        if self.measured:
            self._blind = True
            late = now - self._last - _BLIND_HOLD
            factor = min(1.0, max(_BLIND_LEAST, 1.0 - _BLIND_DECAY * late))
            self.share = max(MINIMUM_SHARE, math.exp(self._log_share) * factor)
        return self.share

    @abstractmethod
    def _begin(self, level: float) -> None:
        """Take the first level."""

    @abstractmethod
    def shift(self, by: float) -> None:
        """Levels are told on another scale from now on, `by` (log) above that until now."""

    @abstractmethod
    def _observe(self, now: float, level: float, elapsed: float) -> None:
        """Learn from a level, `elapsed` seconds after the one before."""

    @abstractmethod
    def _decide(self, now: float, elapsed: float) -> float:
        """Return the log share that follows from what was observed."""

    @abstractmethod
    def _decided(self, now: float, log_share: float) -> None:
        """A share is put in force, the same as before or another one."""

    def _learn_guard(self, level: float, elapsed: float) -> None:
        """Widen at a breach and narrow otherwise, so that a small share of the time is one.

        As adaptive conformal inference does for intervals (Gibbs and Candès, 2021).
        """
        breach = level > _OVER
        if breach or self._learned:
            seconds = min(elapsed, _LONGEST_LESSON)
            learned = self._learned + _LEARNED_A_SECOND * seconds * (breach - _BREACHES)
            self._learned = min(_WIDEST_LEARNED, max(0.0, learned))
