"""What the guardian does about memory, as a pure state machine: stop, let go on, ask, kill.

The kernel kills at the cap. What grows so fast that the cap is less than half a second away is
stopped, and goes on a quarter of a second later: that is a brake, which leaves the application
time to ask and to shrink. What would reach the cap with the next step is asked to end (SIGTERM)
where that was allowed, and killed when it goes on all the same. Between the limit and the middle
to the cap the application's own ladder is left to act.

Amounts are bytes, times monotonic seconds. Who grows is found elsewhere (`lookout`).
"""

from __future__ import annotations

from enum import Enum
from math import inf

LOOKAHEAD = 0.5
"""Seconds before the cap at which what grows is stopped."""
PAUSE = 0.25
"""Seconds that it is stopped for at least."""
RUN = 0.1
"""Seconds within which what goes on is stopped again; so much growth must fit before the cap."""
PATIENCE = 1.0
"""Seconds at the cap that the application has to give something back, before a child is asked."""
LAST_WORDS = 10.0
"""Seconds that a child has to end or shrink after it was asked, while there is room."""
LONGEST = 30.0
"""Seconds at the cap after which one that may not be ended goes on all the same: whoever waits for
it would wait for ever, so the kernel is left to decide."""
QUIET = 2.0
"""Seconds without danger after which it is over."""
SLOWEST = 2.0 * 2**20
"""Bytes a second below which nothing is said to grow."""
FASTEST = 4.0 * 2**30
"""Bytes a second that memory may be filled with: sampling is never later than that."""
SOONEST, LATEST = 0.01, 0.25
"""Seconds between samples, at least and at most."""
_SHORTEST, _ANCHOR = 0.008, 0.1
"""Seconds that a rate is taken over: at least, and one to two times."""


class Move(Enum):
    """What is to be done now."""

    NOTHING = "nothing"
    STOP = "stop"
    """Stop what grows."""
    GO = "go"
    """Let go on what is stopped."""
    ASK = "ask"
    """Ask a child to end."""
    KILL = "kill"
    """Kill the child that was asked."""


class Pressure:
    """How near the cap is, and the next move. The caller says with `did` what it carried out."""

    __slots__ = (
        "_asked_at", "_before", "_before_at", "_danger_at", "_middle", "_middle_at", "_resigned",
        "_resume_at", "_waiting_since", "cap", "ceiling", "limit", "peak", "rate",
        "stopped",
    )  # fmt: skip

    def __init__(self, limit: float, cap: float) -> None:
        self.limit = limit
        self.cap = cap
        self.ceiling = (limit + cap) / 2
        """Beyond it is danger, however slow the growth."""
        self.rate = 0.0
        """Growth in bytes a second."""
        self.peak = 0.0
        """The fastest growth since the last quiet."""
        self.stopped = False
        self._resigned = False
        self._asked_at = inf
        self._resume_at = inf
        self._waiting_since = inf
        self._danger_at = -inf
        self._before = self._middle = -1.0
        self._before_at = self._middle_at = 0.0

    @property
    def asked(self) -> bool:
        """True while a child that was asked to end has not come to it."""
        return self._asked_at < inf

    def quiet(self, now: float) -> bool:
        """Whether the danger is over for good."""
        return not self.stopped and not self.asked and now - self._danger_at > QUIET

    def step(self, now: float, used: float, *, can_end: bool) -> Move:
        """Take one sample; returns what is to be done. `can_end`: some child may be ended."""
        self._measure(now, used)
        danger = self._in_danger(used)
        if danger:
            self._danger_at = now
            self.peak = max(self.peak, self.rate)
        if self.asked:
            return self._after_asking(now, used)
        if self._resigned:
            return Move.NOTHING
        if danger and self.rate >= SLOWEST:
            return Move.STOP
        if self.stopped or used >= self.ceiling:
            return self._held(now, used, can_end=can_end)
        self._waiting_since = inf
        return Move.NOTHING

    def unstoppable(self, used: float, *, can_end: bool) -> Move:
        """What to do instead of a stop, when nothing that grows may be stopped."""
        full = used + self.rate * RUN >= self.ceiling
        return Move.ASK if can_end and full else Move.NOTHING

    def did(self, move: Move, now: float) -> None:
        """Say that a move was carried out."""
        if move is Move.STOP:
            self.stopped = True
            self._resume_at = now + PAUSE
        elif move is Move.GO:
            self.stopped = False
            self._resume_at = self._waiting_since = inf
        elif move is Move.ASK:
            self._asked_at = now
        self._before = -1.0  # what grew before says nothing of what will

    def ended(self) -> None:
        """Say that the child that was asked is gone."""
        self._asked_at = self._waiting_since = inf
        self._before = -1.0

    def forget(self) -> None:
        """The danger is over: begin anew."""
        self.peak = 0.0
        self._resigned = False

    def wait(self, used: float) -> float:
        """Seconds until the next sample: sooner the less time the fastest growth would take."""
        if self.stopped or self.asked or self.rate >= SLOWEST:
            return SOONEST
        seconds = (self.cap - used) / FASTEST
        return SOONEST if seconds < SOONEST else LATEST if seconds > LATEST else seconds

    def _measure(self, now: float, used: float) -> None:
        """Bring the rate up to date; it is taken over 0.1 to 0.2 s."""
        if self._before < 0:
            self._before = self._middle = used
            self._before_at = self._middle_at = now
            self.rate = 0.0
        elif now - self._before_at >= _SHORTEST:
            self.rate = (used - self._before) / (now - self._before_at)
            if now - self._middle_at >= _ANCHOR:
                self._before, self._before_at = self._middle, self._middle_at
                self._middle, self._middle_at = used, now

    def _in_danger(self, used: float) -> bool:
        if used >= self.ceiling:
            return True
        return self.rate >= SLOWEST and used + self.rate * LOOKAHEAD >= self.cap

    def _has_room(self, used: float) -> bool:
        """Whether what is stopped may go on: its growth until it is stopped again fits."""
        return used + self.peak * RUN < self.ceiling

    def _held(self, now: float, used: float, *, can_end: bool) -> Move:
        """Something is stopped, or all is full."""
        if self.stopped and self._has_room(used):
            self._waiting_since = inf
            return Move.GO if now >= self._resume_at else Move.NOTHING
        if self._waiting_since == inf:
            self._waiting_since = now
        waited = now - self._waiting_since
        if can_end and waited >= PATIENCE:
            return Move.ASK
        if self.stopped and waited >= LONGEST:
            self._resigned = True
            return Move.GO
        return Move.NOTHING

    def _after_asking(self, now: float, used: float) -> Move:
        """A child was asked to end and may be about to, or may go on growing."""
        waited = now - self._asked_at
        if self._has_room(used) and waited >= QUIET:
            self._asked_at = self._waiting_since = inf  # it has shrunk instead
            return Move.NOTHING
        near = used + max(self.rate, 0.0) * RUN >= self.cap and self.rate >= SLOWEST
        return Move.KILL if near or waited >= LAST_WORDS else Move.NOTHING
