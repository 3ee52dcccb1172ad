"""What `handling="enforce"` adds: the kernel holds limits from start to stop, and more steps.

Standing limits (a cap on memory, a quota of CPU time) are set at the start, read back, and looked
at again; what is refused is told, and the rest goes on. The quota follows the allocations of power
and temperature, and what sharing grants. Steps of the ladder and the order of victims are beside
(`kernel`), and limits of devices that were named (`devices`). Everything is in the journal first.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence

from amptalk.actuators.devices.limits import DeviceLimits
from amptalk.actuators.guardian.guardian import GuardianProcess
from amptalk.actuators.guardian.guarding import Guarding, Start
from amptalk.actuators.holders import Holders, Limits
from amptalk.actuators.journal.folder import JournalFolder, usual_folder
from amptalk.actuators.journal.opening import in_words, opened
from amptalk.actuators.journal.restore import restore
from amptalk.actuators.kernel.contract import FOLLOWED, PATIENCE, GroupStep, Hold, Run, asked
from amptalk.actuators.kernel.cpu import CpuWeight
from amptalk.actuators.kernel.memory import MemoryBrake, MemoryReclaim
from amptalk.actuators.kernel.own_groups import OwnGroups
from amptalk.actuators.kernel.processes import BackgroundPause, PauseBackground, ProcessCap
from amptalk.actuators.kernel.protected import Protected
from amptalk.actuators.kernel.standing import StandingLimits, share_of
from amptalk.actuators.kernel.victims import Children
from amptalk.actuators.kernel.wakeups import Wakeups
from amptalk.clock import Clock
from amptalk.model.action import ActionReport
from amptalk.model.decision import Decision
from amptalk.model.errors import ActionError
from amptalk.model.resource import Resource
from amptalk.sensors.files import SensorFault
from amptalk.sensors.procstat import family
from amptalk.sensors.roots import Roots

LOOKED_AT = 5.0
"""Seconds between looks whether what stands still stands, and between steps of the quota's way."""
_WATCHED = 1.0  # seconds between looks at a brake that is on
_SAID = 64  # newest sentences that are kept: some name processes, of which there are ever more

_holders = Holders()  # the groups are the process's: one of its managers holds for all


class Enforcement:
    """Everything that the kernel holds for one manager, off until `begin`.

    Of several managers of a process the first holds for all (`holders`); steps and children are
    of the first alone. `begin`, `check` and `end` may block: they belong on action threads.
    `exclude` has a helper process left out of the application, `devices` are the limits of devices
    that may be set, `wake` has the next tick come at once. `guardian`, `roots`, `pid` and `folder`
    (of the journal) are injectable.
    """

    def __init__(
        self,
        clock: Clock,
        limits: Sequence[tuple[Resource, float]],
        *,
        cores: Callable[[], float],
        exclude: Callable[[int], object],
        devices: DeviceLimits | None = None,
        wake: Callable[[], object] = lambda: None,
        guardian: Start = GuardianProcess,
        roots: Roots | None = None,
        pid: int | None = None,
        folder: str | None = None,
    ) -> None:
        self.limits: Limits = tuple(limits)
        self.granted = math.inf
        """Percent of CPU that sharing grants this manager, `inf` without."""
        self.share = 1.0
        """What the allocations of this manager leave of all cores, 0-1."""
        self._held_for_all: list[tuple[Resource, float]] = []
        self._cores = cores
        self._roots = Roots() if roots is None else roots
        self._pid = os.getpid() if pid is None else pid
        self._path = folder
        self.protected = Protected(self._roots.proc)
        """Processes that must live."""
        self.children = Children(self._roots.proc, self._pid, self.protected.includes)
        """Child processes by their importance."""
        self._wakeups = Wakeups(wake)
        self._exclude = exclude
        self._guarding = Guarding(clock, self.children, self._leave_out, guardian)
        limited = {resource.name for resource, _ in self.limits}
        self._standing = StandingLimits(clock)
        self._devices = DeviceLimits(clock, (), "0") if devices is None else devices
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
        names = ", ".join(sorted(asked(limited), reverse=True))
        self._sentences = [f"from start to stop the kernel is asked to hold: {names or 'nothing'}"]
        self._begun = False
        self.wanted = False
        """Whether it should be on: a `begin` that comes back after the stop undoes itself."""
        self._hold: Hold | None = None
        self._folder: JournalFolder | None = None
        self._look_at = self._watch_at = -math.inf

    @property
    def active(self) -> bool:
        """True while the kernel is asked to hold anything."""
        return self._hold is not None

    @property
    def held(self) -> set[str]:
        """Resources that the kernel or a device holds by this manager."""
        return self._standing.held | (set(FOLLOWED) if self._devices.found else set())

    def holds(self, resource: str) -> bool:
        """Whether the kernel holds a limit now, by this manager or by another one for it."""
        first = _holders.first
        return self._begun and first is not None and resource in first.held

    def sentences(self) -> tuple[str, ...]:
        """What an operator should know of it, as of the last start."""
        return tuple(self._sentences)

    def reports(self) -> list[ActionReport]:
        """What was verified since the last call."""
        return [*self._standing.reports(), *self._devices.reports(), *self._guarding.reports()]

    def begin(self) -> None:
        """Undo what earlier owners left, then have the kernel hold what it can. Never raises."""
        with _holders.changing:
            if not self._begun:
                self._begun = True
                first = _holders.join(self)
                if first is self:
                    self.take_hold()
                else:
                    self._sentences = [
                        "the kernel holds the most restrictive limits of all managers of this "
                        "process, by another one; steps and children are that one's"
                    ]
                    first.renew()
            if not self.wanted:
                self.end()

    def take_hold(self) -> None:
        """Have the kernel hold what the managers of this process ask for. Never raises."""
        self._sentences = []
        try:
            hold = self._open()
        except (ActionError, SensorFault) as error:
            self._sentences.append(f"the kernel holds no limit: {error}")
            return
        guarded = self._guarding.begin(hold, self._path_of_journal())
        self._sentences += [*self._standing.begin(hold), *self._devices.begin(hold)]
        if "memory" in self.held:
            guarded += self._guarding.watch(hold)
        self._sentences += guarded
        for step in self.steps:
            step.begin(hold)
        self._wakeups.begin(hold)
        self.children.begin(hold)
        self.protected.begin(hold)
        self.order()

    def renew(self) -> None:
        """Other managers have come or gone: hold what is asked for now. Never raises."""
        hold = self._hold
        if hold is None:
            return
        self._held_for_all[:] = _holders.limits()
        self._say(self._standing.begin(hold))
        if "memory" in self.held:
            self._say(self._guarding.watch(hold))
        self._wakeups.begin(hold)

    def end(self) -> None:
        """Undo everything, as far as it can be undone. Never raises; idempotent."""
        with _holders.changing:
            if not self._begun:
                return
            self._begun = False
            held, following = self.active, _holders.leave(self)
            self._let_go()
            if following is not None:
                (following.take_hold if held else following.renew)()

    def _let_go(self) -> None:
        hold, folder = self._hold, self._folder
        if hold is None or folder is None:
            return
        self._sentences = []
        try:
            results = restore(folder, self._roots.proc, owner=hold.journal.owner)
        except ActionError as error:
            self._sentences.append(f"not undone: {error}")
        else:
            self._sentences += in_words(results, left_behind=False)
        self._guarding.end()
        self._wakeups.end()
        self._drop()
        folder.close()

    def forget(self) -> None:
        """Become inert in a forked child: all of it is the parent's."""
        _holders.forget()
        self._begun = False
        self._guarding.forget()
        self._wakeups.end()
        self._drop()

    def _drop(self) -> None:
        self._hold = self._folder = None
        self._standing.end()
        self._devices.end()
        for step in self.steps:
            step.end()
        self.children.end()
        self.protected.end()

    def _open(self) -> Hold:
        """Open the journal and undo what ended owners left in it. Raises `ActionError`."""
        folder, journal, left = opened(self._path_of_journal(), self._roots.proc, self._pid)
        self._sentences += in_words(left, left_behind=True)
        self._folder = folder
        groups = OwnGroups(self._roots, journal, self._members)
        self._held_for_all[:] = _holders.limits()
        self._hold = Hold(
            self._roots, journal, groups, self._members, self._held_for_all, self._cores
        )
        return self._hold

    def _path_of_journal(self) -> str:
        return usual_folder(os.environ, os.geteuid()) if self._path is None else self._path

    def _leave_out(self, pid: int) -> None:
        """Neither move a helper process into our groups nor count it."""
        self.excluded |= {pid}
        self._exclude(pid)

    def _members(self) -> list[int]:
        """The application's processes, its own first. Raises `ActionError`."""
        try:
            return family(self._roots.proc, self._pid, self.excluded)
        except SensorFault as fault:
            raise ActionError(fault.reason) from None

    def tick(self, now: float, decision: Decision, run: Run) -> None:
        """Start what is due, on action threads; neither blocks nor raises."""
        self.share = share_of(decision)
        if self._hold is None:
            return
        if now >= self._look_at:
            self._look_at = now + LOOKED_AT
            run("enforcement", self.check, PATIENCE)
        if now >= self._watch_at:
            self._watch_at = now + _WATCHED
            if self._brake.applied:
                run("memory_brake watch", lambda: self._brake.watch(now), PATIENCE)
            share = _holders.share()
            self._standing.follow(share, _holders.granted(), run)
            if self._devices.due(share, now):
                self._devices.lead(share, now, run)

    def grant(self, percent: float, run: Run) -> None:
        """Have the quota follow what sharing grants, on an action thread; never raises."""
        self.granted = percent
        if self._hold is not None:  # else the manager that holds for all sees it with its next tick
            self._standing.follow(_holders.share(), _holders.granted(), run)

    def check(self) -> None:
        """Look whether what stands still stands, and order the victims anew. Never raises."""
        self._standing.check()
        self._devices.check()
        self.declared()

    def declared(self) -> None:
        """Take up children that were declared, or have ended. Never raises."""
        self.order()
        self._say(self._guarding.look())

    def order(self) -> None:
        """Bring the order of victims up to date; from an action thread. Never raises."""
        for order, what in (
            (self.children.order, "the order of victims is not as declared"),
            (self.protected.order, "what must live is not protected"),
        ):
            try:
                order()
            except (ActionError, SensorFault) as error:
                self._say([f"{what}: {error}"])

    def _say(self, sentences: Sequence[str]) -> None:
        self._sentences = list(dict.fromkeys([*self._sentences, *sentences]))[-_SAID:]
