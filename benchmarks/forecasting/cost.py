"""What an update costs and how much memory stays alive.

Processor time, rounds interleaved with a fixed loop of plain Python, because machines are shared
and noisy: compare the ratios to that loop, not the digits.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
import tracemalloc
import types
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from amptalk.forecast import Forecaster
from benchmarks.forecasting.generated import noise
from benchmarks.forecasting.peers.peer import Setting
from benchmarks.forecasting.peers.table import peers
from benchmarks.forecasting.protocol import HORIZON
from benchmarks.forecasting.traces import DAY

OURS_UPDATED = ("ours, 1 Hz", "ours, 1 min, after 3 days")
"""An update and its forecast."""
REFERENCE_ROUNDS = 1000
_BATCH = 250
_SEASON = 288
_LIMIT = 80.0


class Cost(NamedTuple):
    """Of one sample."""

    microseconds: float
    """Of the cheapest batch."""
    ratio: float
    """Median over the rounds, to the reference loop of the same round."""


def reference() -> float:
    """The fixed loop: 1000 multiplications and additions."""
    total = 0.0
    for i in range(REFERENCE_ROUNDS):
        total = 0.999 * total + i
    return total


def costs(rounds: int) -> tuple[float, dict[str, Cost]]:
    """Microseconds of the reference loop, and by method the cost of a sample with its forecast."""
    contenders = _contenders()
    values = (50.0 + 8.0 * noise(np.random.default_rng(0), _BATCH * (rounds + 8), 0.95)).tolist()
    for step in contenders.values():
        for value in values[: 8 * _BATCH]:
            step(value)
    clock = time.thread_time_ns
    loops: list[float] = []
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        batch = values[(number + 8) * _BATCH : (number + 9) * _BATCH]
        begun = clock()
        for _ in range(20):
            reference()
        loops.append((clock() - begun) / 20e3)
        for name, step in contenders.items():
            begun = clock()
            for value in batch:
                step(value)
            spent[name].append((clock() - begun) / 1e3 / len(batch))
    return min(loops), {
        name: Cost(min(each), statistics.median([a / b for a, b in zip(each, loops, strict=True)]))
        for name, each in spent.items()
    }


def _contenders() -> dict[str, Callable[[float], object]]:
    contenders: dict[str, Callable[[float], object]] = {
        OURS_UPDATED[0]: _ours(1.0),
        OURS_UPDATED[1]: _ours(60.0),
        "ours, 1 Hz, with interval and breach probability": _ours(1.0, everything=True),
    }
    setting = Setting(1.0, _SEASON)
    return contenders | {name: make(setting).update for name, make in peers().items()}


def _ours(seconds: float, *, everything: bool = False) -> Callable[[float], object]:
    forecaster = Forecaster(HORIZON, seconds)
    now = 0.0

    def step(value: float) -> object:
        nonlocal now
        now += seconds
        forecaster.update(value, now)
        forecast = forecaster.forecast()
        if everything:
            return forecast.interval(0.9), forecast.breach_probability(_LIMIT)
        return forecast.mean

    if seconds > 1.0:
        for minute in range(int(3.0 * DAY / seconds)):
            step(50.0 + 20.0 * (minute // 60 % 24 > 8) + minute % 7)
    return step


def heap(updates: int, seconds: float) -> int:
    """Bytes alive of one forecaster after `updates` samples, a forecast with each."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        forecaster = Forecaster(HORIZON, seconds)
        _live_through(forecaster, seconds, range(updates))
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def growth(updates: int) -> tuple[int, int]:
    """Bytes reachable from one forecaster after a fifth of `updates` samples and after all.

    Counted over its objects, not traced: tracing a million updates takes twenty minutes.
    """
    forecaster = Forecaster(HORIZON, 1.0)
    _live_through(forecaster, 1.0, range(updates // 5))
    early = _reachable(forecaster)
    _live_through(forecaster, 1.0, range(updates // 5, updates))
    return early, _reachable(forecaster)


def _live_through(forecaster: Forecaster, seconds: float, numbers: range) -> None:
    random = np.random.default_rng(1)
    for number in numbers:
        now = number * seconds
        wave = 10.0 * ((now / DAY) % 1.0 > 0.5)
        forecaster.update(40.0 + wave + float(random.random()), now)
        forecaster.forecast()


def _reachable(forecaster: Forecaster) -> int:
    seen: set[int] = set()
    todo: list[object] = [forecaster]
    total = 0
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, _SHARED):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        todo.extend(gc.get_referents(thing))
    return total


_SHARED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
"""What all forecasters have in common."""
