"""What one decision costs, on the same observations for all, in interleaved rounds."""

from __future__ import annotations

import time
from statistics import median

from amptalk.model.decision import Decision, Observation, Strategy
from amptalk.simulation import simulate
from amptalk.simulation.plants import GpuPower
from amptalk.strategies.names import make_strategy
from controlling.rivals import FLOOR, RIVALS, rival
from controlling.running import OURS
from controlling.suite import FIRST_SEED

REFERENCE = "AIMD"


class _Keeping:
    """A strategy that keeps what it was shown."""

    name = "keeping"

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self.shown: list[Observation] = []

    def decide(self, observation: Observation) -> Decision:
        self.shown.append(observation)
        return self._strategy.decide(observation)


def microseconds(steps: int, rounds: int) -> dict[str, float]:
    """Processor microseconds of one decision about one resource, by strategy.

    All decide on what a run of the plant with the busiest readings showed; the median of
    the rounds counts.
    """
    keeping = _Keeping(make_strategy("dynamic", 1.0))
    simulate(GpuPower(), keeping, steps=steps, seed=FIRST_SEED)
    names = [name for name in (*RIVALS, *OURS) if name != FLOOR]
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            strategy = make_strategy(name, 1.0) if name in OURS else rival(name, GpuPower())
            assert strategy is not None
            begun = time.process_time()
            for observation in keeping.shown:
                strategy.decide(observation)
            found[name].append(1e6 * (time.process_time() - begun) / len(keeping.shown))
    return {name: median(values) for name, values in found.items()}
