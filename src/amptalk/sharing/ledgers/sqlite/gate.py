"""One at a time: a file lock that whoever waits for gets in turn, and death gives back.

Without it SQLite's writers sleep and retry, which starves some of them for seconds. A program
that is stopped (SIGSTOP) while it is inside, some 50 µs at a time, stops the others, too.
"""

from __future__ import annotations

import fcntl
import os
import threading


class Gate:
    """One thread of one process is inside at a time. Not reentrant."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._threads = threading.Lock()  # the file lock is the process's

    def enter(self) -> None:
        """Go in, as soon as nobody else is."""
        self._threads.acquire()
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except BaseException:
            self._threads.release()
            raise

    def leave(self) -> None:
        """Let the next one in."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        """Close the file. In a fork's child this leaves the parent's lock alone."""
        os.close(self._fd)
