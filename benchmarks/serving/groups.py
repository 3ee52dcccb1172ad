"""A memory control group of our own, of version 1 or 2, made, read and removed again.

Needs the right to make groups (root, or a delegated subtree). It is a child of the group
that we are in, or of the root where that one does not allow it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_MB = 1024 * 1024
_PATIENCE = 5.0
"""Seconds in which the last process of a group must have gone."""


class GroupError(Exception):
    """No memory group can be made here, with the reason."""


class MemoryGroup:
    """A control group with a hard limit of memory. A context manager that removes it."""

    def __init__(self, name: str, limit_mb: float, root: Path = ROOT) -> None:
        parent, self._v1 = _parent(root)
        self.path = parent / f"amptalk-{os.getpid()}-{name}"
        limit = str(int(limit_mb * _MB))
        try:
            self.path.mkdir()
            limit_file = self.path / ("memory.limit_in_bytes" if self._v1 else "memory.max")
            limit_file.write_text(limit, encoding="ascii")
            if not self._v1 and (self.path / "memory.swap.max").exists():
                (self.path / "memory.swap.max").write_text("0", encoding="ascii")
        except OSError as error:
            raise GroupError(f"{self.path}: {error.strerror}; run it as root") from error

    def __enter__(self) -> MemoryGroup:
        return self

    def __exit__(self, *_error: object) -> None:
        self.remove()

    @property
    def entrance(self) -> Path:
        """The file that takes the processes."""
        return self.path / "cgroup.procs"

    def members(self) -> list[int]:
        """Processes in it."""
        return [int(pid) for pid in self.entrance.read_text(encoding="ascii").split()]

    def working_set_mb(self) -> float:
        """What is used and cannot be had back by dropping unused file pages."""
        usage = "memory.usage_in_bytes" if self._v1 else "memory.current"
        used = int((self.path / usage).read_text(encoding="ascii"))
        inactive = "total_inactive_file" if self._v1 else "inactive_file"
        return (used - self._row("memory.stat", inactive)) / _MB

    def kills(self) -> int:
        """Processes that the kernel killed for this limit so far."""
        return self._row("memory.oom_control" if self._v1 else "memory.events", "oom_kill")

    def remove(self) -> None:
        """Remove the group once it is empty; raises `GroupError` when it does not become so."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                self.path.rmdir()
            except FileNotFoundError:
                return
            except OSError as error:
                if time.monotonic() > until:
                    raise GroupError(f"{self.path} is left: {error.strerror}") from error
                time.sleep(0.05)

    def _row(self, name: str, key: str) -> int:
        for line in (self.path / name).read_text(encoding="ascii").splitlines():
            found, _, value = line.partition(" ")
            if found == key:
                return int(value)
        raise GroupError(f"{self.path / name} has no {key}")


def _parent(root: Path) -> tuple[Path, bool]:
    """Where a group may be made, and whether it is one of version 1."""
    first = root / "memory"
    if (first / "memory.limit_in_bytes").exists():
        own = first / _own_path("memory")
        return (own if own.is_dir() else first), True
    own = root / _own_path("")
    for group in (own, *own.parents):
        control = group / "cgroup.subtree_control"
        if control.exists() and "memory" in control.read_text(encoding="ascii").split():
            return group, False
        if group == root:
            break
    raise GroupError(
        f"no group under {root} passes the memory controller on: run it as root, or in "
        "`systemd-run --scope -p Delegate=yes`"
    )


def _own_path(controller: str) -> str:
    for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path.lstrip("/")
    return ""
