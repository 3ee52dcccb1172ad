"""What is process-wide: the managers that live, and what happens to them at fork and exit.

Managers are held weakly; one that is running is kept alive by its own thread.
Several managers share no state but this module's.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Protocol


class Member(Protocol):
    """What the registry needs of a manager."""

    def stop_monitoring(self) -> None:
        """Stop the loop and let go of every lever."""

    def forked(self) -> None:
        """Become inert: this process is a fork's child and the threads are the parent's."""


class Registry:
    """The live managers of one process, in the order of their creation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._members: list[weakref.ref[Any]] = []
        self._hooked = False
        self._created = 0

    def add(self, member: Member, name: str | None) -> str:
        """Register a manager; returns its name, a numbered one when none is given."""
        with self._lock:
            self._members = [kept for kept in self._members if kept() is not None]
            self._members.append(weakref.ref(member))
            self._created += 1
            if not self._hooked:
                self._hooked = True
                atexit.register(self._at_exit)
                if hasattr(os, "register_at_fork"):
                    os.register_at_fork(after_in_child=self._after_fork)
            number = self._created
        return name or ("manager" if number == 1 else f"manager-{number}")

    def __iter__(self) -> Iterator[Any]:
        """Managers that live now; copes with others coming and going meanwhile."""
        for reference in tuple(self._members):
            member = reference()
            if member is not None:
                yield member

    def _at_exit(self) -> None:
        for member in self:
            member.stop_monitoring()

    def _after_fork(self) -> None:
        self._lock = threading.Lock()  # the parent may have held it
        for member in self:
            member.forked()


managers = Registry()
"""The one registry of this process."""
