"""Let a strategy control a plant in virtual time, through the engine of a live run.

Limits are judged, the strategy decides and effectiveness adds up as in `manager`; only
sensors and actuators are the plant's. The plant's period is fixed: a wish of the strategy
for another sampling interval has no effect. Plants are in `plants`, recordings of real
devices in `replay`.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, cast

from amptalk.clock import VirtualClock
from amptalk.config import FASTEST_INTERVAL, SLOWEST_INTERVAL
from amptalk.engine import Engine, Parts
from amptalk.history.history import History
from amptalk.limits.judge import Judge
from amptalk.model.errors import AmptalkError, ConfigurationError
from amptalk.sharing.book import ComponentBook
from amptalk.simulation.announced import Announced
from amptalk.simulation.parts import InlineRunner, PlantActuators, PlantSensors
from amptalk.simulation.resources import columns_for, resources_of
from amptalk.simulation.result import Series, SimulationResult
from amptalk.strategies.names import make_strategy
from amptalk.telemetry.effectiveness import Effectiveness

if TYPE_CHECKING:
    from amptalk.model.decision import Decision, Observation, Strategy
    from amptalk.simulation.plant import CoupledPlant, Plant, PlantState


class SimulationError(AmptalkError):
    """A plant or a strategy did what it must not; the text names it, the step and the value."""


def simulate(
    plant: Plant | CoupledPlant,
    strategy: str | Sequence[str] | Strategy,
    steps: int = 1800,
    seed: int = 0,
) -> SimulationResult:
    """Run `plant` for `steps` of its periods under `strategy` and tell how it went.

    `strategy` is as for a manager: a name, several joined by "+" or in a list, or an
    object (used as it is: give a new one to each run). The first step runs with
    everything allowed, as before a manager's first decision; each later one with what was
    decided at the end of the step before. `seed` goes to `plant.reset(seed)` where the
    plant has one. The same plant, strategy and seed give the same result.

    Raises `ConfigurationError` for arguments and attributes that are not allowed, and
    `SimulationError` when the plant or the strategy raises or returns nonsense.
    """
    return _Simulation(plant, strategy, steps, seed).run()


class _Simulation:
    def __init__(
        self,
        plant: Plant | CoupledPlant,
        strategy: str | Sequence[str] | Strategy,
        steps: int,
        seed: int,
    ) -> None:
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ConfigurationError(f"steps={steps!r} is not allowed: give a whole number above 0")
        self._plant: Any = plant
        self._name = getattr(plant, "name", None) or type(plant).__name__
        self._steps = steps
        _check(plant)
        if hasattr(plant, "reset"):
            self._ask(f"reset({seed!r})", "reset", seed)
        self._period = period = _period(plant)
        self._coupled, limits = _limits(plant)
        self._clock = VirtualClock()
        self._strategy = _Outspoken(make_strategy(strategy, period))
        resources = tuple(resource for resource, _ in limits)
        self._names = tuple(resource.name for resource in resources)
        columns = columns_for(resources)
        self._sensors = PlantSensors(resources, columns, self._clock)
        self._announced = Announced(period)
        self._actuators = PlantActuators(self._announced)
        self._history = History(period)
        self._judge = Judge(limits, period, columns.index)
        self._effectiveness = Effectiveness(self._strategy.name, self._judge)
        components = ComponentBook(limits, InlineRunner())
        if hasattr(plant, "join"):
            self._ask("join", "join", components.register)
        parts = Parts(
            self._sensors, self._history, self._judge, self._strategy,
            self._actuators, components, self._effectiveness,
        )  # fmt: skip
        self._engine = Engine(parts, period)
        self._series = tuple(Series(resource, limit) for resource, limit in limits)

    def run(self) -> SimulationResult:
        step, clock = self._step, self._clock
        could = array("d") if hasattr(self._plant, "oracle") else None
        shares: tuple[float, ...] = (1.0,) * len(self._names)
        for number in range(self._steps):
            if could is not None:
                could.append(self._most(number))
            states = step(number, shares)
            now = clock.advance(self._period)
            self._sensors.measured = tuple([state.measured for state in states])
            self._announced.take(now, [one for state in states for one in state.announced])
            self._engine.tick()
            if self._strategy.error is not None:
                raise SimulationError(
                    f"strategy {self._strategy.name!r} raised in step {number} of {self._name}: "
                    f"{self._strategy.error!r}"
                ) from self._strategy.error
            self._keep(states, shares)
            shares = self._shares(number)
        return self._result(could)

    def _ask(self, what: str, method: str, *given: object) -> Any:
        try:
            return getattr(self._plant, method)(*given)
        except Exception as error:
            raise SimulationError(f"plant {self._name} raised in {what}: {error!r}") from error

    def _most(self, number: int) -> float:
        most = self._ask(f"oracle() before step {number}", "oracle")
        if not isinstance(most, Real) or not 0.0 <= float(most) < math.inf:
            raise SimulationError(
                f"plant {self._name} answered oracle() with {most!r} before step {number}: give "
                "the most work the step could do within the limit, 0 or more"
            )
        return float(most)

    def _step(self, number: int, shares: tuple[float, ...]) -> tuple[PlantState, ...]:
        given = shares if self._coupled else shares[0]
        told = self._ask(f"step {number} with allocation {given}", "step", given)
        states = cast("tuple[PlantState, ...]", told if self._coupled else (told,))
        if self._coupled and (not isinstance(told, tuple) or len(told) != len(shares)):
            raise SimulationError(
                f"plant {self._name} returned {told!r} in step {number}: give a tuple of "
                f"{len(shares)} PlantState, one for each resource"
            )
        for state in states:
            if not _makes_sense(state):
                raise SimulationError(
                    f"plant {self._name} returned {state!r} in step {number} with allocation "
                    f"{given}: give PlantState(level, measured, work, demand) with a finite level, "
                    "work and demand of 0 or more, and nan in measured where there is no reading"
                )
        return states

    def _keep(self, states: tuple[PlantState, ...], shares: tuple[float, ...]) -> None:
        coming = self._announced.current(self._clock.monotonic())
        for one, state, share in zip(self._series, states, shares, strict=True):
            one.level.append(state.level)
            one.measured.append(state.measured)
            one.allocation.append(share)
            one.work.append(state.work)
            one.demand.append(state.demand)
            one.announced.append(sum([a.amount for a in coming if a.resource == one.resource.name]))

    def _shares(self, number: int) -> tuple[float, ...]:
        decision = self._actuators.decision
        shares = tuple([decision.share(name) for name in self._names])
        for share in shares:
            if not 0.0 < share <= 1.0:
                raise SimulationError(
                    f"strategy {self._strategy.name!r} allocated {share!r} in step {number} of "
                    f"{self._name}: allowed is more than 0 up to 1"
                )
        return shares

    def _result(self, could: array[float] | None) -> SimulationResult:
        result = SimulationResult(
            self._name, self._strategy.name, self._period, self._series, could
        )
        result.effectiveness = self._effectiveness.summary({})
        result.events = self._history.events
        result.violations = tuple(self._judge.violations)
        return result


class _Outspoken:
    """A strategy whose first error is kept: a live run goes on without it, a trial must not."""

    def __init__(self, strategy: Strategy) -> None:
        self.name = strategy.name
        self.error: Exception | None = None
        self._decide: Callable[[Observation], Decision] = strategy.decide

    def decide(self, observation: Observation) -> Decision:
        try:
            return self._decide(observation)
        except Exception as error:
            self.error = self.error or error
            raise


def _check(plant: Any) -> None:
    if isinstance(plant, type):
        raise ConfigurationError(f"{plant!r} is a class: give a plant, such as {plant.__name__}()")
    lacking = [name for name in ("resource", "limit", "period", "step") if not hasattr(plant, name)]
    if lacking or not callable(plant.step):
        raise ConfigurationError(
            f"{plant!r} is no plant: it lacks {', '.join(lacking) or 'a step that can be called'}; "
            "give an object with resource, limit, period and step(allocation)"
        )


def _period(plant: Any) -> float:
    period = plant.period
    if (
        isinstance(period, bool)
        or not isinstance(period, Real)
        or not FASTEST_INTERVAL <= float(period) <= SLOWEST_INTERVAL
    ):
        raise ConfigurationError(
            f"period={period!r} of the plant is out of range: give {FASTEST_INTERVAL} to "
            f"{SLOWEST_INTERVAL:.0f} seconds"
        )
    return float(period)


def _limits(plant: Any) -> tuple[bool, tuple[tuple[Any, float], ...]]:
    """Whether there are several resources, and each with its limit; the judge checks limits."""
    coupled = isinstance(plant.resource, tuple) and not hasattr(plant.resource, "_fields")
    names = plant.resource if coupled else (plant.resource,)
    limits = plant.limit if coupled else (plant.limit,)
    if not names or not isinstance(limits, tuple) or len(names) != len(limits):
        raise ConfigurationError(
            f"resource={plant.resource!r} and limit={plant.limit!r} of the plant do not belong "
            "together: give a name and a number, or a tuple of names and one of as many numbers"
        )
    for limit in limits:
        if isinstance(limit, bool) or not isinstance(limit, Real):
            raise ConfigurationError(f"limit={limit!r} of the plant is not a number")
    return coupled, tuple(zip(resources_of(names), limits, strict=True))


def _makes_sense(state: PlantState) -> bool:
    try:
        return (
            math.isfinite(state.level)
            and not math.isinf(state.measured)
            and 0.0 <= state.work < math.inf
            and 0.0 <= state.demand < math.inf
            and isinstance(state.announced, (tuple, list))
        )
    except (AttributeError, TypeError):
        return False
