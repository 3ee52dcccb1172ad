"""What one component holds of one resource, from grant to confirmed shrink.

A holding is **charged** max(old, new) until its shrink is confirmed: the component's `on_shrink`
has returned, and what is measured says so. Where it is the only one of its process that holds the
resource, the measured use is its own: it is charged for all of it. Otherwise the use of the whole
process must have dropped by half of what was given up; once the settle time is over it is charged
for what is used beyond that of the others, as they were granted when the shrink began. One that
raises, hangs or lies stays charged; it is asked again, after its deadline for everything above its
minimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

from amptalk.model.decision import Ask
from amptalk.model.resource import Resource
from amptalk.sharing.pressure import Notify, Pressure, Request, call

SETTLE_SECONDS = 5.0
"""After this long a shrink that was carried out counts without a measured drop."""
TRIM_FROM = 0.95
"""A component is asked to trim when this part of what its process may use is used."""
TRIM_EVERY = 10.0
"""Seconds between two such requests."""


class Pending(Protocol):
    """A call that was started elsewhere."""

    error: str | None

    @property
    def done(self) -> bool:
        """True when it has returned or raised."""


class Runner(Protocol):
    """Calls functions elsewhere, at most one at a time for each key."""

    def call(self, key: str, function: Callable[[], object], deadline: float) -> Pending | None:
        """Start a call; `None` while the last one with this key has not come back."""


class Reaction(NamedTuple):
    """How a component answers to another grant."""

    on_shrink: Notify | None
    on_grow: Notify | None
    shrink_seconds: float
    """How long a shrink may take."""


class Seen(NamedTuple):
    """What is known of a resource when a holding is settled."""

    now: float
    """Monotonic seconds."""
    used: float
    """Measured use of the whole process; `nan` when unknown."""
    granted: float
    """What all components of the process were granted."""
    alone: bool
    """Whether this is the only one of them that holds the resource."""


class Holding:
    """Grant and charge of one component and resource, in the resource's unit."""

    __slots__ = (
        "_before", "_call", "_key", "_on_grow", "_on_shrink", "_others", "_retry_at", "_runner",
        "_since", "_told", "_trimmed_at", "ask", "charged", "granted", "note", "resource",
        "shrink_seconds",
    )  # fmt: skip

    def __init__(
        self, component: str, resource: Resource, ask: Ask, runner: Runner, reaction: Reaction
    ) -> None:
        self.resource = resource
        self.ask = ask
        self.granted = 0.0
        """What may be used."""
        self.charged = 0.0
        """What is counted against the capacity."""
        self.note = ""
        """What keeps a shrink from being confirmed, for people."""
        self.shrink_seconds = reaction.shrink_seconds
        self._key = f"component {component} {resource.name}"
        self._on_shrink, self._on_grow = reaction.on_shrink, reaction.on_grow
        self._runner = runner
        self._call: Pending | None = None
        self._told = 0.0
        self._retry_at = self._trimmed_at = -math.inf
        self._since = self._before = math.nan
        self._others = 0.0
        """What the other components of the process were granted when the shrink began."""

    def begin(self, amount: float) -> None:
        """Hold an amount from the start, without a call."""
        self.granted = self.charged = self._told = amount

    def follow(self, granted: float, *, itself: bool = False) -> None:
        """Take over what the ledger grants. A shrink stays charged until it is confirmed.

        `itself`: the component has given it back on its own and need not be told.
        """
        if granted < self.granted:
            self._since = math.nan
        self.granted = granted
        self.charged = max(self.charged, granted)
        if itself:
            self._told = granted

    @property
    def due(self) -> bool:
        """Whether `settle` has something to do."""
        return self.charged > self.granted or self._told != self.granted

    def settle(self, seen: Seen) -> bool:
        """Tell the component of its grant and confirm its shrink; false until both are done."""
        if self.charged > self.granted and math.isnan(self._since):
            self._since, self._before = seen.now, seen.used
            self._others = seen.granted - self.granted
        if not self._deliver(seen.now):
            return False
        if self.charged > self.granted and not self._confirmed(seen):
            self._press(seen.now)
            return False
        self._since = math.nan
        self.note = ""
        self._trim(seen)
        return True

    def _confirmed(self, seen: Seen) -> bool:
        """Lower the charge as far as is proven; whether that is all."""
        late = seen.now - self._since >= SETTLE_SECONDS
        if self.ask.hold == "rate" or (math.isnan(seen.used) and late):
            self.charged = self.granted
        elif math.isnan(seen.used):
            return False
        elif seen.alone:
            self.charged = min(self.charged, max(self.granted, seen.used))
        elif self._before - seen.used >= 0.5 * (self.charged - self.granted):
            self.charged = self.granted
        elif late:
            beyond = max(0.0, seen.used - self._others - self.granted)
            self.charged = min(self.charged, self.granted + beyond)
        return self.charged <= self.granted

    def _press(self, now: float) -> None:
        """Ask again, for everything above the minimum, when the deadline has passed."""
        self.note = "waiting for the measured use to drop"
        late = now - self._since
        if late <= self.shrink_seconds or self._on_shrink is None or self._call is not None:
            return
        self.note = f"not confirmed {late:.0f} s after it was asked to shrink"
        if now >= self._retry_at:
            self._retry_at = now + SETTLE_SECONDS
            self._start(self._on_shrink, Pressure.EVICT, self.ask.minimum)

    def _trim(self, seen: Seen) -> None:
        due = seen.now - self._trimmed_at >= TRIM_EVERY
        if self._on_shrink is None or self.ask.hold == "rate" or not due:
            return
        if seen.used > TRIM_FROM * seen.granted:
            self._trimmed_at = seen.now
            self._start(self._on_shrink, Pressure.TRIM, self.granted)

    def _deliver(self, now: float) -> bool:
        """Whether the component was told its present grant and has taken it."""
        pending = self._call
        if pending is not None:
            if not pending.done:
                self.note = "its callback has not come back"
                return False
            self._call = None
            if pending.error is not None and self.granted < self.charged:
                self.note = f"on_shrink raised {pending.error}"
                self._told = math.nan
                self._retry_at = now + SETTLE_SECONDS
        if self._told == self.granted:
            return True
        grows = self.granted > self._told
        notify = self._on_grow if grows else self._on_shrink
        if notify is None:
            self._told = self.granted
            return True
        if now >= self._retry_at:
            self._start(notify, Pressure.NONE if grows else Pressure.SHRINK, self.granted)
        return False

    def _start(self, notify: Notify, level: Pressure, target: float) -> None:
        seconds = self.shrink_seconds if level >= Pressure.SHRINK else math.inf
        request = Request(level, self.resource.name, target, seconds)
        pending = self._runner.call(self._key, lambda: call(notify, request), self.shrink_seconds)
        if pending is not None:
            self._call = pending
            if level in (Pressure.NONE, Pressure.SHRINK):
                self._told = target
