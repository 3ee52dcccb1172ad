"""Keeps a guardian while limits are enforced: started first, told of children, started again.

What it may do to whom is written down before it may: a child that may be stopped has an entry in
the journal from then on, so that whoever comes later lets it go on. It watches memory only where
the kernel caps it in a group of ours; where not it still undoes everything when this process ends.
"""

from __future__ import annotations

from collections.abc import Callable

from amptalk.actuators.guardian.guardian import GuardianProcess
from amptalk.actuators.guardian.orders import Order, Told, Usage, Watched
from amptalk.actuators.journal.changes import STOPPED, Change, Entry
from amptalk.actuators.journal.undo import undo
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.memory import cap_bytes, usage_files
from amptalk.actuators.kernel.victims import Children
from amptalk.clock import Clock
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.errors import ActionError
from amptalk.model.level import Level
from amptalk.sensors.files import SensorFault
from amptalk.sensors.identity import Identity, start_of

STARTS = 3
"""Guardians that are started, one after the end of another, until it is given up."""
_MB = 2**20

Start = Callable[[Identity, str], GuardianProcess]
"""Starts a guardian of an owner, with the folder of its journal. Raises `ActionError`."""


class Guarding:
    """The guardian from `begin` to `end`. All but `reports` may block: for action threads.

    `exclude` has a process left out of the application.
    """

    def __init__(
        self, clock: Clock, children: Children, exclude: Callable[[int], object], start: Start
    ) -> None:
        self._clock = clock
        self._children = children
        self._exclude = exclude
        self._start = start
        self._hold: Hold | None = None
        self._folder = ""
        self._process: GuardianProcess | None = None
        self._begun = 0
        self._watching: Order | None = None
        self._told: Order | None = None
        self._noted: dict[Watched, Entry] = {}

    def begin(self, hold: Hold, folder: str) -> list[str]:
        """Start it, before our groups are entered; returns what is to be said. Never raises."""
        self._hold, self._folder, self._begun = hold, folder, 0
        return self._started(hold)

    def watch(self, hold: Hold) -> list[str]:
        """Have it watch memory, which the kernel caps by now. Never raises."""
        cap = cap_bytes(hold.limit("memory"))
        limit = int(hold.limit("memory") * _MB)
        try:
            folder = hold.groups.enter("memory")
            usage = Usage(*usage_files(folder, hold.groups.place("memory").version))
        except ActionError as error:
            return [f"the guardian does not watch memory: {error}"]
        self._watching = Order(limit, cap, usage, ())
        self.look()
        return []

    def look(self) -> list[str]:
        """See that it lives and knows the children; returns what is to be said. Never raises."""
        hold = self._hold
        if hold is None or self._process is None:
            return []
        said = []
        try:
            if self._ended(hold, self._process):
                said = self._again(hold)
            self._tell(hold)
        except (ActionError, SensorFault) as error:
            said.append(f"the guardian does not watch all children: {error}")
        return said

    def reports(self) -> list[ActionReport]:
        """What it has done since the last call; neither blocks nor raises."""
        process = self._process
        return [] if process is None else [self._report(told) for told in process.take()]

    def end(self) -> None:
        """Let it end: everything is undone."""
        if self._process is not None:
            self._process.stop()
        self._drop()

    def forget(self) -> None:
        """It is the parent's."""
        if self._process is not None:
            self._process.close()
        self._drop()

    def _drop(self) -> None:
        self._hold = self._process = self._watching = self._told = None
        self._noted.clear()

    def _started(self, hold: Hold) -> list[str]:
        self._begun += 1
        self._told = None
        try:
            self._process = process = self._start(hold.journal.owner, self._folder)
        except ActionError as error:
            self._process = None
            return [f"what is enforced is undone by `amptalk restore` or the next start: {error}"]
        self._exclude(process.pid)
        try:
            folder = hold.groups.aside(process.pid)
        except ActionError as error:
            return [
                f"a guardian (process {process.pid}) undoes everything when this process ends; it "
                f"has no control group of its own: {error}"
            ]
        return [
            f"a guardian (process {process.pid}, in {folder}) undoes everything when this process "
            "ends"
        ]

    def _ended(self, hold: Hold, process: GuardianProcess) -> bool:
        """Whether it is gone; without it nobody would let go on what it stopped."""
        if start_of(hold.roots.proc, process.pid) is not None:
            return False
        process.close()
        return True

    def _again(self, hold: Hold) -> list[str]:
        for entry in self._noted.values():
            undo(entry.change, hold.roots.proc)
        if self._begun < STARTS:
            return ["the guardian had ended; another one was started", *self._started(hold)]
        self._process = None
        return [f"{STARTS} guardians have ended, one after another: there is none any more"]

    def _tell(self, hold: Hold) -> None:
        """Tell it of the children that it may stop, each noted before. Raises `ActionError`."""
        order, process = self._watching, self._process
        if order is None or process is None:
            return
        watched = {
            Watched(child.pid, child.start, child.priority, child.may_end)
            for child in self._children.living()
            if child.priority < 0 or child.may_end
        }
        for one in watched - self._noted.keys():
            path = f"{hold.roots.proc}/{one.pid}"
            change = Change(STOPPED, path, "", (), (one.pid, one.start))
            self._noted[one] = hold.journal.note(change)
        order = order._replace(children=tuple(sorted(watched)))
        if order != self._told:
            process.tell(order)
            self._told = order
        for one in self._noted.keys() - watched:
            hold.journal.forget(self._noted.pop(one))

    def _report(self, told: Told) -> ActionReport:
        wall = self._clock.time() - (self._clock.monotonic() - told.began)
        verdict = Verdict.WORKED if told.helped else Verdict.NO_EFFECT
        return ActionReport(
            "guardian", "memory", "MB", Level.EMERGENCY, wall, told.seconds, told.before_mb,
            told.after_mb, None, verdict, told.text,
        )  # fmt: skip
