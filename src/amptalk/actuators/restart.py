"""The application's own restart as a step: weighed against what shrinking loses.

Some memory comes back in no other way (a leak, a fragmented heap). A restart costs seconds
of work; shrinking costs a share of the work for as long as it lasts. Who does not know for how
long pays when shrinking has lost as much (the ski-rental rule; Karlin et al., 1988), who has
reason to think that it lasts pays sooner (Purohit, Svitkina and Kumar, 2018). Here there is
reason: it is only asked for where what is used at the least has grown, and not by work that
said what it takes, such as the load of a model, which would come again. Nor is it asked for soon
after the last start. The manager never ends a process: the application is asked, and does it
in its own way.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from amptalk.actuators.amounts import amount
from amptalk.actuators.hooks import Hook
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level, LimitState

LEAST_GAIN = 0.05
"""Part of the limit by which the least use of the last seconds exceeds that of all time."""
LOST_PART = 0.25
"""It is due when shrinking has lost this part of what it costs."""
OFTENEST = 10.0
"""A process must have lived so many times what a restart costs. What was lost longer ago than
that counts for little."""
EPISODE = 15.0
"""Seconds without any loss after which a new one is another matter."""
_LITTLE = 0.02
"""A loss of less is none: a knob that just moves."""
_LONGEST_STEP = 5.0
"""Seconds between two ticks that count at most; more is a pause."""


class Restart(Hook):
    """Calls `ask()` when going on shrunk has become dearer than `seconds` of work.

    Raises `ConfigurationError` as `Hook` does, and for a time that is not above 0.
    """

    def __init__(
        self, name: str, ask: Callable[..., object], *, resource: str, seconds: float
    ) -> None:
        super().__init__(name, ask, resource=resource, level=Level.ELEVATED, cost=1.0)
        self.seconds = amount("restart_seconds", seconds)
        if not self.seconds:
            raise ConfigurationError(
                f"restart_seconds={seconds!r} of hook {name!r}: a restart costs more than 0 seconds"
            )
        self.lost = 0.0
        """Seconds of full work that shrinking has lost; fades within `OFTENEST` times its cost."""
        self._born = math.nan
        self._began = math.inf
        """When the losses began that go on now."""
        self._last_loss = -math.inf
        self._lowest = self._floor = self._floor_before = math.inf
        """The least use of all time, of the present episode's length and of the one before."""
        self._floor_since = -math.inf
        self._last = math.nan
        self._asked = False
        self._due = False

    def available(self) -> str | None:
        """Return what was lost so far and what a restart costs, `None` when it is due."""
        if self._asked:
            return "asked for already"
        if self._due:
            return None
        return f"shrinking lost {self.lost:.1f} s of work, a restart costs {self.seconds:.1f} s"

    def follow(self, state: LimitState, lost: float, declared_at: float, now: float) -> None:
        """Take one tick.

        `lost` is the share of the work that shrinking loses now, 0-1, `declared_at` when work
        began last that said what it takes of the resource, -inf for never.
        """
        if math.isnan(self._born):
            self._born = now
        elapsed = min(_LONGEST_STEP, now - self._last) if now > self._last else 0.0
        self._last = now
        grown = self._grown(state.value, now) if now - self._born > self.seconds else 0.0
        longest = OFTENEST * self.seconds
        self.lost *= math.exp(-elapsed / longest)
        if lost >= _LITTLE:
            if now - self._last_loss > EPISODE:
                self._began = now
                self.lost = 0.0
            self._last_loss = now
            self.lost += lost * elapsed
        self._due = (
            self.lost >= LOST_PART * self.seconds
            and now - self._born >= longest
            and declared_at < self._began - EPISODE
            and grown >= LEAST_GAIN * state.limit
        )

    def _grown(self, value: float, now: float) -> float:
        """By how much the least use of late exceeds the least since the start was over."""
        if now - self._floor_since > EPISODE:
            self._floor_since = now
            self._floor_before, self._floor = self._floor, math.inf
        if value > 0.0:
            self._floor = min(self._floor, value)
            self._lowest = min(self._lowest, value)
        floor = min(self._floor, self._floor_before)
        return floor - self._lowest if floor < math.inf else 0.0

    def apply(self, need: float) -> None:
        """Ask the application, once."""
        self._asked = True
        super().apply(need)
