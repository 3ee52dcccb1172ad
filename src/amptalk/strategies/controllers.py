"""Feedback for one limit: from how full it is to the share of work that may run.

Both controllers work on logarithms, where most machines look alike: one percent
more work is about one percent more of what is limited (between 0.4 and 2.5 at the
limit). So the gain need not be learned; only speed differs, and a resource's kind
tells it. Rates follow within a sample or two (`FastController`), holds and
temperatures within minutes (`SlowController`). Everything is in seconds, whatever
the sampling interval. They know nothing of limits' units, names or reasons.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

from amptalk.model.decision import MINIMUM_SHARE

_LEAST = math.log(MINIMUM_SHARE)
_LOWEST_RATIO, _HIGHEST_RATIO = 0.05, 20.0
_OVER = 0.002
"""Beyond the limit by this much (log) is a breach for the learned part of the guard band."""
_WIDEST_LEARNED = 0.08
_BREACHES = 0.02
"""Share of samples that may be breaches; the guard band widens until it is so."""
_BLIND_HOLD = 4.0
_BLIND_DECAY = 0.02
"""After holding for some seconds, a share that cannot be judged falls by this a second …"""
_BLIND_LEAST = 0.8
"""… down to this part of it, and comes back when there are values again."""


class Tuning(NamedTuple):
    """What may be set to suit a workload; the defaults suit all a little."""

    guard: float = 1.2
    """Fast guard band in standard deviations of the noise."""
    probe: float = 0.1
    """Log share a second that a fast controller raises, for each log ratio of room."""
    creep: float = 0.001
    """The same however close to the limit."""
    smoothing: float = 1.0
    """How little the fast controller's filter smooths noise."""
    slow_guard: float = 1.2
    """Slow guard band in mean changes from sample to sample, on top of 1.2 %."""
    slow_gain: float = 8.0
    """Log share taken away per log ratio gained."""


DEFAULT = Tuning()


class Controller(ABC):
    """What both have in common: the share, the guard band that is learned, blindness."""

    def __init__(self) -> None:
        self.tuning = DEFAULT
        self.share = 1.0
        """In [`MINIMUM_SHARE`, 1]."""
        self.guard = 0.0
        """How far below the limit (log) the value is held."""
        self._log_share = 0.0
        self._learned = 0.0
        self._last: float | None = None
        self._blind = False
        self._previous = 0.0
        self._filtered = 0.0
        self._noise = 0.01

    @property
    def measured(self) -> bool:
        """Whether there ever was a value; until then the share does not move."""
        return self._last is not None

    def take(self, now: float, ratio: float) -> float:
        """Take a fresh value as a part of its limit and return the share from now on."""
        level = math.log(min(_HIGHEST_RATIO, max(_LOWEST_RATIO, ratio)))
        last, self._last = self._last, now
        if last is None:
            self._previous = self._filtered = level
            last = now - 1.0
        elapsed = now - last
        if elapsed > 0.0:
            moved = self._decide(now, level, elapsed)
            if moved != self._log_share or self._blind:
                self._blind = False
                self._log_share = min(0.0, max(_LEAST, moved))
                self.share = math.exp(self._log_share)
            self._previous = level
        return self.share

    def miss(self, now: float) -> float:
        """Return the share while there is no value: held, then lowered a little."""
        if self._last is not None:
            self._blind = True
            late = now - self._last - _BLIND_HOLD
            factor = min(1.0, max(_BLIND_LEAST, 1.0 - _BLIND_DECAY * late))
            self.share = max(MINIMUM_SHARE, math.exp(self._log_share) * factor)
        return self.share

    @abstractmethod
    def _decide(self, now: float, level: float, elapsed: float) -> float:
        """Return the log share that follows from `level` (log of the part of the limit)."""

    def _learn_guard(self, elapsed: float, pace: float, *, breach: bool) -> None:
        """Widen at a breach and narrow otherwise so that few samples are breaches."""
        learned = self._learned + pace * min(elapsed, 5.0) * (breach - _BREACHES)
        self._learned = min(_WIDEST_LEARNED, max(0.0, learned))


class SlowController(Controller):
    """Proportional-integral control in velocity form, for what follows within minutes.

    Cuts as soon as the present growth would cross the guard band within
    `_INTEGRAL_SECONDS`; never cuts below half of the limit.
    """

    _INTEGRAL_SECONDS = 45.0
    _SMOOTHING = 0.4
    _LARGEST_CUT, _LARGEST_RAISE = -0.4, 0.15
    _DEADBAND = 0.01
    _FLOOR = math.log(0.5)
    _ORIGIN = -0.1

    def __init__(self) -> None:
        super().__init__()
        self._pending = 0.0

    def take(self, now: float, ratio: float) -> float:
        """Take a fresh value as a part of its limit and return the share from now on.

        A first value beyond the limit counts as growth from 10 % below it, from the next
        one on. Taken as normal, coming down from it would raise the share again, and it
        would stay beyond for a minute.
        """
        if self._last is None and ratio > 1.0:
            self._last = now
            self._previous = math.log(min(_HIGHEST_RATIO, ratio))
            self._filtered = self._ORIGIN
            return self.share
        return super().take(now, ratio)

    def _decide(self, now: float, level: float, elapsed: float) -> float:  # noqa: ARG002
        change = abs(level - self._previous)
        self._noise += (1.0 - 0.98**elapsed) * (min(change, 3.0 * self._noise + 1e-6) - self._noise)
        before = self._filtered
        self._filtered += (1.0 - (1.0 - self._SMOOTHING) ** elapsed) * (level - before)
        breach = level > _OVER
        if breach or self._learned:
            self._learn_guard(elapsed, 0.008, breach=breach)
        tuning = self.tuning
        self.guard = 0.012 + tuning.slow_guard * self._noise + self._learned
        move = -tuning.slow_gain * (
            self._filtered
            - before
            + (self._filtered + self.guard) * elapsed / self._INTEGRAL_SECONDS
        )
        least = self._LARGEST_CUT if self._filtered > self._FLOOR else 0.0
        pending = self._pending + min(self._LARGEST_RAISE, max(least, move))
        share = self._log_share
        self._pending = pending = min(-share, max(_LEAST - share, pending))
        if abs(pending) > self._DEADBAND or share + pending in (0.0, _LEAST):
            self._pending = 0.0
            return share + pending
        return share


class FastController(Controller):
    """Cut at once by the excess, raise slowly and the slower the nearer the limit is.

    After a cut it waits until the cut has shown, then takes back, once, what the cut
    was too deep. Noise is told from change by its size: a leap is followed at once,
    the rest is smoothed the more the noisier it is.
    """

    _LAG = 2.0
    """Seconds until a cut shows; until then only a further rise is cut."""
    _RESPONSE = 2.0
    """Seconds without a raise after a cut or its correction."""
    _JUMP = 4.0
    """In standard deviations: more than this is a change and no noise."""
    _QUIET = 0.03
    """Gain of the noise estimate."""
    _FILTERED_NOISE = 0.02
    """Noise up to which the filter hardly smooths."""

    def __init__(self) -> None:
        super().__init__()
        self._cut = 0.0
        self._cut_at = -math.inf
        self._cut_level = 0.0
        self._wait_until = -math.inf
        self._correct = False
        self._change = 0.0

    def _decide(self, now: float, level: float, elapsed: float) -> float:
        tuning = self.tuning
        noise = 0.89 * self._noise  # standard deviation from the mean absolute change
        jump = abs(level - self._filtered) > self._JUMP * max(noise, 0.004)
        weight = min(0.8, max(0.2, tuning.smoothing * self._FILTERED_NOISE / noise))
        # Noise is seen in how changes differ: a value that rises evenly has none. The
        # factor makes it comparable to the change of two independent samples.
        change = level - self._previous
        bend, self._change = 0.58 * abs(change - self._change), change
        if jump:
            self._filtered = level
        else:
            bend = min(bend, 3.0 * self._noise)
            self._noise = max(0.001, self._noise + self._QUIET * (bend - self._noise))
            self._filtered += (1.0 - (1.0 - weight) ** elapsed) * (level - self._filtered)
        left = noise * math.sqrt(weight / (2.0 - weight))  # what the filter leaves of it
        breach = self._filtered > _OVER and not jump
        if breach or self._learned:
            self._learn_guard(elapsed, 0.002, breach=breach)
        self.guard = 0.004 + tuning.guard * left + self._learned
        room = -self.guard - self._filtered
        if room < 0.0:
            return self._lower(now, elapsed)
        share = self._log_share
        if now < self._wait_until or share >= 0.0:
            return share
        if self._correct:
            self._correct = False
            if not jump and self._cut_level - self._filtered < 2.2 * self._cut + 0.03:
                self._wait_until = now + max(self._RESPONSE, 2.0 * elapsed)
                return share + max(0.0, 0.7 * (room - left))
        return share + min((tuning.creep + tuning.probe * min(room, 0.5)) * elapsed, 0.5 * room)

    def _lower(self, now: float, elapsed: float) -> float:
        lag = max(self._LAG, 1.5 * elapsed)
        if now - self._cut_at < lag and self._filtered <= self._cut_level + 0.02:
            return self._log_share
        self._cut = min(0.7, max(0.01, self._filtered + 1.5 * self.guard))
        self._cut_at = now
        self._cut_level = self._filtered
        self._wait_until = now + max(self._RESPONSE, 2.0 * elapsed)
        self._correct = True
        return self._log_share - self._cut
