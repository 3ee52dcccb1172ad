"""What limits that stand from start to stop have in common, and steps that act on our groups."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from math import inf
from typing import NamedTuple

from amptalk.actuators.contract import Actuator
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.kernel.own_groups import OwnGroups
from amptalk.actuators.kernel.value import HeldValue
from amptalk.model.errors import ActionError
from amptalk.model.resource import Resource
from amptalk.sensors.roots import Roots

FOLLOWED = ("power", "temperature")
"""Resources whose allocations the CPU quota follows: CPU time is what the kernel holds of them."""

PATIENCE = 2.0
"""Seconds that one move of one limit may take."""

Run = Callable[[str, Callable[[], object], float], object]
"""Calls a function on an action thread: key, function, deadline in seconds."""


def asked(limited: Collection[str]) -> set[str]:
    """Which of the resources that the kernel can hold a set of limits asks it for."""
    return {name for name, by in (("memory", {"memory"}), ("cpu", {"cpu", *FOLLOWED}))
            if by & set(limited)}  # fmt: skip


class Hold(NamedTuple):
    """What actuators of the kernel work with while enforcement is on."""

    roots: Roots
    journal: Journal
    groups: OwnGroups
    members: Callable[[], Iterable[int]]
    """Processes of the application, its own first."""
    limits: Sequence[tuple[Resource, float]]
    cores: Callable[[], float]
    """How many cores 100 % of the CPU limit is; `nan` when unknown."""

    def value(self, path: str, process: tuple[int, int] | None = None) -> HeldValue:
        """A value that is journalled and can be held."""
        return HeldValue(path, self.journal, self.roots.proc, process)

    def limit(self, resource: str) -> float:
        """The limit on a resource, `inf` without one."""
        return next((limit for known, limit in self.limits if known.name == resource), inf)


class Standing(ABC):
    """A limit that the kernel holds from start to stop; not for the tick's thread."""

    name: str
    resource: str

    @abstractmethod
    def hold(self, hold: Hold) -> None:
        """Have it held, read back; again when the limit has changed. Raises `ActionError`."""

    @abstractmethod
    def end(self) -> None:
        """All was undone by others: hold nothing."""

    @property
    @abstractmethod
    def held(self) -> float | None:
        """What is held, in the resource's unit; `None` when nothing is."""

    @property
    @abstractmethod
    def where(self) -> str:
        """The file that holds it and what it holds, for people."""

    @abstractmethod
    def lost(self) -> str:
        """Why it is not held any more, empty while it is. Raises `ActionError`."""


class GroupStep(Actuator):
    """A step of the ladder in a group of ours. Without enforcement it is not available.

    A switch: once applied it is not used again until it is undone. `controller` is what the
    group must have.
    """

    controller: str
    can_hold = False

    def __init__(self) -> None:
        self._hold: Hold | None = None
        self._why = "enforcement is not on"
        self._value: HeldValue | None = None

    def begin(self, hold: Hold) -> None:
        """Enforcement is on: find out once whether there is a place for the group."""
        self._hold = hold
        self._value = None
        try:
            hold.groups.place(self.controller)
            self._why = self.unfit(hold)
        except ActionError as error:
            self._why = str(error)

    def end(self) -> None:
        """Enforcement is over, and with it all that was applied is undone by others."""
        self._hold = self._value = None
        self._why = "enforcement is not on"

    def unfit(self, hold: Hold) -> str:  # noqa: ARG002 - most are fit wherever there is a place
        """Why it is of no use on this machine, empty when it is of use. May raise `ActionError`."""
        return ""

    def available(self) -> str | None:
        """Return why it cannot be used now; looks at no file unless its kind must."""
        if self._value is not None:
            return "is applied already; it is undone once the level is normal"
        return self._why or None

    def undo(self) -> None:
        """Put back what was changed and leave the group when nothing else needs it."""
        hold, value = self._hold, self._value
        if hold is None or value is None:
            return
        self._value = None
        value.release()

    def _on(self) -> Hold:
        """What enforcement works with. Raises `ActionError` when it is over by now."""
        if self._hold is None:
            raise ActionError(self._why)
        return self._hold

    def _entered(self) -> tuple[int, str]:
        """Enter the group; its version and folder. Raises `ActionError`."""
        groups = self._on().groups
        return groups.place(self.controller).version, groups.enter(self.controller)

    def _set(self, path: str, text: str) -> None:
        value = self._on().value(path)
        value.hold(text)
        self._value = value
        self.detail = f"{path} {text}"
