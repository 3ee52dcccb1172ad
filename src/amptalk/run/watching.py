"""The engine of a run: one tick after another over the program and all that it started.

Made once the program runs, so that it does not wait for it; a program that has ended by then was
too short to be sampled, and says so. The processes are all descendants of this one, orphans of the
program included, less our own helpers; this process itself is left out.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import NamedTuple

from amptalk.clock import SystemClock
from amptalk.engine import Engine, Parts
from amptalk.history.history import History
from amptalk.limits.judge import Judge
from amptalk.model.energy import energy_between
from amptalk.model.level import LimitState, Violation
from amptalk.model.resource import Resource
from amptalk.model.sample import FIELDS, Sample
from amptalk.run.acting import RunActuation
from amptalk.run.channel import Channel
from amptalk.run.holding import Holding
from amptalk.run.options import RunOptions
from amptalk.sensors.suite import SensorSuite
from amptalk.strategies.names import make_strategy
from amptalk.telemetry.effectiveness import Effectiveness
from amptalk.telemetry.listeners import Listeners

_SHORT = 7
"""Short names of a sample, the scope's."""
_GROWTH = 90.0
"""Seconds over which growth is told."""
_KEPT = 256
"""Readings of memory that are kept to tell growth."""
_FIRST = 0.05
"""Seconds to the second tick; from then on ever more, until the interval."""


class Range(NamedTuple):
    """One value over a run."""

    mean: float
    peak: float
    unit: str


class _NoSharing:
    """A program shares its limits with nobody."""

    def __init__(self) -> None:
        self.granted: Mapping[str, Mapping[str, float]] = {}
        self.limits: Mapping[str, float] = {}

    def divide(self, capacities: Mapping[str, float], sample: Sample) -> None:
        """Nobody is there to divide among."""


class Watching:
    """Ticks, and what is to be told at the end."""

    def __init__(
        self, options: RunOptions, limits: Sequence[tuple[Resource, float]], holding: Holding,
        channel: Channel, suite: SensorSuite | None = None,
    ) -> None:  # fmt: skip
        """Raises `MetricsFileError` when the recording asked for cannot be made."""
        clock = SystemClock()
        interval = options.interval
        self.suite = suite_of(holding) if suite is None else suite
        self.history = History(interval)
        self.judge = Judge(limits, interval)
        strategy = make_strategy(options.strategy, interval)
        self.acting = RunActuation(clock, limits, holding, channel)
        self.effectiveness = Effectiveness(strategy.name, self.judge)
        self._listeners = Listeners(self.history, (), None, options.record, interval)
        parts = Parts(
            self.suite, self.history, self.judge, strategy, self.acting, _NoSharing(),
            self.effectiveness,
        )  # fmt: skip
        self._engine = Engine(parts, interval, (self._listeners.tell,))
        self._interval = interval
        self._options = options
        self._limits = limits
        self._soon = _FIRST
        self._peaks = [nan] * _SHORT
        self._sums = [0.0] * _SHORT
        self._counts = [0] * _SHORT
        self._memory: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self.quota = holding.held("cpu")
        """Whether the kernel holds CPU."""
        self.anonymous_mb = nan
        """The program's, when it was last seen alive."""
        self._mark = self.suite.energy()
        self._listeners.open(())

    def tick(self) -> float:
        """Run one tick; seconds until the next, which come quickly at first."""
        wait = self._engine.tick()
        sample = self.sample
        assert sample is not None  # noqa: S101 - it has just been taken
        if sample.application.processes > 0:
            self._add(sample)
        soon, self._soon = self._soon, min(2.0 * self._soon, self._interval)
        return min(wait, soon)

    def _add(self, sample: Sample) -> None:
        self.anonymous_mb = sample.application.anonymous_mb
        if not isnan(sample.memory_used_mb):
            self._memory.append((sample.monotonic, sample.memory_used_mb))
        for at, value in enumerate(sample.row[:_SHORT]):
            if not isnan(value):
                self._counts[at] += 1
                self._sums[at] += value
                if not self._peaks[at] >= value:
                    self._peaks[at] = value

    def missing(self) -> dict[str, str]:
        """Fields of the sample, and energy, that have no value, and why."""
        reason = self.suite.energy().reason
        return {**self.suite.read().missing, **({"energy": reason} if reason else {})}

    @property
    def sample(self) -> Sample | None:
        """The newest."""
        return None if self._engine.last is None else self._engine.last.sample

    @property
    def states(self) -> tuple[LimitState, ...]:
        """Each limit in the newest tick."""
        return () if self._engine.last is None else self._engine.last.limits

    def ranges(self) -> dict[str, Range]:
        """Mean and peak of every short name that had a value."""
        return {
            field.name: Range(self._sums[at] / self._counts[at], self._peaks[at], field.unit)
            for at, field in enumerate(FIELDS[:_SHORT])
            if self._counts[at]
        }

    def energy(self) -> tuple[float, str]:
        """Joules of the device since the start, or `nan` and why."""
        return energy_between(self._mark, self.suite.energy())

    def growth(self) -> tuple[float, float]:
        """MB a second that memory grew by at the end, and over how many seconds; `nan` unknown."""
        known = self._memory
        if not known:
            return nan, nan
        last_at, last = known[-1]
        at, first = next(one for one in known if last_at - one[0] <= _GROWTH)
        seconds = last_at - at
        return ((last - first) / seconds, seconds) if seconds > 0.0 else (nan, nan)

    def violations(self) -> list[Violation]:
        """All, oldest first; one that lasts ends with the run."""
        self.judge.forget()
        return self.judge.violations

    def save(self, path: str) -> None:
        """Write history and events. Raises `AmptalkError`."""
        from amptalk.history.document import document_of
        from amptalk.history.files import save_metrics

        config = {
            "manager": "run", "command": list(self._options.commands[0]),
            "monitoring_interval": self._interval, "strategy": self._options.strategy,
            "limits": {resource.name: limit for resource, limit in self._limits},
        }  # fmt: skip
        violations = [violation.as_dict() for violation in self.violations()]
        document = document_of(
            self.history, config=config, violations=violations,
            effectiveness=self.effectiveness.summary({}),
        )  # fmt: skip
        save_metrics(path, document)

    def note(self, kind: str, **facts: object) -> None:
        """Keep an event."""
        self.history.note(kind, time.time(), **facts)

    def close(self) -> None:
        """End all threads, close all files."""
        self.acting.release()
        self._listeners.close()
        self.suite.close()


def suite_of(holding: Holding) -> SensorSuite:
    """Sensors for the descendants of this process, less our helpers."""
    suite = SensorSuite("application", children_only=True)
    for pid in holding.helpers:
        suite.exclude(pid)
    return suite
