"""Raising the share of a quantity that answers within seconds: step by step, and each checked.

A raise is a trial. It is judged when its answer must have shown:

- no answer: nobody asks for more work. The share goes back and is kept, so that an idle spell
  does not unlearn what the last busy one taught; it is tried again later, less and less often.
- too strong an answer, or beyond the limit: it is undone. When the level then comes back the
  raise was the cause: the knob works in steps (clock steps, batches, workers), and less room
  than a step takes is not worth trying for.
- the answer expected: the elasticity is learned from it.

Cuts are not made here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from amptalk.strategies.controllers.observer import REMEMBERED, STEEPEST, Observer

_WHOLE, _PART = 0.1, 0.6
"""Room up to the first is taken whole; of more, this part at a time."""
_SMALLEST_ROOM = 0.002
_NOISE_ROOM = 0.3
"""Room below so many errors of the level is noise."""
_JUDGED = 0.04
_JUDGED_ERRORS = 3.0
"""An answer is missed from an expected one of this size (log, and in errors of the level)."""
_STANDING = 4.0
"""… and of so many times what the level moves by itself meanwhile."""
_ANSWERED = 0.3
"""Part of the expected answer that is one; the rest of a level may not answer at all."""
_OVERSHOT = 0.01
_SURPRISE = 0.03
_FIRST_RETEST, _LAST_RETEST = 30.0, 320.0
"""Seconds until a share that was kept is raised again; doubles each time in vain."""
_FAR_BELOW, _LEFT = math.log(0.5), 0.3
"""Below half of the limit and of the work this part of a raise is left that is in vain again: after
stuck readings the share may be where the level does not answer at all."""
_TRUSTED = 3.0
"""Readings for which a kept share is trusted when work comes back, until they have settled."""
_SHIFT_EVERY = 3.0
_SHIFT_FIRST = 5.0
_LARGEST_STEP = 0.35
_STEP_LASTS = 1500.0
"""Seconds in which a step that is not met again fades to a third."""
_LESSON = 0.3
_CLEAR = 3.0
"""Spreads from which an answer is no noise."""
_STEEPER = 1.8
"""An answer so many times as strong as expected is a step, not an elasticity."""


class _Trial(NamedTuple):
    before: float
    """Log share."""
    level: float
    """Where the level was heading to."""
    expected: float
    """Answer: log level."""
    made: float
    shows: float
    due: float
    drift: float
    """Of the level (log a second) before."""


class _Undone(NamedTuple):
    level: float
    seen: float
    raised: float
    due: float


class _Kept(NamedTuple):
    share: float
    ratio: float
    """Level / limit for which it is right."""
    until: float


class Raising:
    """Decides on raises, and on what follows from those that were made."""

    def __init__(self, observer: Observer) -> None:
        self.step = 0.0
        """Log level that the smallest effective raise is worth; 0 for a knob without steps."""
        self._seen = observer
        self._trial: _Trial | None = None
        self._undone: _Undone | None = None
        self._kept: _Kept | None = None
        self._retest = _FIRST_RETEST
        self._shift_at = math.inf
        self._trusted_until = self._wait_until = -math.inf

    def wait(self, now: float) -> None:
        """Let what was done just now show before anything is raised."""
        self._wait_until = max(self._wait_until, now + self._seen.settling)

    def give_up(self) -> None:
        """The trial that runs says nothing any more: a cut came between."""
        self._trial = None

    def shift(self, by: float) -> None:
        """Levels are told on another scale from now on."""
        self._trial = self._undone = None
        if self._kept is not None:
            self._kept = self._kept._replace(ratio=self._kept.ratio * math.exp(by))

    def may_answer(self, guard: float) -> bool:
        """Whether what is expected beyond the guard band is the trial's own answer."""
        return self._trial is not None and self._seen.level <= -guard and self._seen.jumped <= 0

    def may_have_caused(self, now: float, leap: float) -> bool:
        """Whether a leap (log) may be the answer to the trial, earlier or stronger than expected.

        Taken for more load it would be cut for, answered by a leap down, and so on for ever.
        """
        trial = self._trial
        if trial is None or now > trial.due:
            return False
        return leap <= STEEPEST * trial.expected / self._seen.elasticity

    def judged(self, now: float, share: float, guard: float) -> float | None:
        """The log share that follows from what was tried, or `None` to go on."""
        self.step *= math.exp(-self._seen.elapsed / _STEP_LASTS)
        if self._undone is not None and now >= self._undone.due:
            self._learn_step(self._undone)
            self._undone = None
        if self._kept is not None:
            kept = self._keep(now, share, guard, self._kept)
            if kept is not None:
                return kept
        if self._trial is not None:
            back = self._judge(now, share, guard, self._trial)
            if back is not None:
                return back
        if now < self._trusted_until:
            # What the sensor shows is certain; what it extrapolates to is not.
            return min(share, share - (self._seen.level + guard) / self._seen.elasticity)
        return None

    def raised(self, now: float, share: float, target: float) -> float:
        """The log share on the way to a higher target."""
        seen = self._seen
        if now < self._wait_until or share >= 0.0 or self._trial is not None:
            return share
        room = (target - share) * seen.elasticity
        if room < max(_NOISE_ROOM * seen.error, self.step, _SMALLEST_ROOM):
            return share
        answer = min(room, max(_WHOLE, _PART * room))
        due = now + seen.settling + seen.elapsed
        self._trial = _Trial(
            share, seen.heading(share), answer, now, now + seen.delay, due, seen.drift
        )
        return share + answer / seen.elasticity

    def _judge(self, now: float, share: float, guard: float, trial: _Trial) -> float | None:
        seen = self._seen
        drifted = trial.drift * (now - trial.made)
        answer, error = seen.level - trial.level - drifted, seen.error
        jumped = seen.jumped > 0 and now <= trial.due
        surprised = now >= trial.due and answer > 0.9 * trial.expected + 1.5 * error + _SURPRISE
        if jumped or surprised or (seen.level > _OVERSHOT and now >= trial.shows):
            self._trial = None
            if seen.level <= -guard:
                return None
            due = now + seen.settling + seen.elapsed
            self._undone = _Undone(trial.level, answer, share - trial.before, due)
            self._wait_until = due + seen.elapsed
            return min(trial.before, seen.share_for(-guard))
        if now < trial.due:
            return None
        self._trial = None
        told = max(_JUDGED, _JUDGED_ERRORS * error, _STANDING * abs(drifted))
        if trial.expected > told and answer < max(_ANSWERED * trial.expected, 1.2 * error):
            back = trial.before
            if max(seen.level, back) < _FAR_BELOW and self._retest > _FIRST_RETEST:
                if now - trial.made < REMEMBERED * seen.elapsed:
                    self._trial = trial  # its answer may be late
                    return None
                back += _LEFT * (share - back)
            self._kept = _Kept(back, math.exp(seen.level), now + self._retest)
            self._shift_at = now + _SHIFT_FIRST * max(1.0, seen.elapsed)
            self._retest = min(_LAST_RETEST, 2.0 * self._retest)
            return back
        if trial.expected > 0.05:
            seen.learn_elasticity(answer / (share - trial.before), _LESSON)
            self._retest = _FIRST_RETEST
        return None

    def _learn_step(self, undone: _Undone) -> None:
        seen = self._seen
        if seen.level >= undone.level + 0.5 * undone.seen:
            return  # it did not come back: something else had grown
        steepness = undone.seen / max(undone.raised, 0.005)
        if steepness > _STEEPER * seen.elasticity and undone.seen > _CLEAR * seen.spread:
            step = min(_LARGEST_STEP, undone.seen)
            self.step += (0.6 if step > self.step else 0.3) * (step - self.step)
        if undone.raised > 0.03:
            seen.learn_elasticity(steepness, _LESSON)

    def _keep(self, now: float, share: float, guard: float, kept: _Kept) -> float | None:
        """Keep a share through an idle spell; what else the level does moves it."""
        seen = self._seen
        if seen.jumped < 0 or now >= kept.until:
            self._kept = None
        elif seen.jumped > 0 or seen.level > -2.0 * guard - 0.02:
            self._kept = None
            self._trusted_until = now + _TRUSTED * seen.elapsed
            self._wait_until = now + seen.settling
        else:
            ratio = math.exp(seen.level)
            moved = ratio - kept.ratio
            if now < self._shift_at or abs(moved) <= 2.0 * seen.error + 0.01:
                return share
            self._shift_at = now + _SHIFT_EVERY * max(1.0, seen.elapsed)
            shifted = min(0.0, kept.share - moved / seen.elasticity)
            self._kept = _Kept(shifted, ratio, kept.until)
            return shifted
        return None
