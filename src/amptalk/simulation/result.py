"""What came of a simulation: the series, and the figures that are read off them."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from amptalk.model.level import Violation
from amptalk.model.resource import Resource

TOLERANCE = 0.005
"""A level counts as over from this part above its limit: sensors tell no less."""


class Series:
    """One resource over the whole run: columns of equal length, one value a step."""

    __slots__ = (
        "allocation", "announced", "demand", "level", "limit", "measured", "resource", "work",
    )  # fmt: skip

    def __init__(self, resource: Resource, limit: float) -> None:
        self.resource = resource
        self.limit = limit
        self.level = array("d")
        """The true value at the end of each step."""
        self.measured = array("d")
        """What the sensor said then; `nan` for nothing."""
        self.allocation = array("d")
        """The share under which the step ran: decided at the end of the one before."""
        self.work = array("d")
        self.demand = array("d")
        self.announced = array("d")
        """Amount announced to have begun or to begin, in the unit, at the end of each step."""

    def __len__(self) -> int:
        return len(self.level)

    def since(self, first: int) -> Series:
        """The same from step `first` on."""
        rest = Series(self.resource, self.limit)
        for column in ("level", "measured", "allocation", "work", "demand", "announced"):
            setattr(rest, column, getattr(self, column)[first:])
        return rest

    def over(self) -> list[bool]:
        """For each step, whether the level was beyond the limit by more than `TOLERANCE`."""
        if self.resource.minimum:
            line = self.limit * (1.0 - TOLERANCE)
            return [level < line for level in self.level]
        line = self.limit * (1.0 + TOLERANCE)
        return [level > line for level in self.level]

    def overshoot(self) -> float:
        """How far the level was beyond the limit at most, as a share of it; 0 for never."""
        if self.resource.minimum:
            return max(0.0, 1.0 - min(self.level, default=math.inf) / self.limit)
        return max(0.0, max(self.level, default=0.0) / self.limit - 1.0)

    def travel(self) -> float:
        """Sum of all changes of the allocation; 1 is once over the full range."""
        shares = self.allocation
        return sum(abs(b - a) for a, b in pairwise(shares))


class SimulationResult:
    """One run. Shares are 0-1: `time_over` 0.02 is 2 % of the time.

    Of a plant with several resources the figures are those of the worst one, and work is
    that of all of them.
    """

    def __init__(  # noqa: PLR0917 - made in two places
        self,
        plant: str,
        strategy: str,
        period: float,
        series: tuple[Series, ...],
        oracle: array[float] | None,
        begun: float = 0.0,
    ) -> None:
        self.plant = plant
        self.strategy = strategy
        self.period = period
        """Seconds of one step."""
        self.series = series[0]
        """The plant's resource; the first one of several."""
        self.by_resource: Mapping[str, Series] = {one.resource.name: one for one in series}
        self.oracle = oracle
        """The most work each step could do within the limit; `None` when the plant cannot tell."""
        self.begun = begun
        """Seconds of the run before the first step told here."""
        self.effectiveness: Mapping[str, Any] = {}
        """The figures of `manager.effectiveness()`, by the same bookkeeping, of the whole run."""
        self.events: tuple[Mapping[str, Any], ...] = ()
        """Levels, violations and allocations as they changed, with reasons, as in a history."""
        self.violations: tuple[Violation, ...] = ()
        self.missing: dict[str, str] = {}
        """Figure to the reason why it is `nan`."""
        if oracle is None:
            self.missing["work_lost"] = (
                "the plant has no oracle() that tells the most work the next step could do within "
                "the limit"
            )

    def __len__(self) -> int:
        return len(self.series)

    @property
    def seconds(self) -> array[float]:
        """The end of each step, in seconds since the start of the run."""
        return array("d", [self.begun + self.period * (n + 1) for n in range(len(self))])

    def after(self, seconds: float) -> SimulationResult:
        """The rest of the run from `seconds` since its start, such as without the warm-up.

        Effectiveness, events and violations stay those of the whole run.
        """
        first = max(0, round((seconds - self.begun) / self.period))
        rest = SimulationResult(
            self.plant, self.strategy, self.period,
            tuple(one.since(first) for one in self.by_resource.values()),
            None if self.oracle is None else self.oracle[first:],
            self.begun + first * self.period,
        )  # fmt: skip
        rest.effectiveness, rest.events = self.effectiveness, self.events
        rest.violations = self.violations
        return rest

    @property
    def time_over(self) -> float:
        """Share of the time in which a true level was beyond its limit, 0-1.

        By more than `TOLERANCE` (0.5 %). Not what the sensor saw: that is in `effectiveness`.
        """
        over = self._over()
        return sum(over) / len(over) if over else math.nan

    @property
    def worst_overshoot(self) -> float:
        """How far the true level was beyond the limit at most, as a share of it; 0 for never."""
        return max(one.overshoot() for one in self.by_resource.values())

    @property
    def work_lost(self) -> float:
        """Share of the work of the oracle that was not done.

        Negative when more was done, as at the price of being over the limit. `nan` when the
        plant has no oracle; `missing` says so.
        """
        if self.oracle is None:
            return math.nan
        could = sum(self.oracle)
        return 1.0 - self._sum("work") / could if could > 0 else math.nan

    @property
    def work_refused(self) -> float:
        """Share of the demanded work that was not done, whether or not the limit allowed it."""
        wanted = self._sum("demand")
        return 1.0 - self._sum("work") / wanted if wanted > 0 else 0.0

    @property
    def travel_per_minute(self) -> float:
        """Changes of full range (0 to 1) in the allocation per minute."""
        minutes = len(self) * self.period / 60.0
        travel = max(one.travel() for one in self.by_resource.values())
        return travel / minutes if minutes > 0 else math.nan

    def settling_time(self, after: float) -> float:
        """Seconds from `after` (since the start) until the level was over for the last time.

        A single step over the limit is no breach here: two in a row are. 0 when there was
        none after it, `inf` when the run ended in one.
        """
        over = self._over()
        first = max(0, round((after - self.begun) / self.period))
        for n in range(len(over) - 1, first, -1):
            if over[n] and over[n - 1]:
                if n == len(over) - 1:
                    return math.inf
                return self.begun + (n + 1) * self.period - after
        return 0.0

    def _over(self) -> list[bool]:
        columns = [one.over() for one in self.by_resource.values()]
        if len(columns) == 1:
            return columns[0]
        return [any(step) for step in zip(*columns, strict=True)]

    def _sum(self, column: str) -> float:
        return sum(sum(getattr(one, column)) for one in self.by_resource.values())

    def __repr__(self) -> str:
        return f"<SimulationResult: {self}>"

    def __str__(self) -> str:
        lost = self.work_lost
        paid = f"{self.work_refused:.1%} of the demand refused"
        if not math.isnan(lost):
            paid = f"{lost:.1%} of the work lost"
        return (
            f"{self.strategy} on {self.plant}: over the limit for {self.time_over:.1%} of the time "
            f"(worst {self.worst_overshoot:.1%} above), {paid}, "
            f"{self.travel_per_minute:.2f} changes of full range a minute"
        )
