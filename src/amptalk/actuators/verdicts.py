"""What measurements say of an action, and what is remembered of each actuator.

Pure. The rules are few so that they can be told to an operator:

- nothing below the noise floor counts as given back;
- half of what was expected, or half of what was needed, is success;
- what cannot be measured is unverifiable, never success.

Before and after are plain measurements; growth of other work between them is not
guessed away. (A hook that frees as much as the application takes meanwhile is
reported as without effect, with a remark; see `Record.add`.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from amptalk.model.action import Verdict
from amptalk.model.level import LimitState
from amptalk.model.resource import BUILT_IN, Resource
from amptalk.model.sample import Sample

STRIKES = 2
"""Failures in a row that put an actuator into quarantine."""
QUARANTINE_SECONDS = 60.0
LONGEST_QUARANTINE_SECONDS = 3600.0
LEARNING = 0.3
"""Weight of the newest effect in the exponential mean."""


class Measurement(NamedTuple):
    """A resource as measured last."""

    value: float
    """In the resource's unit; `nan` when missing."""
    measured_at: float
    """Monotonic seconds; older than the sample for slow sensors."""


NEVER_MEASURED = Measurement(math.nan, -math.inf)


Measure = Callable[[str], Measurement]
"""Gives the newest measurement of a resource by name."""


def measure_of(sample: Sample, limits: tuple[LimitState, ...]) -> Measure:
    """Measurements of one tick by resource name, with the time they were made."""

    def measure(resource: str) -> Measurement:
        for state in limits:
            if state.resource.name != resource:
                continue
            origin = sample.provenance.get(state.resource.field)
            if origin is not None and not origin.renewed:
                return Measurement(state.value, origin.measured_at)
            return Measurement(state.value, sample.monotonic if state.fresh else -math.inf)
        return NEVER_MEASURED

    return measure


def smallest_change(resource: Resource, limit: float) -> float:
    """Change of a resource that can be told from chance at all: one of its unit (MB, %, W, °C).

    Of a signal of the application, whose unit may be anything, 1 % of its limit.
    """
    return 1.0 if resource.name in BUILT_IN else 0.01 * limit


def noise_floor(before: float, smallest: float = 1.0) -> float:
    """Change that may be chance: 1 % of the value before, at least `smallest`."""
    return max(0.01 * abs(before), smallest)


def judge(
    before: float, after: float, need: float, expected: float | None, smallest: float = 1.0
) -> Verdict:
    """Verdict on a step from what was measured; all amounts in the resource's unit.

    `need` is what had to be given back (0 or less: nothing), `expected` what the
    actuator promised, `smallest` a change that can be told from chance at all. A step
    ahead of need that changed nothing is unverifiable: there was nothing to be seen.
    """
    freed = before - after
    if math.isnan(freed):
        return Verdict.UNVERIFIABLE
    if freed <= noise_floor(before, smallest):
        return Verdict.UNVERIFIABLE if need <= 0 and expected is None else Verdict.NO_EFFECT
    goals = [goal for goal in (need, expected) if goal is not None and goal > 0]
    return Verdict.WORKED if freed >= 0.5 * min(goals, default=0.0) else Verdict.PARTIAL


def judge_growth(before: float, after: float, expected: float, smallest: float = 1.0) -> Verdict:
    """Verdict on a step that only ends growth, `expected` being what it would have come to.

    Less than half of it is success. Without growth at its start there was nothing to be seen.
    """
    if math.isnan(before - after) or expected <= noise_floor(before, smallest):
        return Verdict.UNVERIFIABLE
    return Verdict.WORKED if after - before < 0.5 * expected else Verdict.NO_EFFECT


class Record:
    """What is remembered of one actuator: its learned effect, failures in a row, quarantine."""

    __slots__ = ("effect", "failures", "until")

    def __init__(self) -> None:
        self.effect: float | None = None
        """Exponential mean of what it gave back when it ran alone; `None` before the first."""
        self.failures = 0
        self.until = -math.inf
        """Monotonic seconds at which its quarantine ends."""

    def learn(self, freed: float) -> None:
        """Take one measured effect into the mean; a growth counts as no effect."""
        freed = max(0.0, freed)
        self.effect = freed if self.effect is None else self.effect + LEARNING * (
            freed - self.effect
        )  # fmt: skip

    def add(self, verdict: Verdict, now: float, spared: float = 0.0, noise: float = 1.0) -> None:
        """Count a verdict towards quarantine.

        From the second failure in a row on: 60 s, doubled by each further one up to
        an hour. Success clears. `spared` is how far the value stayed below its course
        before the action; above `noise` a "no effect" is not held against it.
        """
        if verdict in (Verdict.WORKED, Verdict.PARTIAL):
            self.failures = 0
        elif verdict is Verdict.DENIED or (verdict is Verdict.NO_EFFECT and spared <= noise):
            self.failures += 1
            if self.failures >= STRIKES:
                doubled = QUARANTINE_SECONDS * 2.0 ** min(self.failures - STRIKES, 10)
                self.until = now + min(doubled, LONGEST_QUARANTINE_SECONDS)
