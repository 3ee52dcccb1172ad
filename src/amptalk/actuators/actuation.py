"""Carry out a decision, once a tick, and report what measurement said of it.

Two seams: the decision's **allocations** move what is proportional (knobs, the pace of
admission), the **levels** of the limits call for what is discrete (trim, hooks),
which the planner chooses. Everything that may take time runs on action threads.
Kernel and device limits are not among what is done here, and `holds` says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress

from amptalk.actuators.admission import AdmissionGate
from amptalk.actuators.amounts import resource_name
from amptalk.actuators.announcements import AnnouncementBook
from amptalk.actuators.contract import Actuator
from amptalk.actuators.jobs.ledger import Jobs
from amptalk.actuators.knob_board import KnobBoard
from amptalk.actuators.memory import MemoryTrim
from amptalk.actuators.planner import need_of, plan
from amptalk.actuators.runner import ActionRunner
from amptalk.actuators.verdicts import Measure, Measurement
from amptalk.clock import Clock
from amptalk.model.action import ActionReport
from amptalk.model.announcement import Announcement
from amptalk.model.decision import Decision
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import BUILT_IN, Resource
from amptalk.model.sample import Sample

RELEASE_SECONDS = 2.0
"""`release` takes no longer, whatever hangs."""

_SAVING = 5.0
"""Seconds after which writing what was learned counts as hanging."""

_NO_REPORTS: tuple[ActionReport, ...] = ()
_SHOWN = {"cpu": "CPU", "gpu": "GPU", "gpu_memory": "GPU memory"}


def _unknown() -> float:
    return math.nan


class Actuation:
    """Everything a manager acts with.

    `handling` is `observe` (nothing is done, admission passes everything), `degrade`
    (own-process, reversible steps) or `enforce` (does the same; see `holds`).
    """

    def __init__(
        self,
        clock: Clock,
        handling: str,
        limits: Sequence[tuple[Resource, float]],
        *,
        on_refuse: Callable[[str], None] | None = None,
        own_memory_mb: Callable[[], float] = _unknown,
        learned: str | None = None,
    ) -> None:
        self._clock = clock
        self._handling = handling
        self.acting = handling != "observe"
        """False when decisions are only made, not carried out."""
        self._limits = tuple(limits)
        self._actuators: tuple[Actuator, ...] = ()
        self._applied: set[Actuator] = set()
        self.runner = ActionRunner(clock)
        """Calls things off the tick."""
        self._resources = {*BUILT_IN, *(resource.name for resource, _ in self._limits)}
        self.knobs = KnobBoard(self.runner, self._resources)
        self.announcements = AnnouncementBook(clock.monotonic)
        self.jobs = Jobs(clock, own_memory_mb, learned)
        self.admission = AdmissionGate(
            clock,
            self._limits,
            self.jobs,
            enabled=self.acting,
            on_admit=self.announcements.consume,
            on_refuse=on_refuse,
        )
        if any(resource.name == MemoryTrim.resource for resource, _ in self._limits):
            self.add(MemoryTrim(clock, own_memory_mb))

    def add(self, actuator: Actuator) -> None:
        """Make an actuator available.

        Raises `ConfigurationError` for a name taken already and an unknown resource.
        """
        resource_name(actuator.resource, self._resources, f"actuator {actuator.name!r}")
        if any(known.name == actuator.name for known in self._actuators):
            raise ConfigurationError(
                f"an actuator named {actuator.name!r} exists already: use another name"
            )
        self._actuators = (*self._actuators, actuator)

    def watch(self, resource: Resource, limit: float) -> None:
        """Act on a limit that was declared later, a signal's: knobs and hooks may name it."""
        self._resources.add(resource.name)
        self._limits = (*self._limits, (resource, limit))

    def unwatch(self, resource: Resource) -> None:
        """Undo `watch`; knobs of the resource go to their maximum with the next tick."""
        self._resources.discard(resource.name)
        self._limits = tuple([pair for pair in self._limits if pair[0] != resource])

    def hook(
        self,
        name: str,
        release: Callable[..., object],
        *,
        resource: str = "memory",
        level: Level = Level.ELEVATED,
        restore: Callable[[], object] | None = None,
        expected: float | None = None,
        cost: float = 0.1,
    ) -> None:
        """Have `release` called when `resource` reaches `level`, and `restore` when it is over.

        `expected` is how much it gives back in the resource's unit, `cost` the loss of
        work, 0-1. What it returns does not count: the effect is measured. `release(need)`
        is told how much is wanted, when it takes an argument. Raises `ConfigurationError`
        for a name taken already or a value out of range.
        """
        from amptalk.actuators.hooks import Hook

        self.add(
            Hook(name, release, resource=resource, level=level, restore=restore,
                 expected=expected, cost=cost)
        )  # fmt: skip

    def announced(self, now: float) -> tuple[Announcement, ...]:
        """Work that is known to come, `starts_in` relative to the monotonic time `now`."""
        return self.announcements.current(now)

    def carry_out(
        self, sample: Sample, limits: tuple[LimitState, ...], decision: Decision
    ) -> tuple[ActionReport, ...]:
        """Act on one tick; returns what was verified in it. Neither blocks nor raises."""
        now = sample.monotonic
        self.jobs.tick(sample)
        if self.jobs.due(now):
            self.runner.call("learned", self.jobs.save, _SAVING)
        self.admission.update(limits, decision)
        if not self.acting:
            return _NO_REPORTS
        knobs, runner = self.knobs, self.runner
        knobs.apply(decision, limits, now, sample.time)
        reports: list[ActionReport] = []
        if knobs.pending or runner.busy:
            measure = _measure(sample, limits)
            reports += runner.poll(now, measure)
            reports += knobs.settle(now, sample.time, measure)
        for state in limits:
            if state.level:
                self._step(state, now, sample.time)
        if self._applied:
            self._restore(limits, now, sample.time)
        return tuple(reports) if reports else _NO_REPORTS

    def holds(self) -> tuple[str, ...]:
        """What an operator should know of the limits: which ones nothing can hold, and why.

        Nothing when handling is `observe`: then all of them are watched only, as asked for.
        """
        if not self.acting:
            return ()
        sentences = []
        if self._handling == "enforce" and self._limits:
            sentences.append(
                "handling 'enforce': limits of the kernel (memory.max, cpu.max) and of devices "
                "(GPU power, frequency) are not set by this version; it acts like 'degrade'"
            )
        loose = [
            _name(resource, limit)
            for resource, limit in self._limits
            if not self._can_hold(resource)
        ]
        if loose:
            sentences.append(
                f"watched, but nothing holds yet: {', '.join(loose)}; a knob, admission, a hook or "
                "a component can"
            )
        return tuple(sentences)

    def release(self) -> None:
        """Let go of everything: knobs to their maximum, hooks restored, threads ended.

        Takes 2 s at most; what hangs longer is left behind on its daemon thread. Acting
        starts anew with the next `carry_out`.
        """
        self.admission.release()
        with suppress(OSError):  # the disk may be full or gone; what was learned is then lost
            self.jobs.save()
        self.runner.forget_steps()
        self.runner.threads.stop(RELEASE_SECONDS / 2)
        self.knobs.release()
        for actuator in self._applied:
            self.runner.call(actuator.name, actuator.undo, actuator.deadline)
        self._applied.clear()
        self.runner.threads.stop(RELEASE_SECONDS / 2)

    def freeze(self) -> None:
        """Become inert in a forked child: knobs stay, admission passes with one warning."""
        self.acting = False
        self.runner.freeze()
        self.knobs.freeze()
        self.admission.freeze()
        self.announcements.freeze()

    # -- levels -----------------------------------------------------------------------

    def _step(self, state: LimitState, now: float, wall: float) -> None:
        """Start what the planner chooses for one limit above normal."""
        if state.blind or math.isnan(state.value):
            return
        name, runner = state.resource.name, self.runner
        candidates = [
            actuator
            for actuator in self._actuators
            if actuator.resource == name
            and actuator.level <= state.level
            and runner.unavailable(actuator, now) is None
        ]
        if not candidates:
            return
        seconds = state.time_to_limit if state.time_to_limit > 0 else math.inf
        need = need_of(state)
        chosen = plan(need, state.level, candidates, runner.learned, runner.in_flight, seconds)
        for actuator in chosen:
            if runner.start(actuator, need, state, now, wall):
                self._applied.add(actuator)

    def _restore(self, limits: tuple[LimitState, ...], now: float, wall: float) -> None:
        """Undo what was applied for limits whose level is normal again."""
        normal = {s.resource.name: s for s in limits if s.level is Level.NORMAL and not s.blind}
        for actuator in tuple(self._applied):
            state = normal.get(actuator.resource)
            if state is not None and self.runner.undo(actuator, state, now, wall):
                self._applied.discard(actuator)

    def _can_hold(self, resource: Resource) -> bool:
        """Whether a knob, a hook or admission acts on a resource."""
        if self.knobs.holding(resource.name) or self.admission.used:
            return True
        return any(
            actuator.resource == resource.name and not isinstance(actuator, MemoryTrim)
            for actuator in self._actuators
        )


def _measure(sample: Sample, limits: tuple[LimitState, ...]) -> Measure:
    """Measurements of one tick by resource name, with the time they were made."""

    def measure(resource: str) -> Measurement:
        for state in limits:
            if state.resource.name != resource:
                continue
            origin = sample.provenance.get(state.resource.field)
            if origin is not None and not origin.renewed:
                return Measurement(state.value, origin.measured_at)
            return Measurement(state.value, sample.monotonic if state.fresh else -math.inf)
        return Measurement(math.nan, -math.inf)

    return measure


def _name(resource: Resource, limit: float) -> str:
    return f"{_SHOWN.get(resource.name, resource.name)} {limit:g} {resource.unit}"
