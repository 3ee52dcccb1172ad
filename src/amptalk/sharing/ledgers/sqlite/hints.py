"""Waking others: a named pipe for each seat, which is never more than a hint.

A participant reads its own pipe and writes into those of others. The write end of a pipe that
nobody reads any more reports an error to `poll`, so the end of a participant wakes all others at
once, too. What is missed costs time only: everybody looks again after 0.1 s.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterable
from contextlib import suppress

_HINT = b"!"


class Hints:
    """Our pipe and those of the others. `wait` belongs to one thread, the rest to any."""

    def __init__(self, folder: str, seat: int) -> None:
        self._folder = folder
        self._seat = seat
        path = self._path(seat)
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # Opened both ways: the pipe then never reports that nobody writes.
        self._own = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._others: dict[int, int] = {}
        self._changing = threading.Lock()  # the number of a closed pipe is soon another file's

    def know(self, seats: Iterable[int]) -> None:
        """Follow who takes part."""
        seats = set(seats) - {self._seat}
        if seats == self._others.keys():
            return
        with self._changing:
            for seat in [seat for seat in self._others if seat not in seats]:
                os.close(self._others.pop(seat))
            for seat in seats - self._others.keys():
                with suppress(OSError):  # nobody reads it yet, or any more
                    self._others[seat] = os.open(
                        self._path(seat), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
                    )

    def wake(self, seats: Iterable[int]) -> None:
        """Wake participants, ourselves among them where asked."""
        with self._changing:
            for seat in seats:
                fd = self._own if seat == self._seat else self._others.get(seat)
                if fd is not None:
                    with suppress(OSError):  # full: it is awake; or gone
                        os.write(fd, _HINT)

    def wait(self, seconds: float) -> bool:
        """Wait until we are woken or somebody ended; true in the latter case."""
        poll = select.poll()
        poll.register(self._own, select.POLLIN)
        for fd in tuple(self._others.values()):
            poll.register(fd, 0)
        ended = False
        for fd, _ in poll.poll(seconds * 1000.0):
            if fd == self._own:
                with suppress(BlockingIOError):
                    os.read(fd, 4096)
            else:
                ended = True
        return ended

    def close(self) -> None:
        """Close all pipes."""
        with self._changing:
            for fd in (self._own, *self._others.values()):
                os.close(fd)
            self._own = -1
            self._others = {}

    def forget(self) -> None:
        """Close them in a fork's child, where a thread of the parent's may have held the lock."""
        self._changing = threading.Lock()
        self.close()

    def _path(self, seat: int) -> str:
        return os.path.join(self._folder, f"hint-{seat}")
