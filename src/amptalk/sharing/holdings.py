"""What one component holds of one resource, from grant to confirmed shrink.

A holding is **charged** max(old, new) until its shrink is confirmed: the component's
`on_shrink` has returned, and the measured total has dropped by half of what was given
up or the settle time is over (it may not have used what it gave up). One that raises
or hangs stays charged; a call that raised is made again after the settle time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from amptalk.model.decision import Ask
from amptalk.model.resource import Resource

SETTLE_SECONDS = 5.0
"""After this long a shrink that was carried out counts without a measured drop."""
CALL_DEADLINE = 2.0
"""Seconds that `on_shrink` or `on_grow` may take."""

Notify = Callable[[str, float], object]
"""Told a resource's name and how much of it may be used from now on."""


class Pending(Protocol):
    """A call that was started off the tick."""

    error: str | None

    @property
    def done(self) -> bool:
        """True when it has returned or raised."""


class Runner(Protocol):
    """Calls functions off the tick, at most one at a time for each key."""

    def call(self, key: str, function: Callable[[], object], deadline: float) -> Pending | None:
        """Start a call; `None` while the last one with this key has not come back."""


class Holding:
    """Grant and charge of one component and resource, in the resource's unit."""

    __slots__ = (
        "_before", "_call", "_key", "_on_grow", "_on_shrink", "_retry_at", "_since", "_told", "ask",
        "charged", "granted", "note", "resource",
    )  # fmt: skip

    def __init__(
        self,
        component: str,
        resource: Resource,
        ask: Ask,
        on_shrink: Notify | None,
        on_grow: Notify | None,
    ) -> None:
        self.resource = resource
        self.ask = ask
        self.granted = 0.0
        """What may be used."""
        self.charged = 0.0
        """What is counted against the limit."""
        self.note = ""
        """What keeps a shrink from being confirmed, for people."""
        self._key = f"component {component} {resource.name}"
        self._on_shrink = on_shrink
        self._on_grow = on_grow
        self._call: Pending | None = None
        self._told = 0.0
        self._retry_at = -math.inf
        self._since = math.nan
        self._before = math.nan

    def begin(self, amount: float) -> None:
        """Hold an amount from the start, without a call."""
        self.granted = self.charged = self._told = amount

    def shrink(self, target: float, used: float, now: float) -> None:
        """Lower the grant at once; `used` is the measured total. The charge stays."""
        if math.isnan(self._since):
            self._before = used
        self._since = now
        self.granted = target

    def grow(self, target: float) -> None:
        """Raise the grant; the caller has made sure of the room."""
        self.granted = target
        self.charged = max(self.charged, target)

    def settle(self, runner: Runner, used: float, now: float) -> bool:
        """Tell the component of its grant and confirm its shrink; false until both are done."""
        if not self._deliver(runner, now):
            return False
        if self.charged > self.granted:
            dropped = self._before - used >= 0.5 * (self.charged - self.granted)
            if not dropped and now - self._since < SETTLE_SECONDS:
                self.note = "waiting for the measured use to drop"
                return False
            self.charged = self.granted
        self._since = math.nan
        self.note = ""
        return True

    def _deliver(self, runner: Runner, now: float) -> bool:
        """Whether the component was told its present grant and has taken it."""
        call = self._call
        if call is not None:
            if not call.done:
                self.note = "its callback has not come back"
                return False
            self._call = None
            if call.error is not None and self.granted < self.charged:
                self.note = f"on_shrink raised {call.error}"
                self._told = math.nan
                self._retry_at = now + SETTLE_SECONDS
        if self._told == self.granted:
            return True
        notify = self._on_grow if self.granted > self._told else self._on_shrink
        if notify is None:
            self._told = self.granted
            return True
        if now >= self._retry_at:
            self._start(runner, notify, self.granted)
        return False

    def _start(self, runner: Runner, notify: Notify, target: float) -> None:
        resource = self.resource.name
        call = runner.call(self._key, lambda: notify(resource, target), CALL_DEADLINE)
        if call is not None:
            self._call = call
            self._told = target
