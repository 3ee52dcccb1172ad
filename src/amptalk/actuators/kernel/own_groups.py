"""The control groups that a process makes for its application: entered when needed, left again.

One group in each hierarchy that is needed, with the process and its descendants in it. Whoever
starts later is born in it. In version 2 it is one group for all controllers. Memory that was
charged before stays charged where it was: the kernel does not move it along.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

from amptalk.actuators.journal.changes import CONTROLLERS, GROUP, Change, Entry
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.kernel.places import FREEZER, SCOPE, Place, place_of
from amptalk.actuators.kernel.writing import Refused, make_folder, read, write
from amptalk.model.errors import ActionError
from amptalk.sensors.cgroups import own_group_name
from amptalk.sensors.identity import Identity
from amptalk.sensors.roots import Roots

_HELPER = "guardian"
"""Stands for a controller that the group of a helper is needed for."""
_ROUNDS = 20
"""Looks for processes that were started while others were moved, at most."""


class OwnGroups:
    """Makes, fills and removes our groups. Thread-safe, and slow: not for the tick.

    `members` lists the processes of the application, its own first; `whom` is the process for which
    they are made and named, by default the journal's owner.
    """

    def __init__(
        self, roots: Roots, journal: Journal, members: Callable[[], Iterable[int]],
        whom: Identity | None = None,
    ) -> None:  # fmt: skip
        whom = journal.owner if whom is None else whom
        self._roots = roots
        self._journal = journal
        self._pid = whom.pid
        self._name = own_group_name(whom.pid, whom.start)
        self._members = members
        self._lock = threading.RLock()
        self._made: dict[str, list[Entry]] = {}
        """Controller to what was changed for it, in order."""
        self._places: dict[str, Place] = {}
        """Controller to where its group was made: it is not looked for anew while that is there."""
        self._folders: dict[str, tuple[Entry, set[str]]] = {}
        """Folder to the change that made it and the controllers that need it."""

    def place(self, controller: str) -> Place:
        """Where a group with this controller is, or would be. Raises `ActionError`."""
        known = self._places.get(controller)
        return known or place_of(self._roots, self._pid, controller)

    def enter(self, controller: str) -> str:
        """Be in a group of ours with this controller; returns its folder. Raises `ActionError`."""
        with self._lock:
            place = self.place(controller)
            folder = f"{place.home}/{self._name}"
            if controller in self._made:
                return folder
            self._make(place, folder, self._members)
            try:
                if place.version == 2:
                    self._hand_down(place)
            except ActionError as error:
                self._back_out(controller, error)
                raise
            self._places[controller] = place
            return folder

    def doors(self) -> list[str]:
        """Files by which a process that has one thread enters every group of ours: it writes 0.

        In version 1 that is `tasks`: a thread that moves itself is spared the grace period of RCU
        (5 to 15 ms) which the kernel takes to move a process (since Linux 5.5).
        """
        with self._lock:
            versions = {place.home: place.version for place in self._places.values()}
        return [
            f"{home}/{self._name}/{'tasks' if version == 1 else 'cgroup.procs'}"
            for home, version in versions.items()
        ]

    def beside(self, members: Iterable[int]) -> tuple[int, str]:
        """Make a group for some of the processes, to be frozen; returns version and folder.

        Raises `ActionError`.
        """
        with self._lock:
            place = self.place(FREEZER)
            home = place.home
            if place.version == 2 and f"{home}/{self._name}" in self._folders:
                home = f"{home}/{self._name}"  # so that they stay under its limits
            folder = f"{home}/{self._name}-background"
            self._make(place._replace(home=home), folder, lambda: members)
            return place.version, folder

    def aside(self, pid: int) -> str:
        """Have a helper process in a group of its own, beside the application's; its folder.

        Version 2 divides the group around only when no process is left in it, so this comes
        first. Raises `ActionError`.
        """
        with self._lock:
            place = self._anywhere()
            folder = f"{place.home}/{self._name}-guardian"
            self._make(place._replace(controller=_HELPER), folder, lambda: [pid])
            for entry, _ in self._folders.values():
                home = entry.change.original
                if home != place.home:  # born into the application's groups of other hierarchies
                    write(f"{home}/cgroup.procs", str(pid))
            return folder

    def _anywhere(self) -> Place:
        """Any place of ours, one that counts memory if there is one. Raises `ActionError`."""
        for controller in ("memory", "cpu"):
            with suppress(ActionError):
                return self.place(controller)
        return self.place(FREEZER)

    def leave(self, controller: str) -> None:
        """Undo what was changed for a controller, as far as no other needs it.

        Raises `ActionError` when something remains; it stays in the journal.
        """
        with self._lock:
            self._places.pop(controller, None)
            remaining = [
                text for entry in reversed(self._made.pop(controller, []))
                if (text := self._undone(entry))
            ]  # fmt: skip
            for folder, (entry, users) in tuple(self._folders.items()):
                users.discard(controller)
                if not users:
                    del self._folders[folder]
                    text = self._undone(entry)
                    remaining += [text] if text else []
            if remaining:
                raise ActionError("; ".join(remaining))

    def _make(self, place: Place, folder: str, members: Callable[[], Iterable[int]]) -> None:
        known = self._folders.get(folder)
        if known is None:
            known = self._journal.note(Change(GROUP, folder, place.home)), set()
            self._folders[folder] = known
        known[1].add(place.controller)
        self._made.setdefault(place.controller, [])
        try:
            make_folder(folder)
            _move(f"{folder}/cgroup.procs", members)
        except ActionError as error:
            self._back_out(place.controller, error)
            raise

    def _back_out(self, controller: str, error: ActionError) -> None:
        """Leave what was begun; raises with both reasons when something remains of it."""
        try:
            self.leave(controller)
        except ActionError as more:
            raise ActionError(f"{error}; and {more}") from None

    def _hand_down(self, place: Place) -> None:
        """Have a version 2 group give its controller to the groups beneath."""
        path = f"{place.home}/cgroup.subtree_control"
        listed = read(path)
        if place.controller in listed.split():
            return
        change = Change(CONTROLLERS, path, listed, (place.controller,))
        self._made[place.controller].append(self._journal.note(change))
        try:
            write(path, f"+{place.controller}")
        except Refused as refused:
            others = read(f"{place.home}/cgroup.procs").split()
            if not others:
                raise
            raise ActionError(
                f"{place.home} holds other processes too ({', '.join(others[:3])}), so it cannot "
                f"hand {place.controller} down: {SCOPE}. {refused}"
            ) from None
        if place.controller not in read(path).split():
            raise ActionError(f"{path} does not list {place.controller} after it was added")

    def _undone(self, entry: Entry) -> str:
        """Undo a change; what remains in words, empty when nothing does."""
        from amptalk.actuators.journal.undo import State, undo

        outcome = undo(entry.change, self._roots.proc)
        if outcome.state is State.REMAINS:
            return outcome.text
        self._journal.forget(entry)
        return ""


def _move(procs: str, members: Callable[[], Iterable[int]]) -> None:
    """Move processes until none is outside, those that they start meanwhile too."""
    for _ in range(_ROUNDS):
        inside = set(read(procs).split())
        missing = [pid for pid in members() if str(pid) not in inside]
        if not missing:
            return
        gone = 0
        for pid in missing:
            try:
                write(procs, str(pid))
            except Refused as refused:
                if not _ended(refused):
                    raise
                gone += 1
        if gone == len(missing):
            return


def _ended(refused: Refused) -> bool:
    """Whether a process could not be moved because it is over (EINVAL: on its way out)."""
    return refused.number in {errno.ESRCH, errno.EINVAL}
