"""Controllers that ours are compared with, as strategies: published rules with generic gains.

Each rule maps (value, limit, share so far) to the next share, once a reading. A rule that
gets no reading keeps its share. They were not tuned to any plant here; some are carried
over from their own field to a value under a limit, so their figures say "not as is".
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

from amptalk.model.decision import MINIMUM_SHARE, Allocation, Decision, Observation, Strategy
from amptalk.simulation import CoupledPlant, Plant

Rule = Callable[[float, float, float], float]


class RuledStrategy:
    """A strategy that follows one rule, with a copy of it for each resource."""

    def __init__(self, name: str, make: Callable[[], Rule]) -> None:
        self.name = name
        self._make = make
        self._rules: dict[str, Rule] = {}
        self._shares: dict[str, float] = {}

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation."""
        allocations = []
        for state in observation.limits:
            name = state.resource.name
            share = self._shares.get(name, 0.5)
            if not math.isnan(state.value):
                rule = self._rules.get(name)
                if rule is None:
                    rule = self._rules[name] = self._make()
                share = min(1.0, max(MINIMUM_SHARE, rule(state.value, state.limit, share)))
                self._shares[name] = share
            allocations.append(Allocation(name, share, ""))
        return Decision(self.name, tuple(allocations))


def no_control(_value: float, _limit: float, _share: float) -> float:
    """Everything runs."""
    return 1.0


def bang_bang(value: float, limit: float, share: float) -> float:
    """Threshold: a quarter above the limit, everything below 95 % of it, hold between."""
    if value > limit:
        return 0.25
    return 1.0 if value < 0.95 * limit else share


class StepWise:
    """The idea of the kernel's step_wise governor: ten steps, one at a time, by trend."""

    def __init__(self) -> None:
        self._last = math.nan

    def __call__(self, value: float, limit: float, share: float) -> float:
        """The next share."""
        rise = 0.0 if math.isnan(self._last) else value - self._last
        self._last = value
        if value >= 0.98 * limit:
            return max(0.1, share - 0.1) if rise > 0 else share
        return share + 0.1 if rise < 0 else share


class FixedPid:
    """PID with fixed gains on the relative error to 97 % of the limit, integral clamped."""

    def __init__(self, kp: float = 1.0, ki: float = 0.05, kd: float = 0.5) -> None:
        self._kp, self._ki, self._kd = kp, ki, kd
        self._integral = 0.5
        self._last = math.nan

    def __call__(self, value: float, limit: float, _share: float) -> float:
        """The next share."""
        error = 0.97 - value / limit
        slope = 0.0 if math.isnan(self._last) else error - self._last
        self._last = error
        output = self._integral + self._kp * error + self._kd * slope
        if 0.0 < output < 1.0 or error * (output - 0.5) < 0.0:
            self._integral = min(1.0, max(0.0, self._integral + self._ki * error))
        return output


def aimd(value: float, limit: float, share: float) -> float:
    """Additive increase by 1/64, multiplicative decrease by a tenth above 97 % of the limit."""
    return share * 0.9 if value > 0.97 * limit else share + 1 / 64


def gradient2(value: float, limit: float, share: float) -> float:
    """Netflix's Gradient2 with the limit in place of the long-term latency, tolerance 1."""
    gradient = max(0.5, min(1.0, 0.97 * limit / max(value, 1e-6)))
    return 0.8 * share + 0.2 * (share * gradient + 2 / 64)


def vegas(value: float, limit: float, share: float) -> float:
    """TCP Vegas' band: up above 6 % of room, down below 2 %, by 0.03."""
    room = 1.0 - value / limit
    if room > 0.06:
        return share + 0.03
    return share - 0.03 if room < 0.02 else share


class Oracle(Protocol):
    """A plant that knows the most work of its next step."""

    def oracle(self) -> float:
        """The most work, which these plants reach at an allocation of the same size."""


class DelayedOracle:
    """Knows the plant, but acts on its state of one sample ago: the floor for feedback.

    For plants whose work is their allocation; it rides at the limit, so it bounds time over
    and work lost together, not each by itself.
    """

    name = "delayed oracle"

    def __init__(self, plant: Oracle) -> None:
        self._plant = plant
        self._known: deque[float] = deque(maxlen=3)

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation."""
        self._known.append(self._plant.oracle())
        share = min(1.0, max(MINIMUM_SHARE, self._known[0]))
        return Decision(self.name, (Allocation(observation.limits[0].resource.name, share, ""),))


_RULES: dict[str, Callable[[], Rule]] = {
    "none": lambda: no_control,
    "bang-bang": lambda: bang_bang,
    "step_wise": StepWise,
    "fixed PID": FixedPid,
    "AIMD": lambda: aimd,
    "Gradient2": lambda: gradient2,
    "Vegas": lambda: vegas,
}
FLOOR = "delayed oracle"
RIVALS = (*_RULES, FLOOR)


def rival(name: str, plant: Plant | CoupledPlant) -> Strategy | None:
    """A new rival; `None` where this plant cannot be controlled by it."""
    if name != FLOOR:
        return RuledStrategy(name, _RULES[name])
    if isinstance(plant.resource, tuple) or not hasattr(plant, "oracle"):
        return None
    return DelayedOracle(plant)
