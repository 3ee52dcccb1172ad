"""The plants of the benchmark: what each strategy is tried on, in four groups.

- baseline: the five plants with published figures of simpler controllers
- harder: firmware that guards itself, coupled and shared resources, recorded loads, faults
- announced: the two plants with jumps, told ten seconds ahead
- varied: a baseline plant with one parameter changed, dead time, faults, other periods

Every group is run on seeds from `FIRST_SEED` on, on which nobody tuned anything: tuning uses
seeds 0-99.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from amptalk.simulation import CoupledPlant, Plant
from amptalk.simulation.plants import (
    BesideRecorded,
    Bursty,
    Components,
    DeadTime,
    DropOut,
    Firmware,
    GpuPower,
    Late,
    Memory,
    PacedJobs,
    Queue,
    SharedCooler,
    Stuck,
    Thermal,
    read_trace,
)

FIRST_SEED = 1000
STEPS = 1800
FAST = 0.2


class Case(NamedTuple):
    """A plant under a name, and how it is made for a strategy of a given name."""

    name: str
    make: Callable[[str], Plant | CoupledPlant]

    @property
    def steps(self) -> int:
        """Half an hour at one step a second; as many at another period, but more at 0.1 s."""
        return STEPS if self.make("").period > FAST else 5 * STEPS

    @property
    def changes_at(self) -> float:
        """Seconds after which air, leak and capacity get worse: half of the run."""
        return 0.5 * self.steps * self.make("").period


def _case(name: str, make: Callable[[], Plant | CoupledPlant]) -> Case:
    return Case(name, lambda _strategy: make())


BASELINE = (
    _case("thermal", Thermal),
    _case("GPU power", GpuPower),
    _case("memory", Memory),
    _case("bursty CPU", Bursty),
    _case("queue", Queue),
)
HARDER = (
    _case("GPU with firmware", lambda: Firmware(GpuPower())),
    _case("CPU heats GPU", SharedCooler),
    Case("three components", lambda strategy: Components(cooperating="cooperative" in strategy)),
    _case("beside made-up power", lambda: BesideRecorded(made_up_power(), limit=60.0, amount=30.0)),
    _case("jobs of 0.2 s, read each 0.25 s", lambda: PacedJobs(0.25)),
    _case("jobs of 2 s, read each 1 s", lambda: PacedJobs(busy=2.0, waits=1.0)),
    _case("GPU, readings lost", lambda: DropOut(GpuPower())),
    _case("memory, readings stuck", lambda: Stuck(Memory())),
    _case("queue, readings 2 s late", lambda: Late(Queue(), 2.0)),
    _case("queue, dead time 3 s", lambda: DeadTime(Queue(), 3.0)),
)
ANNOUNCED = (
    _case("GPU power, announced", lambda: GpuPower(announces=True)),
    _case("bursty CPU, announced", lambda: Bursty(announces=True)),
)


def made_up_power(seconds: int = 3600) -> list[float]:
    """Power of a device that serves requests: phases of load with ripple, and short peaks; W."""
    random = Random(7)
    watts, phase, load = [], 0, 0.3
    for _ in range(seconds):
        if phase <= 0:
            phase, load = random.randint(20, 180), random.choice((0.1, 0.35, 0.6, 0.9))
        phase -= 1
        peak = 8.0 if random.random() < 0.01 else 0.0
        watts.append(round(15.0 + 25.0 * load + random.gauss(0.0, 1.2) + peak, 1))
    return watts


def recorded_cases(paths: list[str]) -> tuple[Case, ...]:
    """A case for each CSV of power readings that the user gives: the file, or file:column.

    The limit leaves own work half of what the recording varies between its 5th and 95th
    percentile, so that it has to give way.
    """
    cases = []
    for given in paths:
        path, _, column = given.partition(":")
        values = read_trace(path, column or None)
        ordered = sorted(values)
        low, high = (ordered[int(share * (len(ordered) - 1))] for share in (0.05, 0.95))
        span = max(high - low, 0.1 * abs(high), 1.0)
        make = partial(BesideRecorded, values, limit=high + 0.5 * span, amount=span)
        cases.append(_case(f"beside {Path(path).stem}", make))
    return tuple(cases)


_CHANGED: dict[Callable[..., Plant], dict[str, tuple[Any, ...]]] = {
    Thermal: {
        "to_board": (1.6, 6.4), "to_air": (2.5, 10.0), "die": (2.0, 8.0), "board": (27.5, 110.0),
        "dynamic": (2.75, 11.0), "warmer": (5.0, 20.0), "noise": (0.15, 0.6),
    },
    GpuPower: {
        "limit": (42.0, 60.0), "span": (30.0, 120.0), "steps": (6, 24), "idle": (9.0, 36.0),
        "switching": (0.025, 0.1), "follows": (0.3, 0.9), "noise": (0.25, 1.0),
    },
    Memory: {
        "leak": ((5.0, 8.0), (20.0, 32.0)), "drain": (0.006, 0.024), "sawtooth": (12.5, 50.0),
        "worse": (1.3, 2.2), "walk": (0.5, 2.0), "noise": (1.0, 4.0),
    },
    Bursty: {
        "on": (15.0, 60.0), "off": (30.0, 120.0), "span": (75.0, 120.0), "wander": (0.3, 1.2),
        "follows": (0.35, 0.95), "noise": (1.0, 4.0),
    },
    Queue: {
        "capacity": (16.0, 64.0), "most": (48.0, 128.0), "unloaded": (20.0, 45.0),
        "taken": (0.2, 0.7), "noise": (0.03, 0.12),
    },
}  # fmt: skip
"""Each parameter about halved and doubled, where the plant still is one; otherwise less."""


def _varied() -> tuple[Case, ...]:
    cases = []
    for plant, parameters in _CHANGED.items():
        name = plant.__name__  # type: ignore[attr-defined]  # all are classes
        for parameter, values in parameters.items():
            for value in values:
                make = partial(plant, **{parameter: value})
                cases.append(_case(f"{name} {parameter}={value}", make))
        cases += [
            _case(f"{name} dead time {seconds:g} s", _around(DeadTime, plant, seconds))
            for seconds in (1.0, 3.0, 5.0)
        ]
        cases += [
            _case(f"{name} readings lost", _around(DropOut, plant, 0.05)),
            _case(f"{name} readings stuck", _around(Stuck, plant, 120.0)),
            _case(f"{name} readings late", _around(Late, plant, 2.0)),
        ]
        cases += [
            _case(f"{name} period {period:g} s", _at(plant, period))
            for period in (0.1, 0.5, 5.0, 10.0)
        ]
    return tuple(cases)


def _around(wrapper: Callable[..., Plant], plant: Callable[..., Plant], value: float) -> Any:
    return lambda: wrapper(plant(), value)


def _at(plant: Callable[..., Plant], period: float) -> Callable[[], Plant]:
    """The plant at another period, with its change in the middle of the run."""
    if "changes_at" not in signature(plant).parameters:
        return partial(plant, period)
    half = 0.5 * period * (STEPS if period > FAST else 5 * STEPS)
    return partial(plant, period, changes_at=half)


VARIED = _varied()
