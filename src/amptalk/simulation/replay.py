"""Run the whole library on the recording of a device: one tick for each frame, in virtual time.

Sensors, history, limits and strategy are those of a live run; they see the recorded files and
the recorded time. Nothing can be carried out on a device that is not there, so decisions are
made and told, as `handling="observe"` does: what was recorded does not react to them. To
see that, use a plant (`simulate`). Telemetry is off.

Making a recording is not covered (`sensors.recorded`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

from amptalk.actuators.actuation import Actuation
from amptalk.clock import VirtualClock
from amptalk.config import FASTEST_INTERVAL, SLOWEST_INTERVAL
from amptalk.engine import Engine, Parts
from amptalk.history.history import History
from amptalk.limits.judge import Judge
from amptalk.limits.limits import ResourceLimits
from amptalk.model.energy import EnergyMark, energy_between
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Violation
from amptalk.model.sample import FIELDS
from amptalk.model.tick import Tick
from amptalk.sensors.recorded.format import About, RecordingError, read_about, read_frames
from amptalk.sensors.recorded.tree import Tree
from amptalk.sensors.suite import SensorSuite
from amptalk.sensors.throttling import Throttling
from amptalk.sharing.book import ComponentBook
from amptalk.simulation.warned import Warned, Warnings
from amptalk.strategies.names import make_strategy
from amptalk.telemetry.effectiveness import Effectiveness

if TYPE_CHECKING:
    from typing_extensions import Self

    from amptalk.model.decision import Strategy

NOT_RECORDED = "not recorded: `amptalk record --pid PID` keeps the files of an application"


class Moment(NamedTuple):
    """What the library made of one frame."""

    seconds: float
    """Since the start of the recording."""
    tick: Tick
    missing: Mapping[str, str]
    """Field to the reason why it has no value, with paths as they are on the device."""
    throttling: Throttling
    events: tuple[dict[str, Any], ...]
    """What changed: levels, violations, allocations; `time` is that of the recording."""
    warnings: tuple[Warned, ...]
    """Warnings that the strategy began to give: what it expected of a limit."""


class Range(NamedTuple):
    """One field over the whole recording."""

    minimum: float
    mean: float
    maximum: float
    samples: int
    """How many samples had a value."""


class Summary(NamedTuple):
    """A whole recording in figures."""

    samples: int
    seconds: float
    ranges: Mapping[str, Range]
    """Fields that had a value."""
    missing: Mapping[str, Mapping[str, int]]
    """Field to each reason with the number of samples that lacked a value for it."""
    slower: Mapping[str, tuple[float, float]]
    """Cause of throttling to when it was first and last seen, in seconds since the start."""
    unknown: tuple[str, ...]
    """Causes of throttling that cannot be seen on this device."""
    joules: float
    """Energy from the first frame to the last, `nan` when unknown."""
    energy_source: str
    """What counted it, or why it is unknown."""
    violations: tuple[Violation, ...]
    warnings: tuple[Warned, ...]
    effectiveness: Mapping[str, Any]


class Replay:
    """A recording, ready to run: iterate it once, inside `with`.

    `strategy` and `limits` are as for a manager. `pace` is called with the seconds until the
    next frame is due, for a replay in real time; without it there is no waiting.
    """

    def __init__(
        self,
        folder: str,
        *,
        limits: ResourceLimits | None = None,
        strategy: str | Sequence[str] | Strategy = "dynamic",
        scope: str = "device",
        pace: Callable[[float], None] | None = None,
    ) -> None:
        """Raises `RecordingError` for what is no recording, `ConfigurationError` as a manager."""
        self.about: About = read_about(folder)
        if scope == "application" and not self.about.application:
            raise ConfigurationError(f"scope 'application': {NOT_RECORDED}; use 'device'")
        self._folder = folder
        self._scope = scope
        self._pace = pace
        self._clock = VirtualClock(epoch=self.about.started)
        self._start = self._clock.monotonic()
        interval = min(max(self.about.interval, FASTEST_INTERVAL), SLOWEST_INTERVAL)
        items = (limits or ResourceLimits()).items()
        self._history = History(interval)
        self._judge = Judge(items, interval)
        self._strategy = make_strategy(strategy, interval)
        self._actuation = Actuation(self._clock, "observe", items)
        self._components = ComponentBook(items, self._actuation.runner)
        self._effectiveness = Effectiveness(
            self._strategy.name, self._judge, acting=self._actuation.acting
        )
        self._interval = interval
        self._closing = ExitStack()
        self._warnings = Warnings()
        self._warned: list[Warned] = []
        self._noted = self._samples = 0
        self._seconds = 0.0
        self._sums: dict[str, list[float]] = {}
        self._missing: dict[str, dict[str, int]] = {}
        self._slower: dict[str, tuple[float, float]] = {}
        self._throttling = Throttling(None, None, (), ("everything: not read yet",))
        self._energy: Callable[[], tuple[float, str]] = lambda: (float("nan"), "no frame was read")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the sensors and remove the laid out tree."""
        self._closing.close()

    def __iter__(self) -> Iterator[Moment]:
        """Run a tick for each frame. Raises `RecordingError` for a broken one."""
        frames = read_frames(self._folder)
        first = next(frames, None)
        if first is None:
            raise RecordingError(f"{self._folder} has no frame: record it for longer")
        tree = self._closing.enter_context(Tree(self.about.page_size))
        tree.apply(first)
        self._clock.advance(first.seconds)
        suite = SensorSuite(self._scope, self._clock, tree.roots, pid=self.about.pid, threads=False)
        self._closing.callback(suite.close)
        parts = Parts(
            suite, self._history, self._judge, self._strategy,
            self._actuation, self._components, self._effectiveness,
        )  # fmt: skip
        engine = Engine(parts, self._interval)
        mark = suite.energy()
        self._energy = lambda: _energy_since(mark, suite, tree)
        yield self._moment(engine, suite, tree)
        begun = time.monotonic() - first.seconds
        for frame in frames:
            if self._pace is not None:
                self._pace(max(0.0, begun + frame.seconds - time.monotonic()))
            tree.apply(frame)
            self._clock.advance(self._start + frame.seconds - self._clock.monotonic())
            yield self._moment(engine, suite, tree)

    def _moment(self, engine: Engine, suite: SensorSuite, tree: Tree) -> Moment:
        engine.tick()
        tick = engine.last
        assert tick is not None  # noqa: S101 - it has just been made
        plain = tree.without_root
        missing = {field: plain(reason) for field, reason in tick.sample.missing.items()}
        if not self.about.application:
            own = [field for field in missing if field.startswith("application.")]
            missing.update(dict.fromkeys(own, NOT_RECORDED))
        throttling = suite.throttling()
        throttling = throttling._replace(unknown=tuple(map(plain, throttling.unknown)))
        events = self._history.events_since(self._noted)
        self._noted = self._history.events_noted
        self._seconds = tick.sample.monotonic - self._start
        warnings = self._warnings.begun(self._seconds, tick)
        self._warned += warnings
        moment = Moment(self._seconds, tick, missing, throttling, events, warnings)
        self._add(moment)
        return moment

    def _add(self, moment: Moment) -> None:
        self._samples += 1
        for field, value in zip(FIELDS, moment.tick.sample.row, strict=True):
            if not isnan(value):
                self._sums.setdefault(field.name, [value, 0.0, value, 0])
                sums = self._sums[field.name]
                sums[0], sums[2] = min(sums[0], value), max(sums[2], value)
                sums[1] += value
                sums[3] += 1
        for name, reason in moment.missing.items():
            reasons = self._missing.setdefault(name, {})
            reasons[reason] = reasons.get(reason, 0) + 1
        self._throttling = moment.throttling
        for text in moment.throttling.reasons:
            cause = text.partition(":")[0]
            begun = self._slower.get(cause, (moment.seconds, 0.0))[0]
            self._slower[cause] = begun, moment.seconds

    def summary(self) -> Summary:
        """What was seen up to now; of the whole recording after the last frame."""
        joules, source = self._energy()
        counts = self._actuation.admission.counts._asdict()
        return Summary(
            samples=self._samples,
            seconds=self._seconds,
            ranges={
                name: Range(least, total / count, most, int(count))
                for name, (least, total, most, count) in self._sums.items()
            },
            missing=self._missing,
            slower=self._slower,
            unknown=self._throttling.unknown,
            joules=joules,
            energy_source=source,
            violations=tuple(self._judge.violations),
            warnings=tuple(self._warned),
            effectiveness=self._effectiveness.summary(counts),
        )


def _energy_since(first: EnergyMark, suite: SensorSuite, tree: Tree) -> tuple[float, str]:
    last = suite.energy()
    joules, reason = energy_between(first, last)
    return joules, tree.without_root(reason or last.source)
