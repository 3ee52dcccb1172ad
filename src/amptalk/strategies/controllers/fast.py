"""Control of what answers within seconds: power, latency, and by `use` processor and GPU.

Cut at once to where the limit holds, raise in steps that are checked (`raising`). What the
readings mean is in `observer`, how they answer to own moves in `responses`.
"""

from __future__ import annotations

import math

from amptalk.strategies.controllers.contract import LEAST, Controller
from amptalk.strategies.controllers.observer import Observer
from amptalk.strategies.controllers.raising import Raising
from amptalk.strategies.controllers.responses import Responses
from amptalk.strategies.controllers.spikes import Spikes

_GUARD = 0.004
_GUARD_ERRORS = 1.4
"""Guard band in standard errors of the true level, on top of `_GUARD` (log)."""
_OWN_NOISE = 0.07
"""Part of the variance of readings that is taken to be the level's own, and no sensor's."""
_NEVER_CUT_BELOW = math.log(0.5)
"""A level below half of its limit is no reason to cut, whatever it is thought to lead to."""
_NEAR = 0.5
"""Parts of the guard band from the limit where a cut takes at least a step of the knob."""
_WHOLE_STEP = 0.9
_PERSISTING = 2.0
"""Cuts are so many times as deep while those before have not helped in time."""
_LESSON_CUT, _LESSON_SEEN, _LESSON = 0.08, 0.05, 0.2
"""Cuts from the first on teach the elasticity, when the second of it is in force at the end."""


class FastController(Controller):
    """Inverts a model of the load that it learns; one configuration for all."""

    def __init__(self) -> None:
        super().__init__()
        self.observer = Observer()
        self._responses = Responses(self.observer)
        self._raising = Raising(self.observer)
        self._spikes = Spikes(self.observer)
        self._level_before = 0.0
        """At the reading before."""
        self._within_at = -math.inf
        """When the level was within its limit last."""
        self._cut: tuple[float, float, float] | None = None
        """Log share before the last large cut, where the level was heading, when it shows."""

    def _begin(self, level: float) -> None:
        self.observer.response.begin(level, 0.0)

    def shift(self, by: float) -> None:
        """Levels are told on another scale from now on, `by` (log) above that until now."""
        self._responses.shift(by)
        self._raising.shift(by)
        self._spikes.shift()
        self._cut = None

    def _observe(self, now: float, level: float, elapsed: float) -> None:
        seen = self.observer
        seen.elapsed = elapsed
        self._responses.timed(elapsed)
        self._responses.remember()
        before, load = seen.level, seen.load
        self._level_before = before
        error = seen.take(now, level)
        self._responses.take(now, level, error)
        if seen.jumped > 0 and self._raising.may_have_caused(now, level - before):
            seen.response.load = load
        self.error = error * seen.spread
        self.level = seen.level
        if seen.level <= 0.0:
            self._within_at = now
        if seen.settled_load:
            self._learn_guard(seen.level, elapsed)

    def _decide(self, now: float, elapsed: float) -> float:  # noqa: ARG002
        seen = self.observer
        gain = seen.gain
        true_error = seen.spread * math.sqrt(_OWN_NOISE + gain + 2.0 * gain * gain)
        self.noise_guard = self.caution * _GUARD_ERRORS * true_error
        self.guard = _GUARD + self.noise_guard + self._learned
        moved = self._moved(now)
        if seen.jumped > 0 and moved < self._log_share:
            self._spikes.cut(now, self._log_share, self._level_before)
        return moved

    def _held_back(self, now: float) -> None:
        self._raising.give_up()
        self._raising.wait(now)

    @property
    def lead(self) -> float:
        """Seconds until a cut shows."""
        return self.observer.delay + self.observer.elapsed

    def share_with(self, coming: float) -> float:
        """The share to hold the limit with so much more work (part of the limit, in full)."""
        return math.exp(min(0.0, max(LEAST, self.observer.share_with(coming, -self.guard))))

    def _decided(self, now: float, log_share: float) -> None:
        self._responses.moved(now, log_share - self._log_share)
        self.observer.decided(now, log_share)

    def _moved(self, now: float) -> float:
        share, guard, seen = self._log_share, self.guard, self.observer
        if self._cut is not None:
            self._learn_from_cut(now, *self._cut)
        back = self._spikes.over(now, share, guard)
        if back is not None:
            self._raising.give_up()
            return back
        told = self._raising.judged(now, share, guard)
        if told is not None:
            return told
        ahead = max(0.0, seen.drift) * (seen.delay + seen.elapsed)
        target = seen.share_for(-guard - ahead)
        if target >= share:
            return self._raising.raised(now, share, target)
        if seen.level < _NEVER_CUT_BELOW or self._raising.may_answer(guard):
            return share
        self._raising.give_up()
        self._raising.wait(now)
        cut = share - target
        if now - self._within_at > seen.settling:
            cut *= _PERSISTING
        if self._raising.step and seen.level > -_NEAR * guard:
            cut = max(cut, _WHOLE_STEP * self._raising.step / seen.elasticity)
        if cut > _LESSON_CUT and self._cut is None:
            self._cut = (share, seen.heading(share), now + seen.settling + seen.elapsed)
        return share - cut

    def _learn_from_cut(self, now: float, before: float, heading: float, due: float) -> None:
        seen = self.observer
        if now < due:
            if seen.jumped:
                self._cut = None
            return
        self._cut = None
        by = seen.shares[-seen.response.delay] - before
        if by < -_LESSON_SEEN:
            seen.learn_elasticity((seen.level - heading) / by, _LESSON)
