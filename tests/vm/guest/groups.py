"""Control groups and processes in them, made for one test and gone after it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tests.helpers import eventually

TOP = Path("/sys/fs/cgroup")
_CONTROLLERS = "+cpu +memory +io +pids"


class Group:
    """One control group (version 2) below `parent`."""

    def __init__(self, name: str, parent: Path = TOP, *, branch: bool = False) -> None:
        (parent / "cgroup.subtree_control").write_text(_CONTROLLERS)
        self.folder = parent / name
        self.folder.mkdir()
        if branch:
            (self.folder / "cgroup.subtree_control").write_text(_CONTROLLERS)

    def set(self, file: str, value: object) -> None:
        """Write one of its files, such as `memory.max`."""
        (self.folder / file).write_text(str(value))

    def number(self, file: str, key: str = "") -> int:
        """A number of one of its files, or of the line that begins with `key`."""
        words = (self.folder / file).read_text().split()
        return int(words[words.index(key) + 1] if key else words[0])

    def remove(self) -> None:
        """Remove it, which the kernel allows a moment after its last process has ended."""

        def gone() -> bool:
            try:
                self.folder.rmdir()
            except OSError:
                return False
            return True

        eventually(gone, f"{self.folder} can be removed")


class Workers:
    """Forked processes and groups of a test; all end with it."""

    def __init__(self) -> None:
        self._pids: list[int] = []
        self._groups: list[Group] = []

    def group(self, name: str, parent: Group | None = None, *, branch: bool = False) -> Group:
        """Make a group; a `branch` hands its controllers down and holds no process itself."""
        made = Group(name, TOP if parent is None else parent.folder, branch=branch)
        self._groups.append(made)
        return made

    def start(self, work: Callable[[], object], group: Group | None = None) -> int:
        """Run `work` in a child, within `group` from before its first step; its pid."""
        pid = os.fork()
        if pid == 0:
            _child(work, group)
        self._pids.append(pid)
        if group is not None:
            members = group.folder / "cgroup.procs"
            eventually(lambda: str(pid) in members.read_text().split(), f"{pid} joins {group}")
        return pid

    def ended(self, pid: int) -> bool:
        """Whether a child has ended, killed or by itself."""
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def end(self, pid: int) -> None:
        """Kill a child and wait for it."""
        self._pids.remove(pid)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def close(self) -> None:
        """End all children, then remove the groups."""
        for pid in tuple(self._pids):
            self.end(pid)
        for group in reversed(self._groups):
            group.remove()


def _child(work: Callable[[], object], group: Group | None) -> NoReturn:
    try:
        if group is not None:
            group.set("cgroup.procs", os.getpid())
        work()
    finally:
        os._exit(0)


def idle() -> None:
    """Do nothing until killed."""
    signal.pause()


def busy() -> None:
    """Use one processor until killed."""
    while True:
        pass


def holding(mb: int) -> Callable[[], None]:
    """Fill so much memory and keep it."""

    def hold() -> None:
        kept = b"\1" * (mb * 2**20)
        signal.pause()
        del kept

    return hold


def cycling(mb: int) -> Callable[[], None]:
    """Write to each page of so much memory, again and again."""

    def cycle() -> None:
        memory = bytearray(mb * 2**20)
        pages = range(0, len(memory), 4096)
        while True:
            for page in pages:
                memory[page] = (memory[page] + 1) & 255

    return cycle


def growing(mb: int, seconds_per_mb: float = 0.0) -> Callable[[], None]:
    """Take memory MB by MB, and keep it."""

    def grow() -> None:
        kept = []
        for _ in range(mb):
            kept.append(b"\1" * 2**20)
            time.sleep(seconds_per_mb)
        signal.pause()

    return grow
