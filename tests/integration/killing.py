"""A process that is killed after any of its changes: to the journal, to a group, to a process.

Each call of the kernel that changes something is one step. `killed_after(n)` runs an actuator in a
forked process, from its first change to its last undoing, which ends by SIGKILL after step n.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from amptalk.actuators.guardian.process import READY, Guardian
from amptalk.actuators.journal import folder as journal_folder
from amptalk.actuators.journal.changes import STOPPED, Change
from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.journal.restore import restore
from amptalk.actuators.kernel import writing
from amptalk.actuators.kernel.contract import GroupStep, Hold
from amptalk.actuators.kernel.cpu import CpuQuota, CpuWeight
from amptalk.actuators.kernel.memory import MemoryBrake, MemoryCap, MemoryReclaim
from amptalk.actuators.kernel.own_groups import OwnGroups
from amptalk.actuators.kernel.processes import BackgroundPause, PauseBackground, ProcessCap
from amptalk.actuators.kernel.protected import Protected
from amptalk.actuators.kernel.victims import Children
from amptalk.model.resource import CPU, MEMORY
from amptalk.sensors.identity import Identity, identity_of, start_of
from amptalk.sensors.roots import Roots
from tests.helpers import eventually

_CHANGING = frozenset({"write", "fsync", "rename", "unlink", "mkdir", "rmdir", "kill"})
_COMPLETE, _FAILED = 0, 70
"""Exit status of a process that was not killed."""

Act = Callable[[Hold, int], None]
"""Applies and undoes one actuator; the number is the process that it is about."""


class Steps:
    """Stands in for `os`, and kills this process after so many changes."""

    def __init__(self, last: int) -> None:
        self._left = last

    def __getattr__(self, name: str) -> Any:
        call = getattr(os, name)
        return self._counted(call) if name in _CHANGING else call

    def open(self, path: str, flags: int, *more: int, **named: int) -> int:
        fd = os.open(path, flags, *more, **named)
        if flags & os.O_CREAT:
            self._step()
        return fd

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            result = call(*arguments, **named)
            self._step()
            return result

        return counted

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _cap(hold: Hold, _pid: int) -> None:
    MemoryCap().hold(hold)


def _quota(hold: Hold, _pid: int) -> None:
    quota = CpuQuota()
    quota.hold(hold)
    quota.follow(0.5)


def _quota_for_a_while(hold: Hold, _pid: int) -> None:
    quota = CpuQuota()
    quota.hold(hold._replace(limits=()))
    quota.follow(0.5)
    quota.follow(1.0)


def _step(make: Callable[[], GroupStep]) -> Act:
    def act(hold: Hold, _pid: int) -> None:
        step = make()
        step.begin(hold)
        step.apply(10.0)
        step.undo()

    return act


def _brake(hold: Hold, pid: int) -> None:
    """With a limit that a small swap covers."""
    _step(MemoryBrake)(hold._replace(limits=((MEMORY, 50.0),)), pid)


def _pause(hold: Hold, pid: int) -> None:
    step = PauseBackground("cpu", BackgroundPause(lambda: [pid]))
    step.begin(hold)
    step.apply(0.0)
    step.undo()


def _score(hold: Hold, pid: int) -> None:
    children = Children(hold.roots.proc, os.getppid())
    children.declare(pid, priority=-1)
    children.begin(hold)
    children.order()


def _spare(hold: Hold, _pid: int) -> None:
    protected = Protected(hold.roots.proc)
    protected.begin(hold)
    protected.add("sleep")
    protected.order()


def _stop(hold: Hold, pid: int) -> None:
    start = start_of(hold.roots.proc, pid)
    assert start is not None
    change = Change(STOPPED, f"{hold.roots.proc}/{pid}", "", (), (pid, start))
    hold.journal.note(change)
    vars(writing)["os"].kill(pid, signal.SIGSTOP)


def _aside(hold: Hold, pid: int) -> None:
    hold.groups.aside(pid)


ACTUATORS: Mapping[str, Act] = {
    "memory_cap": _cap,
    "cpu_quota": _quota,
    "cpu_quota for power": _quota_for_a_while,
    "cpu_weight": _step(CpuWeight),
    "process_cap": _step(ProcessCap),
    "pause_background": _pause,
    "order of victims": _score,
    "guardian's stop": _stop,
    "guardian's group": _aside,
}
"""Everything that changes something beyond this process, on any version of control groups."""
VERSION_2: Mapping[str, Act] = {
    "memory_reclaim": _step(MemoryReclaim),
    "memory_brake": _brake,
}


CAPABLE: Mapping[str, Act] = {"what must live": _spare}
"""What takes CAP_SYS_RESOURCE."""


class Bystander:
    """A process that the actuators are about, and what the kernel says of it."""

    def __init__(self, within: str = "") -> None:
        self.process = subprocess.Popen(["/bin/sleep", "600"])
        self.pid = self.process.pid
        if within:
            Path(within, "cgroup.procs").write_text(str(self.pid))
        eventually(lambda: self._running() == "S", "it sleeps")
        self.before = self.state()

    def state(self) -> tuple[str, str, bool]:
        """Its groups, its score, and whether it is stopped or frozen."""
        folder = Path(f"/proc/{self.pid}")
        return (
            folder.joinpath("cgroup").read_text(),
            folder.joinpath("oom_score_adj").read_text(),
            self._running() in "TtD",
        )

    def _running(self) -> str:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def killed_after(
    last: int, act: Act, bystander: int, path: str, *, guarded: bool, within: str = ""
) -> tuple[int, int, int]:
    """Run an actuator that is killed after so many changes, 0 for never.

    The process lives in the group `within`, or where this one lives. Returns its pid, its exit
    status and its guardian's pid, 0 without one.
    """
    reading, telling = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(last, act, bystander, path, telling, guarded=guarded, within=within)
    os.close(telling)
    with os.fdopen(reading) as said:
        guardian = int(said.readline() or 0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return pid, status, guardian


def _guardian(owner: Identity, path: str, telling: int) -> int:
    """Fork a process that does what a guardian does; its pid, once it is at work.

    Its start as a program of its own, which takes longer, is tested by itself.
    """
    orders, ordering = os.pipe()
    hearing, words = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ordering)
            os.close(telling)
            Guardian(owner, JournalFolder(path, create=False), orders, words).run()
        finally:
            os._exit(0)
    os.close(orders)
    os.close(words)
    assert os.read(hearing, 100) == READY
    return pid


def _child(
    last: int, act: Act, bystander: int, path: str, telling: int, *, guarded: bool, within: str
) -> NoReturn:
    try:
        roots, pid = Roots(), os.getpid()
        folder = JournalFolder(path, create=True)
        owner = identity_of(roots.proc, pid)
        journal = Journal(folder, owner)
        if guarded:
            os.write(telling, b"%d\n" % _guardian(owner, path, telling))
        os.close(telling)
        if within:
            Path(within, "cgroup.procs").write_text(str(pid))
        groups = OwnGroups(roots, journal, lambda: [pid, bystander])
        limits = ((MEMORY, 1000.0), (CPU, 50.0))
        hold = Hold(roots, journal, groups, lambda: [pid, bystander], limits, lambda: 2.0)
        steps: Any = Steps(last)
        for module in (journal_folder, writing):
            module.os = steps  # type: ignore[attr-defined]
        act(hold, bystander)
        restore(folder, roots.proc, owner=owner)
        os._exit(_COMPLETE)
    finally:
        os._exit(_FAILED)
