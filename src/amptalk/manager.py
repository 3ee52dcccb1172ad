"""`ResourceManager`, the face of the library: builds the parts, starts and stops them.

A thin facade. What a tick does is in `engine`, when it happens in `loop`, what a
limit means in `limits`, what may run in `strategies`, what is done in `actuators`.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from amptalk.actuators.actuation import Actuation
from amptalk.actuators.enforcing import Enforcing
from amptalk.appeals import strategy_of
from amptalk.block import Block
from amptalk.clock import Clock, SystemClock
from amptalk.config import config_of
from amptalk.cooperation import cooperate
from amptalk.engine import Engine, Parts
from amptalk.history.history import History
from amptalk.limits.judge import Judge
from amptalk.limits.limits import ResourceLimits
from amptalk.loop import Loop
from amptalk.model.errors import AmptalkError, ConfigurationError
from amptalk.model.level import Level, LimitState, Violation
from amptalk.recommendations import Known, Recommendations
from amptalk.registry import managers
from amptalk.sensors.own import family_memory_mb, leave_out, own_memory_mb
from amptalk.sensors.suite import SensorSuite
from amptalk.signals import Signals, Told
from amptalk.telemetry.effectiveness import Effectiveness
from amptalk.telemetry.listeners import Listeners
from amptalk.telemetry.measuring import Measuring

if TYPE_CHECKING:
    import os

    from amptalk.model.decision import Decision, Strategy
    from amptalk.model.sample import Sample
    from amptalk.model.tick import Tick
    from amptalk.sensors.capacity import Capacity


class ResourceManager(Block):
    """Watches one scope, holds its limits and tells what happened.

    Use it as a context manager, `with ResourceManager(limits=...) as manager:`, also with
    `async with`, or call `start_monitoring` and `stop_monitoring`. It may be started again after a
    stop. Several managers may live in one process. In a forked child a manager is inert.
    """

    def __init__(
        self,
        limits: ResourceLimits | None = None,
        *,
        strategy: str | Sequence[str] | Strategy = "dynamic",
        monitoring_interval: float = 1.0,
        callback: Callable[[Sample], object] | None = None,
        scope: str = "application",
        handling: str = "degrade",
        device_limits: Sequence[str] = (),
        name: str | None = None,
        record: str | os.PathLike[str] | None = None,
        learned: str | os.PathLike[str] | None = None,
        gpu: str | int | None = None,
        sharing: str = "memory:",
        clock: Clock | None = None,
    ) -> None:
        if limits is not None and not isinstance(limits, ResourceLimits):
            raise ConfigurationError(f"limits={limits!r}: give ResourceLimits(max_memory_mb=1000)")
        self.limits = limits or ResourceLimits()
        self.config = config_of(
            monitoring_interval=monitoring_interval, callback=callback, scope=scope,
            handling=handling, device_limits=device_limits, name=name, record=record,
            learned=learned, gpu=gpu, sharing=sharing,
        )  # fmt: skip
        self._clock = clock = clock or SystemClock()
        self._strategy = strategy_of(strategy, monitoring_interval)
        self._sensors = SensorSuite(scope, self._clock, gpu=gpu)
        self.history = History(monitoring_interval)
        """Samples with their tiers, and events: `window`, `percentile`, `slope`."""
        self._listeners = Listeners(
            self.history, managers, callback, self.config.record, monitoring_interval
        )
        self._actuation = Actuation(
            self._clock, handling, self.limits.items(), on_refuse=self._listeners.refused,
            own_memory_mb=own_memory_mb, family_memory_mb=family_memory_mb,
            cores=lambda: self._sensors.capacity.cpu_cores, learned=self.config.learned,
            enforcing=Enforcing(scope, self.config.device_limits, gpu, self._exclude, self._wake),
        )  # fmt: skip
        self.jobs = self._actuation.jobs.table
        """What each named job takes, as learned from its runs, and how sure that is."""
        self._sharing = cooperate(
            self.config, self.limits.items(), self._strategy.name, self._actuation, self.history
        )
        self.knob = self._actuation.knobs.create
        """A value the manager moves: `batch = manager.knob("batch", minimum=1, maximum=32)`."""
        self.admit = self._actuation.admission.admit
        """Ask to start work: `with manager.admit("transcribe", memory_mb=300): ...`."""
        self.announce = self._actuation.announcements.announce
        """Tell of work to come: `manager.announce(memory_mb=800, starts_in=5, duration=20)`."""
        self.hook = self._actuation.ladder.hook
        """A step of yours that gives back: `manager.hook("unload", model.unload)`."""
        self.ladder = self._actuation.ladder.quality
        """Modes that need less: `manager.ladder("precision", ["fp16", "int8"], switch)`."""
        self.component = self._sharing.book.register
        """A part that shares the limits: `manager.component("asr", memory_mb=(200, 800))`."""
        self.shares = self._sharing.book.shares
        """Who holds what of which resource, one row a component and resource."""
        self.measure = Measuring(self.history, self._sensors.energy, clock.monotonic, clock.time)
        """What a block takes: `with manager.measure("inference") as m: ...`, then `m.joules`."""
        self.throttling = self._sensors.throttling
        """Is the machine slower than it could be, since when and why; see `Throttling`."""
        self.gpus = self._sensors.gpus
        """All GPUs as of the last slow reading, no device is asked; see `Gpu`."""
        self._judge = Judge(self.limits.items(), monitoring_interval)
        acting = self._actuation.acting
        self._effectiveness = Effectiveness(self._strategy.name, self._judge, acting=acting)
        self.recommendations = Recommendations(Known(
            self.history, self.limits,
            lambda name: self._effectiveness.outcome(name).work_reduced_seconds,
            lambda: self._sensors.capacity.memory_mb, self._sensors.signals.described,
        ))  # fmt: skip
        """Which limits and reservations to set, by what was used: `manager.recommendations()`."""
        self._engine = Engine(
            Parts(
                self._sensors, self.history, self._judge, self._strategy,
                self._actuation, self._sharing.book, self._effectiveness,
            ),
            monitoring_interval, (self._listeners.tell, self.recommendations.follow),
        )  # fmt: skip
        self._ticking = threading.Lock()
        self._signals = Signals(
            Told(self._sensors.signals, self.history, self._judge, self._actuation, self._engine),
            clock, self._ticking,
        )  # fmt: skip
        self.signal = self._signals.declare
        """A number that you know, limited: `latency = manager.signal("latency_ms", limit=60)`."""
        self._living = threading.RLock()  # a signal handler may stop what is just starting
        self._forked = False
        weakref.finalize(self, self._sensors.close).atexit = False
        self._listeners.name = self.name = managers.add(self, name)
        self._loop = Loop(self.tick, self._clock.monotonic, f"amptalk-{self.name}")

    def child(self, process: Any, *, priority: int = 0, may_end: bool = False) -> None:
        """Say how important a child process is, for handling `enforce`; see `Actuation.child`."""
        self._actuation.child(process, priority=priority, may_end=may_end)

    def protect(self, name: str) -> None:
        """Name processes that must live, for handling `enforce`; see `Actuation.protect`."""
        self._actuation.protect(name)

    def _exclude(self, pid: int) -> None:
        """Leave a helper process of ours out of the application."""
        leave_out(pid)
        with self._ticking:
            self._sensors.exclude(pid)

    def _wake(self) -> None:
        self._loop.wake()

    @property
    def running(self) -> bool:
        """True between `start_monitoring` and `stop_monitoring`."""
        return self._loop.running

    def start_monitoring(self) -> None:
        """Take the first sample and keep sampling; does nothing when running already.

        Raises `MetricsFileError` when the recording asked for cannot be written, and
        `AmptalkError` in a forked child.
        """
        self._refuse_in_a_child()
        with self._living:
            if self._loop.running:
                return
            self._judge.forget()
            self._signals.discard()
            self._actuation.begin()
            try:
                self._listeners.open(self.notices())
            except AmptalkError:
                self._actuation.release()
                raise
            self._loop.start(self.tick())

    def stop_monitoring(self) -> None:
        """Stop sampling, let go of every lever, close the recording. Idempotent; history stays."""
        if self._forked:
            return
        with self._living:
            self._loop.stop()
            self._sharing.stop()
            self._actuation.release()
            self._listeners.close()
            self._sensors.rest(self._ticking)

    def forked(self) -> None:
        """Become inert in a fork's child; called by the registry."""
        self._forked = True
        self._ticking = threading.Lock()
        self._loop.abandon()
        self._signals.freeze(self._ticking)
        self.recommendations.forked()
        self._actuation.freeze()
        self._sharing.forget()
        self._sensors.close()
        self._listeners.abandon()

    def _refuse_in_a_child(self) -> None:
        if self._forked:
            raise AmptalkError(
                f"manager {self.name!r} belongs to the parent process: create one in the child"
            )

    def tick(self) -> float:
        """Run one tick now and return the seconds until the next one. Never raises.

        The loop calls it; an application with a loop of its own may, instead of
        `start_monitoring`.
        """
        with self._ticking:
            try:
                return self._engine.tick()
            except Exception as error:  # noqa: BLE001 - the loop outlives any bug of ours
                self._listeners.fault(error)
                return self.config.monitoring_interval

    def get_current_metrics(self) -> Sample:
        """The latest sample while running, a fresh one otherwise."""
        last = self._engine.last
        if last is not None and (self._forked or self._loop.running):
            return last.sample
        self._refuse_in_a_child()
        with self._ticking:
            sample = self._sensors.read()
            self.history.append(sample)
            return sample

    def latest(self) -> Tick | None:
        """The last tick while running, else `None`; what telemetry observes."""
        return self._engine.last if self._loop.running else None

    @property
    def limit_states(self) -> tuple[LimitState, ...]:
        """Each limit as judged in the latest tick: value, level, time to limit."""
        return () if (last := self._engine.last) is None else last.limits

    @property
    def level(self) -> Level:
        """The highest level of all limits."""
        return max((state.level for state in self.limit_states), default=Level.NORMAL)

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Values that were beyond their limit for two samples or more, oldest first."""
        return tuple(self._judge.violations)

    @property
    def decision(self) -> Decision | None:
        """The latest decision of the strategy, `None` before the first tick."""
        return None if (last := self._engine.last) is None else last.decision

    @property
    def capacity(self) -> Capacity:
        """What can be used at most: the least of machine, affinity and every group's limit."""
        return self._sensors.capacity

    def effectiveness(self) -> dict[str, Any]:
        """What the limits suffered, what the work paid and which actions helped, as plain data."""
        return self._effectiveness.summary(self._actuation.admission.counts._asdict())

    def notices(self) -> tuple[str, ...]:
        """What an operator should know: limits that nothing can hold or that cannot be meant."""
        capacity = self._sensors.capacity
        unlikely = self.limits.warnings(capacity.cpu_cores, capacity.memory_mb)
        return (*unlikely, *self._actuation.holds())

    def save_metrics(self, path: str | os.PathLike[str]) -> None:
        """Write history, events and effectiveness; the suffix says how.

        `.json`, `.jsonl`, `.csv` or `.sqlite`. The file is replaced atomically: an
        existing one stays whole when writing fails. Raises `ConfigurationError` for
        another suffix, `MetricsFileError` when the path cannot be written.
        """
        from amptalk.history.document import document_of
        from amptalk.history.files import save_metrics

        config = {
            **self.config.about(), "manager": self.name, "strategy": self._strategy.name,
            "limits": {resource.name: limit for resource, limit in self.limits.items()},
            "signals": self._signals.about(),
        }  # fmt: skip
        document = document_of(
            self.history, config=config, effectiveness=self.effectiveness(),
            violations=[violation.as_dict() for violation in self.violations],
        )  # fmt: skip
        save_metrics(path, document)
