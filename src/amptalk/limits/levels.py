"""How a level moves over time: quickly up, slowly down, slower still when it flaps.

Pure: it is told the time and which level the value calls for. Which value that
is, and whether it is fresh, is the business of `judge`.
"""

from __future__ import annotations

from amptalk.limits.thresholds import (
    CLEAR_SECONDS,
    LONGEST_CLEAR_SECONDS,
    RETURN_SECONDS,
    Thresholds,
)
from amptalk.model.level import Level

_LEVELS = tuple(Level)
_NEVER = float("-inf")


class LevelMachine:
    """The level of one limit.

    A level is entered once its condition has lasted its hold time over at least two
    samples (one where the hold is 0). It goes down by one after `CLEAR_SECONDS`
    clear; a level entered again within `RETURN_SECONDS` doubles that time up to
    `LONGEST_CLEAR_SECONDS`, and starts afresh when it stayed away longer.
    """

    __slots__ = ("_clear_since", "_counts", "_held", "_holds", "_last", "_left", "_waits", "level")

    def __init__(self, thresholds: Thresholds) -> None:
        self.level = Level.NORMAL
        self._holds = (0.0, *thresholds.hold)
        self._counts = [0, 0, 0, 0]
        self._held = [0.0, 0.0, 0.0, 0.0]
        self._waits = [CLEAR_SECONDS] * 4
        self._left = [_NEVER] * 4
        self._clear_since: float | None = None
        self._last = 0.0

    def update(self, now: float, called: int, stay: int) -> Level:
        """Take one fresh sample and return the level.

        `called` is the level whose entry line the value has reached, `stay` (not
        below `called`) the highest one it is not clear of; `now` in seconds.
        """
        reached = self._count(called, now - self._last)
        self._last = now
        level = int(self.level)
        if reached > level:
            self._enter(level + 1, reached, now)
        elif level and stay < level:
            if self._clear_since is None:
                self._clear_since = now
            elif now - self._clear_since >= self._waits[level]:
                self._left[level] = now
                self._clear_since = now
                self._counts[level] = 0
                self._held[level] = 0.0
                self.level = _LEVELS[level - 1]
        else:
            self._clear_since = None
        return self.level

    def resume(self, now: float) -> None:
        """Begin anew at `now` after a time without samples: it counts neither as over nor clear."""
        self._last = now
        self._clear_since = None

    def _count(self, called: int, elapsed: float) -> int:
        """Add the sample to each level's evidence; return the highest level it suffices for."""
        counts, held = self._counts, self._held
        reached = 0
        for level in (1, 2, 3):
            count = counts[level]
            hold = self._holds[level]
            if called >= level:
                if count:
                    held[level] = min(hold, held[level] + elapsed)
                counts[level] = min(2, count + 1)
                if held[level] >= hold and (count or not hold):
                    reached = level
            elif count:
                held[level] = max(0.0, held[level] - elapsed)
                if not held[level]:
                    counts[level] = 0
        return reached

    def _enter(self, first: int, last: int, now: float) -> None:
        for level in range(first, last + 1):
            if now - self._left[level] < RETURN_SECONDS:
                self._waits[level] = min(LONGEST_CLEAR_SECONDS, 2.0 * self._waits[level])
            else:
                self._waits[level] = CLEAR_SECONDS
        self._clear_since = None
        self.level = _LEVELS[last]
