"""One piece of work that asks for admission: what it takes, of which sizes it may be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple


class Status(Enum):
    """Where a request stands."""

    WAITING = "waiting"
    RUNNING = "running"
    REFUSED = "refused"
    """It cannot fit any more, since the limit was lowered."""
    GONE = "gone"


class Choice(NamedTuple):
    """A size of work and what it takes then, by resource."""

    size: float
    amounts: dict[str, float]


class Larger:
    """Larger sizes that work may start with as well; what they take is worked out when asked."""

    __slots__ = ("_amounts", "_sizes", "wanted")

    def __init__(
        self, sizes: Sequence[float], amounts: Callable[[float], dict[str, float]]
    ) -> None:
        self._sizes = sizes
        """The least first, at least one."""
        self._amounts = amounts
        self.wanted = self._choice(-1)
        """The largest."""

    def largest(self, fits: Callable[[dict[str, float]], bool]) -> Choice | None:
        """The largest whose amounts fit, taking it that more work takes no less; `None` if none."""
        if fits(self.wanted.amounts):
            return self.wanted
        found, first, end = None, 0, len(self._sizes) - 1
        while first < end:
            middle = (first + end) // 2
            choice = self._choice(middle)
            if fits(choice.amounts):
                found, first = choice, middle + 1
            else:
                end = middle
        return found

    def _choice(self, place: int) -> Choice:
        size = self._sizes[place]
        return Choice(size, self._amounts(size))


class Shrunk(NamedTuple):
    """How much less work of flexible size was let in than wanted to be."""

    share: float
    """Of the wanted size, 0-1."""
    amount: float
    """Of the resource that the wanted size would have taken more, in its unit."""


NOT_SHRUNK = Shrunk(0.0, 0.0)


class Request:
    """One piece of work that wants to start."""

    __slots__ = (
        "amounts", "climbed", "job", "key", "larger", "lasted", "learned", "least", "loop", "size",
        "started", "status", "waited", "wake",
    )  # fmt: skip

    def __init__(
        self,
        job: str | None,
        amounts: dict[str, float],
        learned: frozenset[str] = frozenset(),
        size: float = math.nan,
        larger: Larger | None = None,
    ) -> None:
        self.job = job
        self.size = size
        """Of the work, as declared; `nan` when it was not."""
        self.amounts = self.least = amounts
        """By resource, in its unit; `least` are those of the least size that it may have."""
        self.learned = learned
        """Resources whose amount was learned: too much of it does not stop a lone job."""
        self.larger = larger
        """Larger sizes that it may start with as well, if there are any."""
        self.climbed: Mapping[str, float] = {}
        """By resource, how far the application had climbed when it began; see `Held`."""
        self.status = Status.GONE
        self.started = math.nan
        self.lasted = 0.0
        """Seconds that it ran, 0 until it ended."""
        self.key: object = None
        """Thread or task that holds it; set by the gate, as the next three are."""
        self.loop: object = None
        self.wake: Callable[[], None] | None = None
        self.waited = False


class View(NamedTuple):
    """What there is to tell of the queue."""

    running: tuple[Request, ...]
    waiting: tuple[Request, ...]
    """The first of those that wait for room or a rest, in their order."""
    room: dict[str, float]
    """What is left of each limit; empty when nothing waits."""
    rest: float
    """Seconds before the next one may start."""
