"""Whom the kernel shall kill first when it must: our children, by the priority they were given.

The kernel takes the process with the highest badness: its share of the memory in thousandths plus
`oom_score_adj`. Children get a score above that of their parent, the least important the highest,
in steps that outweigh what one is larger than another where that can be. The application's own
process keeps its score, and so do children that were not declared.

Any user may raise a score and lower it again to what it was. Format: proc_pid_oom_score_adj(5).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.value import HeldValue
from amptalk.actuators.kernel.writing import read
from amptalk.model.errors import ActionError, ConfigurationError
from amptalk.sensors.files import SensorFault
from amptalk.sensors.identity import start_of
from amptalk.sensors.procstat import stat_or_none

HIGHEST = 1000
"""Score of the first victim, the highest that there is."""
_ALONE = 500
"""Score above the parent's when all children are of one priority."""


class Child(NamedTuple):
    """A child process that was declared."""

    pid: int
    start: int
    priority: int
    may_end: bool = False
    """Whether it may be asked to end, and killed, when memory would run out."""


def scores(priorities: set[int], base: int) -> dict[int, int]:
    """Score of each priority for a parent whose score is `base`, all above it where there is room.

    >>> scores({-1, 0, 5}, 0)
    {-1: 1000, 0: 667, 5: 334}
    >>> scores({0}, 0)
    {0: 500}
    >>> scores({0}, 1000)
    {0: 1000}
    """
    room = HIGHEST - base
    if len(priorities) == 1:
        return {next(iter(priorities)): base + room * _ALONE // HIGHEST}
    ordered = sorted(priorities)
    step = room // len(ordered) if ordered else 0
    return {priority: HIGHEST - step * rank for rank, priority in enumerate(ordered)}


def _none(_pid: int) -> bool:
    """Spare nobody."""
    return False


class Children:
    """The declared children of the application, and their scores while enforcement is on.

    Those that are `spared` are left out whatever was declared of them.
    """

    def __init__(self, proc: str, pid: int, spared: Callable[[int], bool] = _none) -> None:
        self._proc = proc
        self._pid = pid
        self._spared = spared
        self._lock = threading.Lock()
        self._declared: dict[int, Child] = {}
        self._held: dict[int, HeldValue] = {}
        self._gone: list[HeldValue] = []
        """Of children that have ended."""
        self._hold: Hold | None = None

    def declare(self, process: Any, *, priority: int = 0, may_end: bool = False) -> Child:
        """Say how important a child process is; again to change it.

        `process` is a pid, or has one (`Popen`, `multiprocessing.Process`). The lower the
        priority, the sooner it is sacrificed; below 0 it is in the background and may be paused.
        With `may_end` it may be paused, asked to end and killed before memory runs out.
        Raises `ConfigurationError` for what is no living descendant of this process.
        """
        pid = getattr(process, "pid", process)
        if isinstance(pid, bool) or not isinstance(pid, int) or pid <= 0:
            raise ConfigurationError(
                f"process={process!r} is no process: give a pid, or a Popen or Process that runs"
            )
        if isinstance(priority, bool) or not isinstance(priority, int):
            raise ConfigurationError(
                f"priority={priority!r} is no whole number: give one, such as 0"
            )
        try:
            start = start_of(self._proc, pid)
            if start is None or pid == self._pid or not self._is_below(pid):
                raise ConfigurationError(
                    f"process {pid} is no living child of process {self._pid}: declare what you "
                    "started yourself"
                )
        except SensorFault as fault:
            raise ConfigurationError(f"process {pid} cannot be looked at: {fault.reason}") from None
        child = Child(pid, start, priority, bool(may_end))
        with self._lock:
            self._declared[pid] = child
        return child

    def living(self) -> list[Child]:
        """Declared children that have not ended."""
        found = []
        for child in tuple(self._declared.values()):
            try:
                ended = start_of(self._proc, child.pid) != child.start
            except SensorFault:
                continue
            if ended:
                with self._lock:
                    self._declared.pop(child.pid, None)
                    held = self._held.pop(child.pid, None)
                    if held is not None:
                        self._gone.append(held)
            elif not self._spared(child.pid):
                found.append(child)
        return found

    def background(self) -> list[int]:
        """Pids of those that may be paused."""
        return [child.pid for child in self.living() if child.priority < 0]

    def begin(self, hold: Hold) -> None:
        """Enforcement is on: `order` gives scores from now on."""
        self._hold = hold

    def end(self) -> None:
        """Enforcement is over; the scores were put back by others."""
        with self._lock:
            self._hold = None
            self._held.clear()
            self._gone.clear()

    def order(self) -> None:
        """Bring all scores up to date; from an action thread. Raises `ActionError`."""
        hold = self._hold
        living = self.living()
        with self._lock:
            gone, self._gone = self._gone, []
        for ended in gone:
            ended.forget()
        if hold is None or not living:
            return
        base = self._base()
        wanted = scores({child.priority for child in living}, base)
        refused = []
        for child in living:
            with self._lock:
                value = self._held.get(child.pid)
                if value is None:
                    path = f"{self._proc}/{child.pid}/oom_score_adj"
                    value = hold.value(path, (child.pid, child.start))
                    self._held[child.pid] = value
            try:
                value.hold(str(wanted[child.priority]))
            except ActionError as error:
                refused.append(str(error))
        if refused:
            raise ActionError("; ".join(refused))

    def _base(self) -> int:
        path = f"{self._proc}/{self._pid}/oom_score_adj"
        text = read(path)
        try:
            return int(text)
        except ValueError:
            raise ActionError(f"{path} holds {text[:20]!r}, which is no number") from None

    def _is_below(self, pid: int) -> bool:
        seen = 0
        stat = stat_or_none(self._proc, pid)
        while stat is not None and seen < 64:
            if stat.parent == self._pid:
                return True
            stat = stat_or_none(self._proc, stat.parent) if stat.parent > 1 else None
            seen += 1
        return False
