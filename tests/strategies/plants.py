"""Small simulated machines and the loop that lets a strategy control them.

A plant takes the share of work that may run and answers with the true level, the
level as a sensor would report it, and the work that was done. `fair` is the largest
steady share that keeps the level at the limit: the yardstick for lost work.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from amptalk.model.announcement import Announcement
from amptalk.model.decision import Allocation, Decision, Observation, Strategy
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import CPU, MEMORY, POWER, TEMPERATURE, Resource

LATENCY = Resource("latency", "ms", "rate", "latency_ms", device_wide=False)


class Plant:
    resource: Resource
    limit: float

    def __init__(self, random: Random) -> None:
        self.random = random
        self.seconds = 0
        self.done = 0.0

    def fair(self) -> float:
        raise NotImplementedError

    def step(self, share: float) -> tuple[float, float]:
        """Run a second; return the true and the measured level."""
        raise NotImplementedError


class Thermal(Plant):
    """Die and board of a small computer as two thermal masses; warmer air after half the time."""

    resource, limit = TEMPERATURE, 80.0

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.die = self.board = 45.0
        self.to_board = 3.2 * random.uniform(0.8, 1.2)
        self.to_air = 5.0 * random.uniform(0.8, 1.2)

    @property
    def air(self) -> float:
        return 25.0 if self.seconds < 900 else 35.0

    def step(self, share: float) -> tuple[float, float]:
        watts = 2.0 + 5.5 * math.pow(share, 2.2)
        for _ in range(10):
            flow = (self.die - self.board) / self.to_board
            self.die += 0.1 * (watts - flow) / 4.0
            self.board += 0.1 * (flow - (self.board - self.air) / self.to_air) / 55.0
        self.seconds += 1
        self.done = share
        return self.die, round(self.die + self.random.gauss(0, 0.3), 1)

    def fair(self) -> float:
        watts = (self.limit - self.air) / (self.to_board + self.to_air)
        return min(1.0, math.pow(max(0.0, (watts - 2.0) / 5.5), 1 / 2.2))


class Power(Plant):
    """Accelerator with twelve clock steps whose activity jumps; the sensor averages."""

    resource, limit = POWER, 50.0

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.activity = 0.6
        self.average = 30.0

    def step(self, share: float) -> tuple[float, float]:
        if self.random.random() < 0.05:
            self.activity = self.random.choice((0.25, 0.6, 0.85, 1.0))
        self.done = max(1, math.floor(share * 12)) / 12
        watts = 18 + 60 * math.pow(self.done, 3) * self.activity
        self.average += 0.6 * (watts - self.average)
        self.seconds += 1
        return watts, self.average + self.random.gauss(0, 0.5)

    def fair(self) -> float:
        return math.floor(12 * min(1.0, math.pow(32 / (60 * self.activity), 1 / 3))) / 12


class Leak(Plant):
    """Memory that work leaks and that drains slowly, with garbage that is collected at times."""

    resource, limit = MEMORY, 900.0

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.used = 300.0
        self.base = random.uniform(10, 16)

    @property
    def leak(self) -> float:
        return self.base * (1.6 if self.seconds > 900 else 1.0)

    def step(self, share: float) -> tuple[float, float]:
        self.used += self.leak * share + self.random.gauss(0, 1) - 0.012 * (self.used - 250)
        self.seconds += 1
        self.done = share
        level = self.used + 25 * (self.seconds % 40) / 40
        return level, round(level + self.random.gauss(0, 2))

    def fair(self) -> float:
        return min(1.0, 0.012 * (self.limit - 275) / self.leak)


class Bursty(Plant):
    """Processor use by bursts of work over a background that wanders."""

    resource, limit = CPU, 85.0

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.on = False
        self.background = self.level = 15.0

    @property
    def demand(self) -> float:
        return 1.0 if self.on else 0.25

    def step(self, share: float) -> tuple[float, float]:
        if self.random.random() < (1 / 30 if self.on else 1 / 60):
            self.on = not self.on
        self.background = min(45.0, max(5.0, self.background + self.random.gauss(0, 0.6)))
        self.done = min(share, self.demand)
        self.level += 0.7 * (min(140.0, self.background + 95 * self.done) - self.level)
        self.seconds += 1
        return self.level, min(140.0, self.level + self.random.gauss(0, 2))

    def fair(self) -> float:
        return min(self.demand, (self.limit - self.background) / 95)


class Queue(Plant):
    """Latency of a server that loses two fifths of its capacity after half the time."""

    resource, limit = LATENCY, 60.0

    @property
    def capacity(self) -> float:
        return 32.0 * (0.6 if self.seconds > 900 else 1.0)

    def step(self, share: float) -> tuple[float, float]:
        waiting = 64 * share
        level = 30 * max(1.0, waiting / self.capacity)
        self.done = min(waiting, self.capacity) / 32.0
        self.seconds += 1
        return level, max(1.0, level * self.random.lognormvariate(0, 0.06))

    def fair(self) -> float:
        return min(1.0, self.capacity * self.limit / 30 / 64)


class Noisy(Plant):
    """Processor use that is proportional to the share, seen through a rough sensor."""

    resource, limit = CPU, 80.0

    def step(self, share: float) -> tuple[float, float]:
        level = 20.0 + 75.0 * share + self.random.gauss(0, 1)
        self.seconds += 1
        self.done = share
        return level, max(0.0, level + self.random.gauss(0, 6))

    def fair(self) -> float:
        return 0.8


class Periodic(Plant):
    """Processor use beside a neighbour that comes and goes smoothly, once a minute."""

    resource, limit = CPU, 80.0

    @property
    def neighbour(self) -> float:
        return 30.0 + 20.0 * math.sin(2 * math.pi * self.seconds / 60)

    def step(self, share: float) -> tuple[float, float]:
        level = self.neighbour + 60.0 * share
        self.seconds += 1
        self.done = share
        return level, level + self.random.gauss(0, 0.5)

    def fair(self) -> float:
        return min(1.0, (self.limit - self.neighbour) / 60.0)


class Steady(Plant):
    """Processor use that only follows the share, with a good sensor."""

    resource, limit = CPU, 60.0

    def step(self, share: float) -> tuple[float, float]:
        level = 10.0 + 80.0 * share
        self.seconds += 1
        self.done = share
        return level, level + self.random.gauss(0, 0.3)

    def fair(self) -> float:
        return 0.625


class Visited(Plant):
    """A server that is visited by a heavy job now and then; `visits` tells when."""

    resource, limit = POWER, 90.0
    every, stay = 120, 30

    def coming(self, second: int) -> tuple[Announcement, ...]:
        since = second % self.every
        starts = -since if since < self.stay else self.every - since
        return (Announcement("power", 35.0, float(starts), float(self.stay)),)

    def step(self, share: float) -> tuple[float, float]:
        here = 35.0 if self.seconds % self.every < self.stay else 0.0
        level = 10.0 + 80.0 * share + here + self.random.gauss(0, 0.5)
        self.seconds += 1
        self.done = share
        return level, level

    def fair(self) -> float:
        return 45 / 80 if self.seconds % self.every < self.stay else 1.0


PLANTS = (Thermal, Power, Leak, Bursty, Queue)


@dataclass
class Score:
    over: float
    """Percent of the time above the limit."""
    lost: float
    """Percent of the fair work that was not done; negative when more was done."""
    peak: float
    """Worst excess in percent of the limit."""
    travel: float
    """Sum of changes of the share per minute."""

    @property
    def cost(self) -> float:
        return self.over + max(0.0, self.lost)


Hook = Callable[[int], tuple[Announcement, ...]]


def run(
    make: Callable[[Random], Plant],
    strategy: Strategy,
    seed: int,
    steps: int = 1800,
    announced: Hook | None = None,
) -> Score:
    """Let a strategy control a plant, seeing what the sensor said a second ago."""
    plant = make(Random(seed))
    share, seen, over, done, fair = 0.5, math.nan, 0, 0.0, 0.0
    peak, travel = -math.inf, 0.0
    for second in range(steps):
        could = plant.fair()
        true, measured = plant.step(share)
        if second >= 60:
            over += true > plant.limit * 1.005
            peak = max(peak, true / plant.limit - 1)
            done += plant.done
            fair += max(could, 0.05)
        state = LimitState(
            plant.resource, plant.limit, measured if math.isnan(seen) else seen,
            Level.NORMAL, True, False, 0.0, math.inf,
        )  # fmt: skip
        seen = measured
        coming = announced(second) if announced is not None else ()
        decision = strategy.decide(Observation(float(second), 1.0, (state,), coming))
        before, share = share, decision.share(plant.resource.name)
        travel += abs(share - before)
    scored = steps - 60
    return Score(100 * over / scored, 100 * (1 - done / fair), 100 * peak, travel / steps * 60)


class Aimd:
    """The yardstick: add 1/64 a second below 97 % of the limit, else take a tenth away."""

    name = "aimd"

    def __init__(self) -> None:
        self.share = 0.5

    def decide(self, observation: Observation) -> Decision:
        state = observation.limits[0]
        if state.value > 0.97 * state.limit:
            self.share = max(0.05, self.share * 0.9)
        else:
            self.share = min(1.0, self.share + 1 / 64)
        return Decision(self.name, (Allocation(state.resource.name, self.share, ""),))


class NoControl:
    """Everything may run always."""

    name = "none"

    def decide(self, observation: Observation) -> Decision:
        return Decision(self.name, ())
