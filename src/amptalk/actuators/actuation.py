"""Carry out a decision, once a tick, and report what measurement said of it.

Two seams: the decision's **allocations** move what is proportional (knobs, the pace of
admission), the **levels** of the limits call for what is discrete (trim, hooks),
which the planner chooses. Everything that may take time runs on action threads. What the
kernel and devices hold is in `enforcement`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from amptalk.actuators.admission import AdmissionGate
from amptalk.actuators.amounts import label
from amptalk.actuators.announcements import AnnouncementBook
from amptalk.actuators.enforcing import Enforcing
from amptalk.actuators.jobs.ledger import Jobs
from amptalk.actuators.knob_board import KnobBoard
from amptalk.actuators.ladder import HeldBack, Ladder
from amptalk.actuators.own_steps import own_steps
from amptalk.actuators.runner import ActionRunner
from amptalk.actuators.verdicts import measure_of
from amptalk.clock import Clock
from amptalk.model.action import ActionReport
from amptalk.model.announcement import Announcement
from amptalk.model.decision import Decision
from amptalk.model.level import LimitState
from amptalk.model.resource import BUILT_IN, Resource
from amptalk.model.sample import Sample

if TYPE_CHECKING:
    from amptalk.actuators.enforcement import Enforcement

RELEASE_SECONDS = 3.0
"""`release` takes no longer, whatever hangs."""
BEGIN_SECONDS = 2.0
"""`begin` takes no longer, whatever hangs."""

_SAVING = 5.0
"""Seconds after which writing what was learned counts as hanging."""

_NO_REPORTS: tuple[ActionReport, ...] = ()
_SHOWN = {"cpu": "CPU", "gpu": "GPU", "gpu_memory": "GPU memory"}


def _unknown() -> float:
    return math.nan


class Actuation:
    """Everything a manager acts with.

    `handling` is `observe` (nothing is done, admission passes everything), `degrade`
    (own-process, reversible steps) or `enforce` (the kernel holds limits too, of `scope`
    "application" alone, from `begin` to `release`; limits of devices that are named whatever the
    scope is): how, `enforcing` says.
    """

    def __init__(
        self,
        clock: Clock,
        handling: str,
        limits: Sequence[tuple[Resource, float]],
        *,
        on_refuse: Callable[[str], None] | None = None,
        own_memory_mb: Callable[[], float] = _unknown,
        family_memory_mb: Callable[[], float] = _unknown,
        cores: Callable[[], float] = _unknown,
        learned: str | None = None,
        enforcing: Enforcing | None = None,
    ) -> None:
        self._clock = clock
        self._handling = handling
        self._enforcing = Enforcing() if enforcing is None else enforcing
        self.acting = handling != "observe"
        """False when decisions are only made, not carried out."""
        self._limits = tuple(limits)
        self.cores = cores
        """How many cores 100 % of CPU are."""
        self.announcements = AnnouncementBook(clock.monotonic)
        self.jobs = Jobs(clock, family_memory_mb, learned, cores)
        self.admission = AdmissionGate(
            clock,
            self._limits,
            self.jobs,
            enabled=self.acting,
            on_admit=self.announcements.consume,
            on_refuse=on_refuse,
        )
        self.runner = ActionRunner(clock, self.admission.room.beside)
        """Calls things off the tick."""
        self._resources = {*BUILT_IN, *(resource.name for resource, _ in self._limits)}
        self.ladder = Ladder(self.runner, self._resources, clock)
        """Steps that the levels call for."""
        self.knobs = KnobBoard(self.runner, self._resources)
        self._judged: tuple[LimitState, ...] = ()
        steps = own_steps(
            clock, self._limits, enforced=handling == "enforce", own_memory_mb=own_memory_mb,
            cores=cores, value_of=self._value_of,
        )  # fmt: skip
        for step in steps:
            self.ladder.add(step)
        self.enforcement: Enforcement | None = None
        """What the kernel holds; `None` unless handling is `enforce`."""
        if handling == "enforce":
            self.enforcement = self._enforcing.make(clock, self._limits, cores)
        if self.enforcement is not None:
            for step in self.enforcement.steps:
                self.ladder.add(step)

    def _value_of(self, resource: str) -> float:
        """What was measured last of a limited resource, `nan` when nothing was."""
        judged = self._judged
        return next((one.value for one in judged if one.resource.name == resource), math.nan)

    def begin(self) -> None:
        """Have the kernel hold what it shall; waits 2 s at most. Does nothing otherwise."""
        enforcement = self.enforcement
        if enforcement is None:
            return
        enforcement.wanted = True
        done = threading.Event()

        def begin() -> None:
            enforcement.begin()
            done.set()

        if self.runner.call("enforcement", begin, BEGIN_SECONDS) is not None:
            done.wait(BEGIN_SECONDS)

    def watch(self, resource: Resource, limit: float) -> None:
        """Act on a limit that was declared later, a signal's: knobs and hooks may name it."""
        self._resources.add(resource.name)
        self._limits = (*self._limits, (resource, limit))

    def unwatch(self, resource: Resource) -> None:
        """Undo `watch`; knobs of the resource go to their maximum with the next tick."""
        self._resources.discard(resource.name)
        self._limits = tuple([pair for pair in self._limits if pair[0] != resource])

    def child(self, process: Any, *, priority: int = 0, may_end: bool = False) -> None:
        """Say how important a child process is to what is left when memory runs out.

        `process` is a pid, or has one (`Popen`, `multiprocessing.Process`). With handling
        `enforce` the kernel, when it must kill, takes the lowest `priority` first and never this
        process before a declared child; below 0 the child is in the background and may be paused.
        With `may_end` the guardian may end it (SIGTERM, then SIGKILL) before the kernel would have
        to kill. Otherwise nothing comes of it. Raises `ConfigurationError` for what is no living
        child.
        """
        enforcement = self.enforcement
        if enforcement is None:
            return
        enforcement.children.declare(process, priority=priority, may_end=may_end)
        if enforcement.active:
            self.runner.call("victims", enforcement.declared, BEGIN_SECONDS)

    def protect(self, name: str) -> None:
        """Have the kernel, when it must kill, kill processes of this name last (`sshd`).

        The name is the one that `ps -o comm` shows; processes of this user and of root count. It
        takes handling `enforce` and root with CAP_SYS_RESOURCE; what may not be done, a notice
        tells. Raises `ConfigurationError` for what is no name.
        """
        label(name, "a process to protect")
        enforcement = self.enforcement
        if enforcement is None:
            return
        enforcement.protected.add(name)
        if enforcement.active:
            self.runner.call("victims", enforcement.declared, BEGIN_SECONDS)

    def announced(self, sample: Sample) -> tuple[Announcement, ...]:
        """Demand that is known to come and that the sample does not show yet.

        What was announced, and what admitted work has not taken so far; see `admission_demand`.
        """
        self.jobs.tick(sample)
        now = sample.monotonic
        if not self.admission.busy:
            return self.announcements.current(now)
        demand, waiting = self.admission.demand()
        return (*self.announcements.current(now, waiting), *demand)

    def grant(self, limits: Mapping[str, float]) -> None:
        """Have the kernel hold what sharing grants of CPU now; neither blocks nor raises."""
        if self.enforcement is not None:
            self.enforcement.grant(limits.get("cpu", math.inf), self.runner.call)

    def carry_out(
        self, sample: Sample, limits: tuple[LimitState, ...], decision: Decision
    ) -> tuple[ActionReport, ...]:
        """Act on one tick; returns what was verified in it. Neither blocks nor raises."""
        now = sample.monotonic
        if self.jobs.due(now):
            self.runner.call("learned", self.jobs.save, _SAVING)
        self.admission.update(limits, decision)
        if not self.acting:
            return _NO_REPORTS
        self._judged = limits
        knobs, runner = self.knobs, self.runner
        knobs.apply(decision, limits, now, sample.time)
        reports: list[ActionReport] = []
        if knobs.pending or runner.busy:
            measure = measure_of(sample, limits)
            reports += runner.poll(now, measure)
            reports += knobs.settle(now, sample.time, measure)
        self.ladder.tick(limits, lambda state: self._held_back(state, decision), now, sample.time)
        if self.enforcement is not None:
            self.enforcement.tick(now, decision, runner.call)
            reports += self.enforcement.reports()
        return tuple(reports) if reports else _NO_REPORTS

    def holds(self) -> tuple[str, ...]:
        """What an operator should know of the limits: which ones nothing can hold, and why.

        Nothing when handling is `observe`: then all of them are watched only, as asked for.
        """
        if not self.acting:
            return ()
        sentences = []
        if self._handling == "enforce" and self._limits:
            sentences += self._enforcing.sentences(self.enforcement, self._limits)
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

        Takes 3 s at most; what hangs longer is left behind on its daemon thread. Acting
        starts anew with the next `carry_out`.
        """
        self.admission.release()
        with suppress(OSError):  # the disk may be full or gone; what was learned is then lost
            self.jobs.save()
        self.runner.forget_steps()
        self.runner.threads.stop(RELEASE_SECONDS / 3)
        self.knobs.release()
        self.ladder.release()
        self.runner.threads.stop(RELEASE_SECONDS / 3)
        if self.enforcement is not None:  # also what a step that hangs still holds
            self.enforcement.wanted = False
            self.runner.call("enforcement", self.enforcement.end, RELEASE_SECONDS / 3)
            self.runner.threads.stop(RELEASE_SECONDS / 3)

    def freeze(self) -> None:
        """Become inert in a forked child: knobs stay, admission passes with one warning."""
        self.acting = False
        self.runner.freeze()
        self.knobs.freeze()
        self.admission.freeze()
        self.announcements.freeze()
        if self.enforcement is not None:
            self.enforcement.forget()

    def _held_back(self, state: LimitState, decision: Decision) -> HeldBack:
        """What knobs and admission hold back for a limit."""
        name, room = state.resource.name, self.admission.room
        by_knobs = 1.0 - decision.share(name) if self.knobs.holding(name) else 0.0
        shrunk = room.shrunk(name)
        return HeldBack(
            max(by_knobs, shrunk.share), shrunk.amount, room.committed(name),
            room.declared_at(name),
        )  # fmt: skip

    def _can_hold(self, resource: Resource) -> bool:
        """Whether a knob, a hook, admission or the kernel acts on a resource."""
        if self.knobs.holding(resource.name) or self.admission.used:
            return True
        if self.enforcement is not None and self.enforcement.holds(resource.name):
            return True
        return self.ladder.can_hold(resource.name)


def _name(resource: Resource, limit: float) -> str:
    return f"{_SHOWN.get(resource.name, resource.name)} {limit:g} {resource.unit}"
