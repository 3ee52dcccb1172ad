"""A leap up of the load that is gone at once: what it took of the share comes back.

A pause for garbage, one slow request: the value leaps, is cut for, and is where it was at the next
reading. Raised step by step, as a share of which nobody knows what it leads to, work would be held
back for many readings after each; here it is known what the share led to before.

Load that comes and goes within readings looks the same, and comes again: only where most leaps
turned out to be spikes does the share come back. The cut may be what brought the level down,
earlier than the learned delay says: a level that the cut explains is no spike, and a share that
came back in vain is not tried again for a while.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from amptalk.strategies.controllers.observer import Observer

_READINGS = 1.5
"""What lasts longer is load."""
_LESSON, _MOST = 0.3, 0.5
"""Weight of the newest leap, and part of the leaps that are spikes where shares come back."""
_ALIKE = 0.1
"""Levels that differ by less (log) are the same."""
_MOST_TRUST = 3
_BLOCKED = 60.0
"""Seconds after a share that came back in vain."""


class _Spike(NamedTuple):
    share: float
    """Log share before the cut."""
    before: float
    """Level before the leap …"""
    level: float
    """… and that it leapt to."""
    expires: float


class Spikes:
    """Knows whether a leap down takes back the leap up that was cut for."""

    def __init__(self, observer: Observer) -> None:
        self._seen = observer
        self._spike: _Spike | None = None
        self._part = 0.0
        """Of the leaps that were cut for, which were spikes."""
        self._due = math.inf
        """When a share that came back has shown that it may stay."""
        self._trust = 0
        self._blocked_until = -math.inf

    def shift(self) -> None:
        """Levels are told on another scale from now on."""
        self._spike = None

    def cut(self, now: float, share: float, before: float) -> None:
        """A leap up from the level `before` is cut for, from `share` on."""
        expires = now + _READINGS * self._seen.elapsed
        self._spike = _Spike(share, before, self._seen.level, expires)

    def over(self, now: float, share: float, guard: float) -> float | None:
        """The log share that comes back, or `None` when none does."""
        seen, spike = self._seen, self._spike
        self._judge(now)
        if spike is None:
            return None
        cut = share - spike.share
        gone = min(spike.before, spike.level + seen.elasticity * cut - 2.0 * _ALIKE) + _ALIKE
        if seen.level > gone:
            if now > spike.expires:
                self._learn(0.0)
            return None
        self._spike = None
        if seen.level < spike.level + seen.steepest * cut - _ALIKE:
            self._learn(1.0)
        back = min(spike.share, seen.share_for(-guard))
        if self._part < _MOST or back <= share or now < self._blocked_until:
            return None
        self._due = now + seen.settling + seen.elapsed
        return back

    def _learn(self, spike: float) -> None:
        """Count a leap: 1 for a spike, 0 for load; one that the cut may explain does not count."""
        self._spike = None
        self._part += _LESSON * (spike - self._part)

    def _judge(self, now: float) -> None:
        """Learn from a share that came back whether the next one may."""
        if self._seen.level > 0.0 and now <= self._due < math.inf:
            self._due = math.inf
            self._trust -= 1
            if self._trust < 0:
                self._trust = 0
                self._blocked_until = now + _BLOCKED
        elif now > self._due:
            self._due = math.inf
            self._trust = min(_MOST_TRUST, self._trust + 1)
