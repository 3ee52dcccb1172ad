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

from amptalk.actuators.journal.folder import JournalFolder, usual_folder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.journal.restore import Restored, restore
from amptalk.actuators.journal.undo import State
from amptalk.actuators.kernel.contract import GroupStep, Hold, Standing
from amptalk.actuators.kernel.cpu import CpuQuota, CpuWeight
from amptalk.actuators.kernel.memory import MemoryBrake, MemoryCap, MemoryReclaim
from amptalk.actuators.kernel.own_groups import OwnGroups
from amptalk.actuators.kernel.processes import BackgroundPause, PauseBackground, ProcessCap
from amptalk.actuators.kernel.victims import Children
from amptalk.clock import Clock
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.decision import Decision
from amptalk.model.errors import ActionError
from amptalk.model.level import Level
from amptalk.model.resource import Resource
from amptalk.sensors.files import SensorFault
from amptalk.sensors.identity import identity_of
from amptalk.sensors.procstat import family
from amptalk.sensors.roots import Roots

FOLLOWED = ("power", "temperature")
"""Resources whose allocations the CPU quota follows: CPU time is what the kernel holds of them."""
LOOKED_AT = 5.0
"""Seconds between looks whether what stands still stands, and between steps of the quota's way."""
PATIENCE = 2.0
"""Seconds that one call on an action thread may take."""
_STEP = 0.05
"""A share that moved by less is not followed."""
_WATCHED = 1.0
"""Seconds between looks at a brake that is on."""

_in_use = threading.Lock()
"""Held while a manager of this process enforces: the groups are the process's, so it is one."""

Run = Callable[[str, Callable[[], object], float], object]
"""Calls a function on an action thread: key, function, deadline in seconds."""


class Enforcement:
    """Everything that the kernel holds for one manager, off until `begin`.

    One manager of a process enforces at a time; another one is told so. `begin`, `check` and `end`
    may block: they belong on action threads. `roots`, `pid` and `folder` (of the journal) are
    injectable.
    """

    def __init__(
        self,
        clock: Clock,
        limits: Sequence[tuple[Resource, float]],
        *,
        cores: Callable[[], float],
        roots: Roots | None = None,
        pid: int | None = None,
        folder: str | None = None,
    ) -> None:
        self._clock = clock
        self._limits = tuple(limits)
        self._cores = cores
        self._roots = Roots() if roots is None else roots
        self._pid = os.getpid() if pid is None else pid
        self._path = folder
        self.children = Children(self._roots.proc, self._pid)
        """Child processes by their importance."""
        limited = {resource.name for resource, _ in self._limits}
        self._quota = CpuQuota() if limited & {"cpu", *FOLLOWED} else None
        self._standing: tuple[Standing, ...] = (
            *([MemoryCap()] if "memory" in limited else []),
            *([self._quota] if self._quota is not None else []),
        )
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
        self._lock = threading.Lock()
        self._reports: list[ActionReport] = []
        asked = ", ".join(standing.resource for standing in self._standing)
        self._sentences = [f"from start to stop the kernel is asked to hold: {asked or 'nothing'}"]
        self._held: set[str] = set()
        self._hold: Hold | None = None
        self._folder: JournalFolder | None = None
        self._look_at = self._watch_at = -math.inf

    @property
    def active(self) -> bool:
        """True while the kernel is asked to hold anything."""
        return self._hold is not None

    def holds(self, resource: str) -> bool:
        """Whether the kernel holds a limit now."""
        return resource in self._held

    def sentences(self) -> tuple[str, ...]:
        """What an operator should know of it, as of the last start."""
        return tuple(self._sentences)

    def reports(self) -> list[ActionReport]:
        """What was verified since the last call."""
        with self._lock:
            taken, self._reports = self._reports, []
        return taken

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
        for standing in self._standing:
            self._stand(standing, hold)
        for step in self.steps:
            step.begin(hold)
        self.children.begin(hold)
        self.order()

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
        self._held.clear()
        for step in self.steps:
            step.end()
        self.children.end()
        folder.close()
        _in_use.release()

    def forget(self) -> None:
        """Become inert in a forked child: all of it is the parent's."""
        if self.active:
            _in_use.release()
        self._hold = self._folder = None
        self._standing = self.steps = ()
        self._held.clear()

    def _open(self) -> None:
        """Open the journal and undo what ended owners left in it."""
        path = usual_folder(os.environ, os.geteuid()) if self._path is None else self._path
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

    # -- what stands --------------------------------------------------------------

    def _stand(self, standing: Standing, hold: Hold) -> None:
        """Set a standing limit and report what came of it."""
        started, wall = self._clock.monotonic(), self._clock.time()
        unlimited = standing.resource not in {resource.name for resource, _ in self._limits}
        try:
            standing.hold(hold)
        except (ActionError, SensorFault) as error:
            verdict, detail = Verdict.DENIED, str(error)
            self._sentences.append(f"the kernel does not hold {standing.resource}: {error}")
        else:
            if unlimited:
                return
            verdict, detail = Verdict.WORKED, standing.where
            self._held.add(standing.resource)
            self._sentences.append(f"the kernel holds {standing.resource}: {detail}")
        self._report(standing, verdict, detail, wall, self._clock.monotonic() - started)

    def _report(
        self, standing: Standing, verdict: Verdict, detail: str, wall: float, seconds: float
    ) -> None:
        unit = "MB" if standing.resource == "memory" else "%"
        held = standing.held
        after = math.nan if held is None or verdict is not Verdict.WORKED else held
        report = ActionReport(
            standing.name, standing.resource, unit, Level.NORMAL, wall, seconds, math.nan, after,
            None, verdict, detail,
        )  # fmt: skip
        with self._lock:
            self._reports.append(report)

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
            if self._quota is not None:
                self._follow(self._quota, decision, run)

    def _follow(self, quota: CpuQuota, decision: Decision, run: Run) -> None:
        """Let the quota go the way of the allocations that CPU time can do something about."""
        share = min(
            (one.share for one in decision.allocations if one.resource in FOLLOWED), default=1.0
        )
        if abs(share - quota.share) >= _STEP or (share >= 1.0) != (quota.share >= 1.0):
            run("cpu_quota", lambda: self._lead(quota, share), PATIENCE)

    def _lead(self, quota: CpuQuota, share: float) -> None:
        """Set the quota to a share and report it."""
        started, wall = self._clock.monotonic(), self._clock.time()
        try:
            quota.follow(share)
        except (ActionError, SensorFault) as error:
            verdict, detail = Verdict.DENIED, str(error)
        else:
            verdict, detail = Verdict.WORKED, quota.where or "no quota any more"
        self._report(quota, verdict, detail, wall, self._clock.monotonic() - started)

    def check(self) -> None:
        """Look whether what stands still stands, and order the victims anew. Never raises."""
        for standing in self._standing:
            if standing.resource not in self._held:
                continue
            try:
                why = standing.lost()
            except ActionError as error:
                why = str(error)
            if why:
                self._held.discard(standing.resource)
                self._report(standing, Verdict.NO_EFFECT, f"not held any more: {why}",
                             self._clock.time(), 0.0)  # fmt: skip
        self.order()

    def order(self) -> None:
        """Bring the order of victims up to date; from an action thread. Never raises."""
        try:
            self.children.order()
        except (ActionError, SensorFault) as error:
            text = f"the order of victims is not as declared: {error}"
            if text not in self._sentences:
                self._sentences.append(text)
