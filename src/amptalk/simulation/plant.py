"""What a plant is: the part of the world that a strategy controls, as `simulate` needs it.

A plant is any object with these attributes; nothing has to be inherited. Plants that
come with the package are in `plants`.

A plant may have more, and `simulate` uses it when it is there:

- `reset(seed: int)` begins anew, called once before the first step. A plant without it
  is used as it is.
- `oracle() -> float`: the most work, in the unit of `PlantState.work`, that the next
  step could do for ever without taking the level beyond the limit. Asked before each
  step; the yardstick for `work_lost`.
- `join(component)`: called once with what is `manager.component` in a live run, so that
  the plant registers its components and follows their grants (strategy `cooperative`).
- `name`: what results call it; the name of its class otherwise.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from amptalk.model.resource import Resource


class ToCome(Protocol):
    """Work that a plant tells of ahead; `amptalk.model.announcement.Announcement` is one."""

    @property
    def resource(self) -> str:
        """Name of the resource, as in `Plant.resource`."""

    @property
    def amount(self) -> float:
        """Demand on top of what is used otherwise, in the resource's unit, when it runs in full."""

    @property
    def starts_in(self) -> float:
        """Seconds from the end of the step; negative when it has begun."""

    @property
    def duration(self) -> float:
        """Seconds; `inf` when it stays."""


class PlantState(NamedTuple):
    """What a plant did in one step."""

    level: float
    """The true value of the resource at the end of the step, in its unit; always a number."""
    measured: float
    """What the sensor says at that time; `nan` where it gave nothing."""
    work: float
    """Work done in the step, as a share of what an unlimited step does; 0 or more."""
    demand: float
    """Work that wanted to be done in the step, in the same unit."""
    announced: tuple[ToCome, ...] = ()
    """Work to come that is known by now. It may be told once or again in every step: the same
    work (resource, amount and start or end) counts once, until it ends or is told no longer
    after having been told twice."""


class Plant(Protocol):
    """Takes the share of work that may run for one period, and tells what came of it."""

    @property
    def resource(self) -> str | Resource:
        """What is limited.

        A known resource by its name ("memory") or the field of the sample that measures it
        ("power_watts"), any other name such as "latency_ms" for a signal, or a `Resource`
        itself, such as one with `minimum=True` for a frame rate.
        """

    @property
    def limit(self) -> float:
        """In the resource's unit, above 0."""

    @property
    def period(self) -> float:
        """Seconds of one step, 0.05 to 3600."""

    def step(self, allocation: float, /) -> PlantState:
        """Run for one period; `allocation` is in (0, 1], 1 is everything."""


class CoupledPlant(Protocol):
    """A plant with several resources, each with its own allocation, that affect each other."""

    @property
    def resource(self) -> tuple[str | Resource, ...]:
        """What is limited, as for `Plant`."""

    @property
    def limit(self) -> tuple[float, ...]:
        """The limit of each resource, in the same order."""

    @property
    def period(self) -> float:
        """Seconds of one step, 0.05 to 3600."""

    def step(self, allocation: tuple[float, ...], /) -> tuple[PlantState, ...]:
        """Run for one period with one allocation a resource; tells one state a resource."""
