"""Processes that the kernel holds: no more of them, and those of the background paused.

Formats: Documentation/admin-guide/cgroup-v2.rst (`pids.max`, `cgroup.freeze`), cgroup-v1/pids.rst,
cgroup-v1/freezer-subsystem.rst.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from amptalk.actuators.kernel.contract import GroupStep, Hold
from amptalk.actuators.kernel.places import FREEZER
from amptalk.actuators.kernel.value import PAUSE, SETTLING, HeldValue
from amptalk.actuators.kernel.writing import read
from amptalk.model.errors import ActionError
from amptalk.model.level import Level

SPARE = 16
"""Processes and threads that may still be started under the cap: our own threads among them."""
_STORM = 2.0
"""Times as many processes as at the start, and at least `SPARE` more, are a storm."""


class ProcessCap(GroupStep):
    """Let no further process or thread start, `pids.max`, while processes multiply."""

    name = "process_cap"
    resource = "memory"
    level = Level.EMERGENCY
    controller = "pids"
    ends_growth = True
    cost = 0.5
    latency = 0.5

    def __init__(self) -> None:
        super().__init__()
        self._usual = 0

    def unfit(self, hold: Hold) -> str:
        """Count what is usual; fit wherever there is a place."""
        self._usual = len(tuple(hold.members()))
        return ""

    def available(self) -> str | None:
        """Return why not: above all that there is no storm."""
        why = super().available()
        if why is not None or self._hold is None:
            return why
        count = len(tuple(self._hold.members()))
        if count < max(_STORM * self._usual, self._usual + SPARE):
            return f"{count} processes are no storm: {self._usual} at the start"
        return None

    def apply(self, need: float) -> None:  # noqa: ARG002 - it gives nothing back, it stops growth
        """Cap at the present number and some to spare. Raises `ActionError`."""
        folder = self._entered()[1]
        self._set(f"{folder}/pids.max", str(int(read(f"{folder}/pids.current")) + SPARE))


class BackgroundPause:
    """One pause of the background processes, shared by the limits that ask for it.

    It ends when the last of them lets go. Thread-safe.
    """

    def __init__(self, background: Callable[[], list[int]]) -> None:
        self.background = background
        """Processes that were declared to be in the background and that live."""
        self._lock = threading.Lock()
        self._holders: set[str] = set()
        self._value: HeldValue | None = None

    def take(self, holder: str, hold: Hold) -> str:
        """Pause for one limit; returns the file that says so. Raises `ActionError`."""
        with self._lock:
            if self._value is None:
                version, folder = hold.groups.beside(self.background())
                file = "cgroup.freeze" if version == 2 else "freezer.state"
                self._value = _frozen(hold.value(f"{folder}/{file}"), version)
            self._holders.add(holder)
            return self._value.path

    def let_go(self, holder: str) -> None:
        """Go on unless another limit still asks for the pause. Raises `ActionError`."""
        with self._lock:
            self._holders.discard(holder)
            value = self._value
            if not self._holders and value is not None:
                value.release()
                self._value = None

    def forget(self) -> None:
        """All was undone by others."""
        with self._lock:
            self._holders.clear()
            self._value = None


class PauseBackground(GroupStep):
    """Freeze the children that were declared to be in the background, for one limit.

    They keep their memory and the GPU's; they go on when the level is normal.
    """

    level = Level.EMERGENCY
    controller = FREEZER
    cost = 0.4
    latency = 0.5

    def __init__(self, resource: str, pause: BackgroundPause) -> None:
        super().__init__()
        self.name = f"pause_background_for_{resource}"
        self.resource = resource
        self._pause = pause
        self._paused = False

    def available(self) -> str | None:
        """Return why not: above all that there is nothing in the background."""
        if self._paused:
            return "is applied already; it is undone once the level is normal"
        why = super().available()
        if why is None and not self._pause.background():
            return "no child was declared with a priority below 0"
        return why

    def apply(self, need: float) -> None:  # noqa: ARG002 - a process is paused or it is not
        """Pause them. Raises `ActionError`."""
        self.detail = self._pause.take(self.resource, self._on())
        self._paused = True

    def undo(self) -> None:
        """Let them go on, as far as this limit is concerned. Raises `ActionError`."""
        if self._paused:
            self._paused = False
            self._pause.let_go(self.resource)

    def end(self) -> None:
        """Enforcement is over."""
        super().end()
        self._paused = False
        self._pause.forget()


def _frozen(value: HeldValue, version: int) -> HeldValue:
    """Freeze a group and wait until all in it is at rest. Raises `ActionError`."""
    if version == 1:
        value.hold("FROZEN", passing="FREEZING")
        return value
    value.hold("1")
    events = f"{value.path.rpartition('/')[0]}/cgroup.events"
    until = time.monotonic() + SETTLING
    while "frozen 1" not in read(events):
        if time.monotonic() > until:
            value.release()
            raise ActionError(f"{value.path}: did not come to rest within {SETTLING:g} s")
        time.sleep(PAUSE)
    return value
