"""What a strategy sees and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

from amptalk.model.announcement import Announcement
from amptalk.model.level import LimitState

MINIMUM_SHARE = 0.05
"""The smallest allocation: work never stops altogether by allocation alone."""


Hold = Literal["physical", "rate"]


class Ask(NamedTuple):
    """What a component asks of one resource: at least `minimum`, at most `maximum`."""

    minimum: float
    maximum: float
    weight: float = 1.0
    priority: int = 0
    """Beyond the minimums, a higher one is served first."""
    step: float = 0.0
    """A grant is the minimum plus whole steps; 0 for any amount."""
    hold: Hold = "physical"
    """`physical` (memory): never granted again while its holder lives and was not measured to have
    given it up. `rate` (CPU time, watts): lapses when its holder is silent, which an enforcer
    makes true on the holder's side."""
    coupled: bool = False
    """Grows in proportion with the other coupled asks of its component."""


class Band(NamedTuple):
    """What is expected at one moment, between what holds nine times in ten."""

    low: float
    mean: float
    high: float


class Claim(NamedTuple):
    """A forecast that can be checked later; telemetry keeps score of them."""

    step: float
    """Seconds until `soon`."""
    soon: Band
    horizon: float
    """Seconds until `late`."""
    late: Band
    within: float
    """Seconds for which the expectation's probability holds."""


class Expectation(NamedTuple):
    """What a strategy expects of a value if no more is held back than now."""

    value: float
    """Highest expected value within the horizon, in the resource's unit."""
    seconds: float
    """Until the limit is met, 0 when it is exceeded; `inf` when that is not to be expected.
    May be far beyond the horizon: a slow leak is seen hours before."""
    probability: float
    """Probability that the limit is crossed within the horizon, 0-1."""
    claim: Claim | None = None
    """The same in full, where the strategy forecasts values."""


class Allocation(NamedTuple):
    """Share of full work that may run from now on, for one resource."""

    resource: str
    share: float
    """In (0, 1]; 1 is everything."""
    reason: str
    expected: Expectation | None = None


class Decision(NamedTuple):
    """The answer of a strategy to one observation."""

    strategy: str
    allocations: tuple[Allocation, ...]
    interval: float | None = None
    """Sampling interval the strategy would like, in seconds; `None` leaves it to the loop."""
    divided: Mapping[str, float] | None = None
    """Cooperative only: how much of each limit its components may hold together. The same object
    while it is the same."""

    def share(self, resource: str | None) -> float:
        """Allocation for a resource, or the smallest of all for `None`; 1 when none is decided."""
        shares = [a.share for a in self.allocations if resource is None or a.resource == resource]
        return min(shares, default=1.0)


class Past(Protocol):
    """What a strategy may ask of the history."""

    def slope(self, field: str, seconds: float) -> float:
        """Growth per second over the last `seconds`, `nan` when unknown."""

    def percentile(self, field: str, percent: float, seconds: float) -> float:
        """Value that `percent` of the readings of the last `seconds` do not exceed."""

    def values(self, field: str, seconds: float) -> list[tuple[float, float]]:
        """Readings of the last `seconds` as (monotonic time, value)."""


class Observation(NamedTuple):
    """Everything a strategy may look at. Time is data: nothing reads a clock."""

    now: float
    """Monotonic seconds."""
    interval: float
    """Seconds since the previous observation (the nominal interval at the first)."""
    limits: tuple[LimitState, ...]
    announcements: tuple[Announcement, ...] = ()
    """Demand that is known to come and not measured yet, `starts_in` relative to `now`."""
    granted: Mapping[str, Mapping[str, float]] = {}
    """By resource, what each component of this process may hold now; the same object while it is
    the same."""
    history: Past | None = None
    """What was seen so far, for strategies that look back further than they remember."""


class Strategy(Protocol):
    """Decides what may run. Pure: no input, no output, no clock."""

    @property
    def name(self) -> str:
        """The name a user selects it by."""

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation; called once a tick, in order."""
