"""What `handling="enforce"` adds: the kernel holds limits from start to stop, and more steps.

Standing limits (a cap on memory, a quota of CPU time) are set at the start, read back, and looked
at again; what the kernel or a permission refuses is told, and the rest goes on. The quota follows
the allocations of power and temperature. Steps of the ladder and the order of victims are beside
(`kernel`). Everything is in the journal before it is done, so whatever ends this process, it can be
undone. Limits of devices are not set.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence

from amptalk.actuators.guardian.guardian import GuardianProcess
from amptalk.actuators.guardian.guarding import Guarding, Start
from amptalk.actuators.journal.folder import JournalFolder, usual_folder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.journal.restore import Restored, restore
from amptalk.actuators.journal.undo import State
from amptalk.actuators.kernel.contract import GroupStep, Hold
from amptalk.actuators.kernel.cpu import CpuWeight
from amptalk.actuators.kernel.memory import MemoryBrake, MemoryReclaim
from amptalk.actuators.kernel.own_groups import OwnGroups
from amptalk.actuators.kernel.processes import BackgroundPause, PauseBackground, ProcessCap
from amptalk.actuators.kernel.standing import FOLLOWED, StandingLimits
from amptalk.actuators.kernel.victims import Children
from amptalk.clock import Clock
from amptalk.model.action import ActionReport
from amptalk.model.decision import Decision
from amptalk.model.errors import ActionError
from amptalk.model.resource import Resource
from amptalk.sensors.files import SensorFault
from amptalk.sensors.identity import identity_of
from amptalk.sensors.procstat import family
from amptalk.sensors.roots import Roots

LOOKED_AT = 5.0
"""Seconds between looks whether what stands still stands, and between steps of the quota's way."""
PATIENCE = 2.0
"""Seconds that one call on an action thread may take."""
_WATCHED = 1.0
"""Seconds between looks at a brake that is on."""

_in_use = threading.Lock()
"""Held while a manager of this process enforces: the groups are the process's, so it is one."""

Run = Callable[[str, Callable[[], object], float], object]
"""Calls a function on an action thread: key, function, deadline in seconds."""


class Enforcement:
    """Everything that the kernel holds for one manager, off until `begin`.

    One manager of a process enforces at a time; another one is told so. `begin`, `check` and `end`
    may block: they belong on action threads. `exclude` has a helper process left out of the
    application. `guardian`, `roots`, `pid` and `folder` (of the journal) are injectable.
    """

    def __init__(
        self,
        clock: Clock,
        limits: Sequence[tuple[Resource, float]],
        *,
        cores: Callable[[], float],
        exclude: Callable[[int], object],
        guardian: Start = GuardianProcess,
        roots: Roots | None = None,
        pid: int | None = None,
        folder: str | None = None,
    ) -> None:
        self._limits = tuple(limits)
        self._cores = cores
        self._roots = Roots() if roots is None else roots
        self._pid = os.getpid() if pid is None else pid
        self._path = folder
        self.children = Children(self._roots.proc, self._pid)
        """Child processes by their importance."""
        self._exclude = exclude
        self._guarding = Guarding(clock, self.children, self._leave_out, guardian)
        limited = {resource.name for resource, _ in self._limits}
        self._standing = StandingLimits(clock, self._limits)
        self._brake = MemoryBrake()
        pause = BackgroundPause(self.children.background)
        paused = sorted(limited & {"cpu", *FOLLOWED})
        self.steps: tuple[GroupStep, ...] = (
            *([MemoryReclaim(), self._brake, ProcessCap()] if "memory" in limited else []),
            *([CpuWeight()] if "cpu" in limited else []),
            *[PauseBackground(resource, pause) for resource in paused],
        )
        """Steps of the ladder, for the planner; not available until `begin`."""
        self.excluded: frozenset[int] = frozenset()
        """Helper processes that are not part of the application."""
        asked = ", ".join(self._standing.names)
        self._sentences = [f"from start to stop the kernel is asked to hold: {asked or 'nothing'}"]
        self.wanted = False
        """Whether it should be on: a `begin` that comes back after the stop undoes itself."""
        self._hold: Hold | None = None
        self._folder: JournalFolder | None = None
        self._look_at = self._watch_at = -math.inf

    @property
    def active(self) -> bool:
        """True while the kernel is asked to hold anything."""
        return self._hold is not None

    def holds(self, resource: str) -> bool:
        """Whether the kernel holds a limit now."""
        return resource in self._standing.held

    def sentences(self) -> tuple[str, ...]:
        """What an operator should know of it, as of the last start."""
        return tuple(self._sentences)

    def reports(self) -> list[ActionReport]:
        """What was verified since the last call."""
        return [*self._standing.reports(), *self._guarding.reports()]

    # -- start and stop ---------------------------------------------------------

    def begin(self) -> None:
        """Undo what earlier owners left, then have the kernel hold what it can. Never raises."""
        if self.active:
            return
        if not _in_use.acquire(blocking=False):
            self._sentences = [
                "the kernel holds no limit of this manager: another one of this process enforces; "
                "give all limits to one"
            ]
            return
        self._sentences = []
        try:
            self._open()
        except (ActionError, SensorFault) as error:
            _in_use.release()
            self._sentences.append(f"the kernel holds no limit: {error}")
            return
        hold = self._hold
        assert hold is not None  # noqa: S101 - set by `_open`
        guarded = self._guarding.begin(hold, self._path_of_journal())
        self._sentences += self._standing.begin(hold)
        if self.holds("memory"):
            guarded += self._guarding.watch(hold)
        self._sentences += guarded
        for step in self.steps:
            step.begin(hold)
        self.children.begin(hold)
        self.order()
        if not self.wanted:
            self.end()

    def end(self) -> None:
        """Undo everything, as far as it can be undone. Never raises; idempotent."""
        hold, folder = self._hold, self._folder
        if hold is None or folder is None:
            return
        self._sentences = []
        try:
            results = restore(folder, self._roots.proc, owner=hold.journal.owner)
        except ActionError as error:
            self._sentences.append(f"not undone: {error}")
        else:
            self._tell(results)
        self._hold = self._folder = None
        self._guarding.end()
        self._standing.end()
        for step in self.steps:
            step.end()
        self.children.end()
        folder.close()
        _in_use.release()

    def forget(self) -> None:
        """Become inert in a forked child: all of it is the parent's."""
        if self.active:
            _in_use.release()
        self._guarding.forget()
        self._hold = self._folder = None
        self._standing.end()
        for step in self.steps:
            step.end()
        self.children.end()

    def _open(self) -> None:
        """Open the journal and undo what ended owners left in it."""
        path = self._path_of_journal()
        owner = identity_of(self._roots.proc, self._pid)
        folder = JournalFolder(path, create=True)
        try:
            self._tell(restore(folder, self._roots.proc))
            # Of this very process: what it left before it replaced its program (exec).
            self._tell(restore(folder, self._roots.proc, owner=owner))
            journal = Journal(folder, owner)
        except ActionError:
            folder.close()
            raise
        self._folder = folder
        groups = OwnGroups(self._roots, journal, self._members)
        self._hold = Hold(
            self._roots, journal, groups, self._members, self._limits, self._cores
        )  # fmt: skip

    def _path_of_journal(self) -> str:
        return usual_folder(os.environ, os.geteuid()) if self._path is None else self._path

    def _leave_out(self, pid: int) -> None:
        """Neither move a helper process into our groups nor count it."""
        self.excluded |= {pid}
        self._exclude(pid)

    def _tell(self, results: list[Restored]) -> None:
        """Say what became of changes that an ended owner left, or of ours that remain."""
        for result in results:
            if result.outcome.state is State.UNDONE and not self.active:
                self._sentences.append(f"undone what was left behind: {result.outcome.text}")
            elif result.remains:
                self._sentences.append(
                    f"not undone: {result.outcome.text} ({result.name}); `amptalk restore` tries "
                    "again"
                )

    def _members(self) -> list[int]:
        """The application's processes, its own first. Raises `ActionError`."""
        try:
            return family(self._roots.proc, self._pid, self.excluded)
        except SensorFault as fault:
            raise ActionError(fault.reason) from None

    def tick(self, now: float, decision: Decision, run: Run) -> None:
        """Start what is due, on action threads; neither blocks nor raises."""
        if self._hold is None:
            return
        if now >= self._look_at:
            self._look_at = now + LOOKED_AT
            run("enforcement", self.check, PATIENCE)
        if now >= self._watch_at:
            self._watch_at = now + _WATCHED
            if self._brake.applied:
                run("memory_brake watch", lambda: self._brake.watch(now), PATIENCE)
            share = self._standing.share_due(decision)
            if share is not None:
                run("cpu_quota", lambda: self._standing.lead(share), PATIENCE)

    def check(self) -> None:
        """Look whether what stands still stands, and order the victims anew. Never raises."""
        self._standing.check()
        self.declared()

    def declared(self) -> None:
        """Take up children that were declared, or have ended. Never raises."""
        self.order()
        for text in self._guarding.look():
            if text not in self._sentences:
                self._sentences.append(text)

    def order(self) -> None:
        """Bring the order of victims up to date; from an action thread. Never raises."""
        try:
            self.children.order()
        except (ActionError, SensorFault) as error:
            text = f"the order of victims is not as declared: {error}"
            if text not in self._sentences:
                self._sentences.append(text)
