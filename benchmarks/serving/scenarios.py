"""What happens to the service: one row a scenario. Pure data; who serves is in `arms`.

Sizes are MiB, times seconds, rates requests a second. A model's weights come in over
`load`, at the start, after every restart and, of the second model, whenever it is asked for.
"""

from __future__ import annotations

from typing import NamedTuple

UNIT_MB = 10.0
"""Working memory of a request of mean size, from the begin of its batch to its end."""
LARGEST_BATCH = 16
IDLE_UNLOAD = 10.0
"""A second model that was not asked for so long is unloaded, in every arm."""
PROCESS_MB = 20.0
"""What the interpreter with its libraries takes, roughly: for `pressure` alone."""


class Scenario(NamedTuple):
    """One way in which a service is used, and what goes wrong meanwhile."""

    name: str
    budget: float
    about: str
    first: float = 60.0
    """Weights of the first model, which is always there."""
    second: float = 0.0
    """Weights of the second model, 0 for none."""
    load: float = 6.0
    """Seconds until a model's weights are there."""
    deadline: float = 1.5
    base: float = 12.0
    burst: float = 28.0
    """Rate for 3 s in every 7 s."""
    second_rate: float = 2.0
    second_share: float = 0.45
    """Part of the time in which the second model is asked for, in `second_windows` pieces."""
    growth: str = ""
    """What each request leaves behind: nothing, a "cache" that can be dropped, a "leak"."""
    neighbour: float = 0.0
    """Part of the time in which another program wants every core."""
    announced: bool = True
    """Whether ours is told of the second model's load before it begins."""
    real: bool = False
    """The second model is a real one that reads text, in place of arrays."""

    def pressure(self, batch: int) -> float:
        """Memory at a batch of requests of mean size with everything loaded, over the budget."""
        work = batch * UNIT_MB + (UNIT_MB if self.second else 0.0)
        return (PROCESS_MB + self.first + self.second + work) / self.budget

    def left_behind(self, seconds: float) -> float:
        """MiB that a request leaves behind, so that the budget is full after half of the time."""
        if not self.growth:
            return 0.0
        room = self.budget - PROCESS_MB - self.first - LARGEST_BATCH * UNIT_MB
        return room / (self.mean_rate * seconds / 2.0)

    @property
    def mean_rate(self) -> float:
        """Requests a second for the first model, over bursts and pauses."""
        return (self.base * (BURST_EVERY - BURST_SECONDS) + self.burst * BURST_SECONDS) / (
            BURST_EVERY
        )


BURST_SECONDS, BURST_EVERY = 3.0, 7.0
SECOND_WINDOWS = 3

SCENARIOS = (
    Scenario("calm", 300.0, "nothing wrong, no bursts", burst=12.0),
    Scenario("hard-roomy", 500.0, "nothing wrong: a second model and bursts, all of it fits",
             second=150.0),
    Scenario("neighbour", 500.0, "another program wants every core for 60 % of the time",
             burst=12.0, neighbour=0.6),
    Scenario("cache", 350.0, "each request leaves something in a cache that can be dropped",
             load=3.0, deadline=1.0, burst=20.0, growth="cache"),
    Scenario("leak", 350.0, "each request leaves something behind for good", load=3.0,
             deadline=1.0, burst=20.0, growth="leak"),
    Scenario("tight-slow", 300.0, "a second model fits beside small batches only; loads in 6 s",
             second=150.0),
    Scenario("tight-fast", 300.0, "the same, loads in 1 s", second=150.0, load=1.0),
    Scenario("never-told", 300.0, "a second model that cannot fit, announced", second=230.0),
    Scenario("never-untold", 300.0, "the same, not announced", second=230.0, announced=False),
    Scenario("tight-real", 220.0, "a second model that is a real one (text recognition), tight",
             second=75.0, second_rate=1.0, real=True),
)  # fmt: skip
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
