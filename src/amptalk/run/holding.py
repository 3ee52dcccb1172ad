"""What holds the limits of one program: groups of the kernel, else affinity, pausing, or nothing.

Everything is set before the program begins and read back. What outlives this process is in the
journal first, and a guardian undoes it when this process is killed. Limits that the kernel cannot
hold are not dropped: `lines` says of each what holds it, or why nothing does.

Power and temperature have no lever of their own: less CPU time is less of both, so the quota
follows what the strategy allots to them (`follow`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from amptalk.actuators.journal.folder import JournalFolder, usual_folder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.kernel.affinity import narrow, thread_counts
from amptalk.actuators.kernel.contract import FOLLOWED, Hold, Standing, asked
from amptalk.actuators.kernel.cpu import CpuQuota
from amptalk.actuators.kernel.memory import MemoryCap, exact_bytes
from amptalk.actuators.kernel.own_groups import OwnGroups
from amptalk.actuators.kernel.places import SCOPE
from amptalk.actuators.kernel.writing import read
from amptalk.model.errors import ActionError
from amptalk.model.resource import Resource
from amptalk.sensors.capacity import Limit
from amptalk.sensors.cgroups import is_root
from amptalk.sensors.files import SensorFault
from amptalk.sensors.group_toll import Toll, toll_of
from amptalk.sensors.identity import identity_of
from amptalk.sensors.roots import Roots

if TYPE_CHECKING:
    from amptalk.actuators.guardian.guardian import GuardianProcess, Starter
    from amptalk.actuators.kernel.protected import Protected

_FEW = 3
"""Other processes that a reason names at most."""


class Holding:
    """Opened before a program is started, closed when all is over. One thread."""

    def __init__(
        self, limits: Sequence[tuple[Resource, float]], cores: Limit, *, pace: bool,
        environment: Mapping[str, str], roots: Roots | None = None, protect: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.limits = tuple(limits)
        self.cores = cores
        self._by_name = {resource.name: limit for resource, limit in limits}
        self._roots = Roots() if roots is None else roots
        self._environment = environment
        self._pace = pace
        self._pid = os.getpid()
        self._protect = tuple(protect)
        self._protected: Protected | None = None
        self.memory = MemoryCap(exact_bytes)
        self.quota = CpuQuota()
        self.why: dict[str, str] = {}
        """Of memory and CPU, why the kernel does not hold it; empty text where it does."""
        self.notes: list[str] = []
        """What else an operator should know."""
        self.narrowed: int | None = None
        """Cores that affinity leaves; `None` when it was not set."""
        self.hold: Hold | None = None
        self.members: Callable[[], Iterable[int]] = tuple
        """The program's processes, once it runs: for groups that are made later."""
        self._folder: JournalFolder | None = None
        self._guardian: GuardianProcess | None = None

    @property
    def helpers(self) -> frozenset[int]:
        """Processes of ours that are not the program's."""
        return frozenset() if self._guardian is None else frozenset({self._guardian.pid})

    @property
    def journal(self) -> Journal | None:
        """Where changes are noted; `None` where there is none."""
        return None if self.hold is None else self.hold.journal

    def open(self) -> None:
        """Have the kernel hold what it can. Never raises; what it could not is in `why`."""
        wanted = asked(set(self._by_name))
        if not (wanted or self._pace or self._protect):
            return
        try:
            hold = self._begin()
        except (ActionError, SensorFault) as error:
            self.why.update(dict.fromkeys(wanted, str(error)))
            if self._protect:
                self.notes.append(f"nothing is protected: {error}")
            return
        self._begin_protecting(hold)
        for controller in sorted(wanted, reverse=True):
            try:
                self._ready(hold, controller)
                self._standing(controller).hold(hold)
                self.why[controller] = ""
            except (ActionError, SensorFault) as error:
                self.why[controller] = str(error)

    def _begin_protecting(self, hold: Hold) -> None:
        """Have the kernel kill what must live last, from now on."""
        if not self._protect:
            return
        from amptalk.actuators.kernel.protected import Protected

        self._protected = protected = Protected(self._roots.proc)
        for name in self._protect:
            protected.add(name)
        protected.begin(hold)
        names = ", ".join(self._protect)
        try:
            protected.order()
        except ActionError as error:
            self.notes.append(f"{names}: not all of it is protected: {error}")
        else:
            self.notes.append(f"{names}: protected, {len(protected.living())} processes now")

    @property
    def protects(self) -> bool:
        """Whether there is anything that must live."""
        return self._protected is not None

    def protect(self) -> None:
        """Protect what came since. Raises `ActionError`."""
        if self._protected is not None:
            self._protected.order()

    def _begin(self) -> Hold:
        path = usual_folder(self._environment, os.geteuid())
        owner = identity_of(self._roots.proc, self._pid)
        folder = JournalFolder(path, create=True)
        try:
            if folder.names() or folder.unfinished():
                self._clear_up(folder)
            journal = Journal(folder, owner)
        except ActionError:
            folder.close()
            raise
        self._folder = folder
        groups = self._groups(journal)
        self.hold = Hold(
            self._roots, journal, groups, self._members, self.limits, lambda: self.cores.amount
        )
        self._guard(path)
        return self.hold

    def _clear_up(self, folder: JournalFolder) -> None:
        """Undo what ended runs have left behind. Raises `JournalError`."""
        from amptalk.actuators.journal.restore import restore
        from amptalk.actuators.journal.undo import State

        for result in restore(folder, self._roots.proc):
            if result.outcome.state is State.UNDONE:
                self.notes.append(f"undone what was left behind: {result.outcome.text}")

    def _groups(self, journal: Journal) -> OwnGroups:
        return OwnGroups(self._roots, journal, self._members)

    def _members(self) -> Iterable[int]:
        return self.members()

    def _guard(self, path: str) -> None:
        """Start a guardian, before anything is changed."""
        from amptalk.actuators.guardian.guardian import GuardianProcess

        assert self.hold is not None  # noqa: S101 - `_begin` has set it
        try:
            self._guardian = GuardianProcess(self.hold.journal.owner, path, self._starter())
        except ActionError as error:
            self.notes.append(f"if this process is killed, `amptalk restore` is needed: {error}")

    def _starter(self) -> Starter:
        from amptalk.actuators.guardian.forked import by_fork

        return by_fork

    def _ready(self, hold: Hold, controller: str) -> None:
        """Find the place for a group, in a scope of systemd's if need be. Raises `ActionError`."""
        try:
            self._divisible(hold, controller)
        except ActionError as error:
            from amptalk.actuators.kernel.scope import enter_scope

            try:
                enter_scope(self._roots, self._pid, self._environment)
                self._divisible(hold, controller)
            except ActionError as more:
                raise ActionError(f"{error}; {more}") from None
        if hold.groups.place(controller).version == 2:  # it divides only what nobody lives in
            for pid in (*self.helpers, self._pid):
                hold.groups.aside(pid)

    def _divisible(self, hold: Hold, controller: str, family: Collection[int] = ()) -> None:
        """Raises `ActionError` where others than us and `family` live in a group of version 2."""
        place = hold.groups.place(controller)
        if place.version == 1 or is_root(2, place.home):
            return
        ours = set(map(str, family or {self._pid, *self.helpers}))
        others = [pid for pid in read(f"{place.home}/cgroup.procs").split() if pid not in ours]
        if others:
            raise ActionError(
                f"{place.home} holds other processes too ({', '.join(others[:_FEW])}), so it "
                f"cannot be divided: {SCOPE}"
            )

    def _standing(self, controller: str) -> Standing:
        return self.memory if controller == "memory" else self.quota

    def held(self, name: str) -> bool:
        """Whether the kernel holds memory or CPU from the start."""
        return name in self._by_name and self.why.get(name) == ""

    @property
    def follows(self) -> tuple[str, ...]:
        """Limits without a lever of their own, for which CPU time is taken back."""
        can = self.why.get("cpu") == ""
        return tuple(name for name in FOLLOWED if can and name in self._by_name)

    @property
    def paced(self) -> bool:
        """Whether CPU is to be held by pausing."""
        return self._pace and not self.held("cpu") and self.hold is not None

    def variables(self) -> dict[str, str]:
        """What is added to the program's environment."""
        if "cpu" not in self._by_name or self.held("cpu"):
            return {}
        return thread_counts(self._environment, self.allowed_cores)

    def doors(self) -> list[str]:
        """Files that a program writes 0 to, before it begins, to be under the kernel's limits."""
        return [] if self.hold is None else self.hold.groups.doors()

    def narrow(self, pid: int) -> None:
        """Leave a program that has not begun fewer processors where only that holds CPU."""
        if "cpu" in self._by_name and not self.held("cpu"):
            try:
                self.narrowed = narrow(pid, self.allowed_cores)
            except ActionError as error:
                self.notes.append(str(error))

    @property
    def allowed_cores(self) -> float:
        """Cores that a limit on CPU comes to."""
        return self.cores.amount * self._by_name["cpu"] / 100.0

    def follow(self, share: float) -> None:
        """Leave this share of all cores to the program. Raises `ActionError`."""
        self.quota.follow(share)

    def toll(self) -> Toll:
        """What the kernel counted of memory; while the groups are there."""
        if self.hold is None or self.memory.held is None:
            return Toll()
        place = self.hold.groups.place("memory")
        return toll_of(self.hold.groups.enter("memory"), place.version)

    def close(self) -> None:
        """Undo everything. Never raises; what remains is in `notes`."""
        hold, folder = self.hold, self._folder
        if hold is None or folder is None:
            return
        from amptalk.actuators.journal.restore import restore

        try:
            results = restore(folder, self._roots.proc, owner=hold.journal.owner)
            self.notes += [
                f"not undone: {result.outcome.text}; `amptalk restore` tries again"
                for result in results if result.remains
            ]  # fmt: skip
        except ActionError as error:
            self.notes.append(f"not undone: {error}")
        if self._guardian is not None:
            self._guardian.stop()
        folder.close()
        self.hold = self._folder = self._guardian = self._protected = None
