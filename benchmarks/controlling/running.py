"""Run one strategy on one plant with one seed, many times, and keep the figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from statistics import median
from typing import NamedTuple

from amptalk.simulation import SimulationResult, simulate
from controlling.rivals import RIVALS, rival
from controlling.suite import FIRST_SEED, Case

WARM_UP = 60.0
"""Seconds that are not scored: start-up differs from controller to controller."""
SINGLES = ("dynamic", "predictive", "adaptive", "cooperative")
COMBINED = (
    "dynamic+predictive",
    "dynamic+adaptive",
    "predictive+adaptive",
    "dynamic+predictive+adaptive",
    "adaptive+cooperative",
)
OURS = (*SINGLES, *COMBINED)
_GROWING = 2.0
"""An allocation that moves this many times as much in the last third as in the one before …"""
_HUNTING = 1.0
"""… and more than this many times over its range a minute oscillates, and ever more."""


class Figures(NamedTuple):
    """What one run, or the median of several, came to; percent unless said otherwise."""

    over: float
    """Time over the limit."""
    lost: float
    """Work lost against the oracle; negative when more was done than it allows."""
    peak: float
    """Worst overshoot in percent of the limit."""
    settling: float
    """Seconds after the change in the middle of the run until the last breach was over."""
    travel: float
    """Changes of full range a minute."""

    @property
    def cost(self) -> float:
        """Time over plus work lost; work won at the price of the limit is no credit."""
        return self.over + max(0.0, self.lost)


class Outcome(NamedTuple):
    """All seeds of one strategy on one plant."""

    median: Figures
    runs: tuple[Figures, ...]
    growing: int
    """Runs whose oscillation grew."""


Table = Mapping[str, Mapping[str, Outcome]]
"""By plant, then by strategy."""


class Effort(NamedTuple):
    """How much to run."""

    seeds: int
    workers: int
    shorter: int = 1
    """Only this part of the steps: to see that everything runs, not for figures."""


def run_all(cases: tuple[Case, ...], strategies: Iterable[str], effort: Effort) -> Table:
    """Run every strategy on every plant with seeds from `FIRST_SEED` on."""
    _CASES.update({case.name: case for case in cases})
    keys = [
        _Key(case.name, strategy, FIRST_SEED + n, case.steps // effort.shorter)
        for case in cases
        for strategy in strategies
        if strategy not in RIVALS or rival(strategy, case.make(strategy)) is not None
        for n in range(effort.seeds)
    ]
    if effort.workers > 1:
        # Forked after the cases are known, as they cannot be pickled.
        with ProcessPoolExecutor(effort.workers) as pool:
            found = list(pool.map(_figures, keys, chunksize=effort.seeds))
    else:
        found = list(map(_figures, keys))
    table: dict[str, dict[str, Outcome]] = {case.name: {} for case in cases}
    for (plant, strategy), rows in groupby(
        zip(keys, found, strict=True), key=lambda row: row[0][:2]
    ):
        runs = [row[1] for row in rows]
        figures = tuple(run[0] for run in runs)
        middle = Figures(*(median(column) for column in zip(*figures, strict=True)))
        table[plant][strategy] = Outcome(middle, figures, sum(run[1] for run in runs))
    return table


class _Key(NamedTuple):
    plant: str
    strategy: str
    seed: int
    steps: int


_CASES: dict[str, Case] = {}


def _figures(key: _Key) -> tuple[Figures, bool]:
    case = _CASES[key.plant]
    plant = case.make(key.strategy)
    chosen = rival(key.strategy, plant) if key.strategy in RIVALS else key.strategy
    assert chosen is not None
    whole = simulate(plant, chosen, steps=key.steps, seed=key.seed)
    result = whole.after(WARM_UP)
    figures = Figures(
        100.0 * result.time_over,
        100.0 * result.work_lost,
        100.0 * result.worst_overshoot,
        result.settling_time(case.changes_at),
        result.travel_per_minute,
    )
    return figures, _oscillation_grows(result)


def _oscillation_grows(result: SimulationResult) -> bool:
    third = len(result) * result.period / 3.0
    middle = result.after(result.begun + third)
    last = result.after(result.begun + 2.0 * third)
    before = 2.0 * middle.travel_per_minute - last.travel_per_minute  # the middle third alone
    return last.travel_per_minute > max(_HUNTING, _GROWING * before)
