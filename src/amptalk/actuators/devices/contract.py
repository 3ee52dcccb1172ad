"""What limits of devices have in common: values that are lowered by a share, and how far.

They hold for the whole machine, so none is touched unless it is named. None goes below half of
what stood there: a machine that a fault of ours would slow more is no use to anybody.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import NamedTuple

from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.value import HeldValue
from amptalk.model.errors import ActionError
from amptalk.sensors.roots import Roots

FLOOR = 0.5
"""Share of what stood there that is left at least."""


class Setting(NamedTuple):
    """One value of a device that can be lowered, in the device's unit."""

    path: str
    full: int
    """What stands there, or what the device does at most if that is less."""
    least: int
    """What the device takes at least."""
    step: int = 1
    """Values are multiples of it, so that they are read back as they were written."""
    choices: tuple[int, ...] = ()
    """The only values that the device takes; empty for all."""


def lowered(setting: Setting, share: float) -> int:
    """A setting's value at a share of it, 0-1: on its grid, not below half and not below its least.

    >>> lowered(Setting("", 65_000_000, 5_000_000, 1_000_000), 0.8)
    52000000
    >>> lowered(Setting("", 2000, 600, choices=(2000, 1500, 1000, 600)), 0.2)
    1000
    """
    least = max(FLOOR * setting.full, setting.least)
    wanted = max(share * setting.full, least)
    if setting.choices:
        allowed = [one for one in setting.choices if least <= one <= setting.full]
        below = [one for one in allowed if one <= wanted]
        return max(below) if below else min(allowed, default=setting.full)
    value = int(wanted) // setting.step * setting.step
    return value if value >= least else min(value + setting.step, setting.full)


class DeviceLimit(ABC):
    """One kind of limit, on all devices of that kind. For action threads."""

    name: str
    told_back = True
    """Whether what stands can be read back."""

    @abstractmethod
    def begin(self, hold: Hold) -> str:
        """Look for devices and change nothing; what was found, in words. Raises `ActionError`."""

    @abstractmethod
    def follow(self, share: float) -> str:
        """Let the devices do a share, 0-1, read back; what stands then, in words.

        Raises `ActionError` when it could be done on none of them.
        """

    @abstractmethod
    def lost(self) -> str:
        """Why it is not held any more, empty while it is. Raises `ActionError`."""

    @abstractmethod
    def end(self) -> None:
        """All was undone by others: hold nothing."""


class FileLimit(DeviceLimit):
    """A limit that is a number in a file of each device."""

    def __init__(self) -> None:
        self._hold: Hold | None = None
        self._settings: list[Setting] = []
        self._values: dict[str, HeldValue] = {}

    @abstractmethod
    def find(self, roots: Roots) -> list[Setting]:
        """The devices there are. Raises `ActionError` saying why none can be lowered."""

    def value(self, hold: Hold, path: str) -> HeldValue:
        """A value of a device, journalled and read back."""
        return hold.value(path)

    def writable(self, path: str) -> bool:
        """Whether this user may write it."""
        return os.access(path, os.W_OK)

    def begin(self, hold: Hold) -> str:
        """Look for devices that this user may change. Raises `ActionError`."""
        self._hold = hold
        self._settings = []
        found = self.find(hold.roots)
        refused = [one.path for one in found if not self.writable(one.path)]
        if refused:
            raise ActionError(f"{refused[0]} may not be written by this user: it needs root")
        self._settings = found
        return ", ".join(f"{one.path} {one.full}" for one in found)

    def follow(self, share: float) -> str:
        """Lower every device, or put back what stood there at a share of 1."""
        hold = self._hold
        if hold is None or not self._settings:
            raise ActionError(f"{self.name}: no device was found")
        said, refused = [], []
        for setting in self._settings:
            value = self._values.setdefault(setting.path, self.value(hold, setting.path))
            try:
                if share >= 1.0:
                    value.release()
                    del self._values[setting.path]
                else:
                    value.hold(str(lowered(setting, share)))
                    said.append(f"{value.path} {value.text}")
            except ActionError as error:
                refused.append(str(error))
        if len(refused) == len(self._settings):
            raise ActionError("; ".join(refused))
        return "; ".join([*(said or ["as before"]), *refused])

    def lost(self) -> str:
        """Which values were changed by somebody else."""
        held = [value for value in self._values.values() if value.text is not None]
        return "; ".join(why for value in held if (why := value.still_held()))

    def end(self) -> None:
        """All was undone by others."""
        self._hold = None
        self._settings = []
        self._values = {}
