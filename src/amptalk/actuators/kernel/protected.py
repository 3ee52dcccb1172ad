"""What must live: processes that the kernel is to kill last when it must kill.

Given by the name that the kernel shows (`comm`, 15 bytes), since services come and go. Only
processes of this user and of root count, so that nobody is spared by a borrowed name. Their score
is lowered to -900: whoever may be killed at all goes before them. It takes CAP_SYS_RESOURCE, which
root has outside of containers; without it the reason is told, and nothing is done.

Format: proc_pid_oom_score_adj(5), proc_pid_comm(5).
"""

from __future__ import annotations

import os
import threading
from typing import NamedTuple

from amptalk.actuators.amounts import label
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.value import HeldValue
from amptalk.actuators.kernel.writing import read
from amptalk.model.errors import ActionError
from amptalk.sensors.files import SensorFault, listing, text_or_nothing
from amptalk.sensors.identity import start_of

SCORE = -900
"""Of what must live. -1000 would make it unkillable, and a machine that it fills unusable."""
_LONGEST = 15
"""Bytes of a name that the kernel keeps."""


class Spared(NamedTuple):
    """A process that must live."""

    pid: int
    start: int


class Protected:
    """Processes that must live, by their names, and their scores while enforcement is on."""

    def __init__(self, proc: str) -> None:
        self._proc = proc
        self._lock = threading.Lock()
        self._names: set[bytes] = set()
        self._held: dict[Spared, HeldValue] = {}
        self._hold: Hold | None = None

    def add(self, name: str) -> None:
        """Protect every process with this name; again changes nothing.

        Raises `ConfigurationError` for what is no name.
        """
        with self._lock:
            self._names.add(label(name, "a process to protect").encode()[:_LONGEST])

    def begin(self, hold: Hold) -> None:
        """Enforcement is on: `order` lowers scores from now on."""
        self._hold = hold

    def end(self) -> None:
        """Enforcement is over; the scores were put back by others."""
        with self._lock:
            self._hold = None
            self._held.clear()

    def includes(self, pid: int) -> bool:
        """Whether a process must live."""
        return text_or_nothing(f"{self._proc}/{pid}/comm").encode()[:_LONGEST] in self._names

    def living(self) -> list[Spared]:
        """All that must live, now."""
        if not self._names:
            return []
        users = {0, os.geteuid()}
        found = []
        for name in listing(self._proc):
            if not name.isdigit() or not self.includes(int(name)):
                continue
            try:
                if os.stat(f"{self._proc}/{name}").st_uid in users:
                    start = start_of(self._proc, int(name))
                    if start is not None:
                        found.append(Spared(int(name), start))
            except (OSError, SensorFault):
                continue  # it has ended meanwhile
        return found

    def order(self) -> None:
        """Lower the scores of those that came; from an action thread. Raises `ActionError`."""
        hold = self._hold
        if hold is None or not self._names:
            return
        living, refused = self.living(), []
        with self._lock:
            gone = [self._held.pop(one) for one in self._held.keys() - set(living)]
        for value in gone:
            value.forget()
        for one in living:
            if one in self._held:
                continue
            path = f"{self._proc}/{one.pid}/oom_score_adj"
            try:
                if int(read(path)) <= SCORE:
                    continue
                value = hold.value(path, one)
                value.hold(str(SCORE))
            except (ActionError, ValueError) as error:
                refused.append(f"process {one.pid}: {error}")
                continue
            with self._lock:
                self._held[one] = value
        if refused:
            raise ActionError(
                f"{'; '.join(refused)}. Only root, with CAP_SYS_RESOURCE, may lower a score"
            )
