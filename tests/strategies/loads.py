"""Machines with work of their own on which announced work runs, and runs of them.

A population to count over: of the announced loads some would cross the limit and some not,
they begin a little early or late, take a little more or less than was said, overlap, and some
are taken back. Everything follows from a seed, whatever share may run, so the same run can be
made without control, without loads, and with any strategy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from amptalk.limits.judge import Judge
from amptalk.model.announcement import Announcement
from amptalk.model.decision import Observation, Strategy
from amptalk.model.resource import CPU, MEMORY, POWER, Resource
from amptalk.model.sample import FIELDS, INDEX, Sample


class Machine:
    """Work of its own, of which a share may run, beside a load. `room` is what loads may take."""

    resource: Resource
    limit: float
    room: float
    filling = (0.0, 0.0)
    """Least and most seconds in which a load takes what it takes."""
    admits = True
    """Whether work is admitted by this resource; all can be announced."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.second = 0

    def work(self) -> float:
        """Own demand of this second at full share, in the resource's unit. Once a second."""
        raise NotImplementedError

    def level(self, work: float, load: float) -> tuple[float, float]:
        """True and measured value. Once a second."""
        raise NotImplementedError


class WanderingCpu(Machine):
    """Processor use that wanders about 40 %."""

    resource, limit, room = CPU, 80.0, 40.0

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.wander = 0.0

    def work(self) -> float:
        self.wander = 0.95 * self.wander + self.random.gauss(0, 1.2)
        return max(2.0, 28.0 + self.wander)

    def level(self, work: float, load: float) -> tuple[float, float]:
        value = 12.0 + work + load
        return value, max(0.0, value + self.random.gauss(0, 1.5))


class BurstyCpu(Machine):
    """Processor use in bursts of half a minute, a third of the time."""

    resource, limit, room = CPU, 85.0, 45.0

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.on = False
        self.value = 15.0

    def work(self) -> float:
        if self.random.random() < (1 / 30 if self.on else 1 / 60):
            self.on = not self.on
        return 40.0 if self.on else 12.0

    def level(self, work: float, load: float) -> tuple[float, float]:
        self.value += 0.7 * (12.0 + work - self.value)
        value = self.value + load
        return value, max(0.0, value + self.random.gauss(0, 1.5))


class CollectedMemory(Machine):
    """Memory with garbage that is collected at times, filled by work within half a minute."""

    resource, limit, room = MEMORY, 1000.0, 420.0
    filling = (1.0, 8.0)

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.used = 280.0

    def work(self) -> float:
        return 280.0

    def level(self, work: float, load: float) -> tuple[float, float]:
        self.used += (work - self.used) / 30.0 + self.random.gauss(0, 1.5)
        self.second += 1
        value = 250.0 + self.used + 50.0 * (self.second % 45) / 45 + load
        return value, round(value + self.random.gauss(0, 1))


class SteppedPower(Machine):
    """Watts that jump between activities; the sensor averages over two seconds."""

    resource, limit, room = POWER, 60.0, 30.0
    admits = False

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.activity = 0.6
        self.average = 30.0

    def work(self) -> float:
        if self.random.random() < 0.03:
            self.activity = self.random.choice((0.4, 0.6, 0.8))
        return 30.0 * self.activity

    def level(self, work: float, load: float) -> tuple[float, float]:
        value = 14.0 + work + load
        self.average += 0.6 * (value - self.average)
        return value, self.average + self.random.gauss(0, 0.4)


MACHINES = (WanderingCpu, BurstyCpu, CollectedMemory, SteppedPower)


class Load(NamedTuple):
    """Work that is announced, and what it does."""

    amount: float
    starts: float
    duration: float
    told: float
    """Second from which it is announced; `starts` for work that is admitted at once."""
    taken: float
    """What it takes in truth …"""
    begins: float
    ends: float
    filling: float
    """… from when until when, and how long it fills."""
    cancelled: float
    """Second at which it is taken back, before it begins; `inf` for most."""

    def at(self, second: float) -> float:
        """What it takes at a moment."""
        if self.cancelled < math.inf or not self.begins <= second < self.ends:
            return 0.0
        filled = (second - self.begins + 1.0) / self.filling if self.filling else 1.0
        return self.taken * min(1.0, filled)

    def announced(self, second: float) -> bool:
        """Whether the strategy is told of it."""
        if not self.told <= second < min(self.cancelled, self.starts + self.duration):
            return False
        return not self.admitted or self.at(second) < 0.95 * self.amount

    @property
    def admitted(self) -> bool:
        """Whether it begins as soon as it is known."""
        return self.told == self.starts

    def announcement(self, resource: str, second: float) -> Announcement:
        """How it is told: of admitted work what it has not taken yet, else all of it."""
        if self.admitted:
            left = self.starts + self.duration - second
            return Announcement(resource, self.amount - self.at(second), 0.0, left)
        return Announcement(resource, self.amount, self.starts - second, self.duration)


def loads_for(machine: Machine, random: Random, seconds: int) -> tuple[Load, ...]:
    """Announced and admitted loads for a run; the first after two minutes."""
    loads: list[Load] = []
    moment = 120.0
    while True:
        moment += random.uniform(30, 90)
        duration = float(round(random.uniform(10, 60)))
        if moment + duration > seconds - 30:
            return tuple(loads)
        for starts in [moment] if random.random() < 0.85 else [moment, moment + duration / 2]:
            amount = machine.room * random.uniform(0.1, 1.5)
            admitted = random.random() < 0.3
            late = random.uniform(0, 1) if admitted else random.uniform(-1, 2)
            told = starts if admitted and machine.admits else starts - random.uniform(3, 60)
            begins = starts + late
            cancelled = told < starts and random.random() < 0.08
            loads.append(
                Load(
                    amount, starts, duration, told,
                    amount * min(1.05, random.gauss(0.96, 0.04)),
                    begins, begins + duration + random.uniform(-1, 1),
                    random.uniform(*machine.filling),
                    (told + starts) / 2 if cancelled else math.inf,
                )
            )  # fmt: skip
        moment += 1.5 * duration


@dataclass
class Run:
    """What happened, second by second."""

    loads: tuple[Load, ...]
    values: list[float] = field(default_factory=list)
    """Measured."""
    over: list[bool] = field(default_factory=list)
    """Measured beyond the limit."""
    truly_over: list[bool] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    seconds_to: list[float] = field(default_factory=list)
    wanted: float = 0.0
    done: float = 0.0

    def breach(self, begin: int, end: int) -> int | None:
        """First second of two in a row beyond the limit, that lies in [begin, end)."""
        over = self.over
        for second in range(begin, min(end, len(over) - 1)):
            if over[second] and over[second + 1]:
                return second
        return None


def run_loads(
    make: type[Machine],
    strategy: Strategy | None,
    seed: int,
    seconds: int = 1500,
    *,
    loaded: bool = True,
    obeyed: bool = True,
    told: bool = True,
) -> Run:
    """Run a machine under a strategy; without `obeyed` its decisions are only listened to."""
    machine = make(Random(seed))
    loads = loads_for(machine, Random(seed + 10_000), seconds) if loaded else ()
    judge = Judge(((machine.resource, machine.limit),), 1.0)
    run = Run(loads)
    share = 1.0
    for second in range(seconds):
        work = machine.work()
        true, measured = machine.level(work * share, sum(one.at(second) for one in loads))
        run.wanted += work
        run.done += work * share
        run.values.append(measured)
        run.over.append(measured > machine.limit)
        run.truly_over.append(true > machine.limit)
        row = [math.nan] * len(FIELDS)
        row[INDEX[machine.resource.field]] = measured
        now = float(second)
        limits = judge.judge(Sample(now, now, tuple(row)), lambda _field: 0.0)
        coming = tuple(
            one.announcement(machine.resource.name, now)
            for one in loads
            if told and one.announced(now)
        )
        probability, to = 0.0, math.inf
        if strategy is not None:
            decision = strategy.decide(Observation(now, 1.0, limits, coming))
            (allocation,) = decision.allocations
            if obeyed:
                share = allocation.share
            if allocation.expected is not None:
                probability, to = allocation.expected.probability, allocation.expected.seconds
        run.shares.append(share)
        run.probabilities.append(probability)
        run.seconds_to.append(to)
    return run


class Episode(NamedTuple):
    """Loads that overlap, from the first that is announced to the end of the last."""

    told: int
    begins: int
    ends: int
    cancelled: bool
    """Whether a load of it was taken back."""
    loads: tuple[Load, ...]


def episodes(loads: tuple[Load, ...]) -> Iterator[Episode]:
    """Loads in order, those that overlap as one."""
    group: list[Load] = []
    for load in sorted(loads, key=lambda one: one.starts):
        if group and load.starts > max(one.ends for one in group) + 3.0:
            yield _episode(group)
            group = []
        group.append(load)
    if group:
        yield _episode(group)


def _episode(group: list[Load]) -> Episode:
    return Episode(
        math.ceil(min(one.told for one in group)),
        math.floor(min(one.begins for one in group)),
        math.ceil(max(one.ends for one in group)) + 2,
        any(one.cancelled < math.inf for one in group),
        tuple(group),
    )
