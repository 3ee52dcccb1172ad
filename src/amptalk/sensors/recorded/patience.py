"""Read many files in turn on a thread of its own, so that one that hangs holds nothing up.

The files are the kernel's and small; some ask a device over a slow bus, and a broken driver may
never answer. A file that takes longer than its deadline is given up and not asked again; the
thread is left to it and replaced, four times at most. A file that is slow, but answers, is asked
again only after a hundred times what it took.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Sequence

from amptalk.sensors.recorded.format import FILE_BYTES, Failed

DEADLINE = 2.0
"""Seconds that one file may take."""
THREADS_LEFT = 4
_SLOW = 0.05
_BACK_OFF = 100.0
_POLL = 0.02

Answer = bytes | Failed


class _Turn:
    """The files of one frame, read on one thread; the other one takes over when it hangs."""

    def __init__(self, paths: Sequence[str], answers: dict[str, tuple[Answer, float]]) -> None:
        self._paths = paths
        self._answers = answers
        self.position = 0
        self.begun = time.monotonic()
        self.abandoned = False
        self.ended = threading.Event()
        threading.Thread(target=self._run, name="amptalk-record", daemon=True).start()

    def _run(self) -> None:
        for position, path in enumerate(self._paths):
            self.position, self.begun = position, time.monotonic()
            answer = read(path)
            if self.abandoned:
                return
            self._answers[path] = answer, time.monotonic() - self.begun
        self.ended.set()


class Patience:
    """Reads files with a deadline for each and remembers which ones are not to be asked."""

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._not_before: dict[str, float] = {}
        self.hung: dict[str, str] = {}
        """Files that did not answer, or were not asked because of others, with the reason."""
        self._left = 0

    def read(self, paths: Sequence[str]) -> dict[str, Answer]:
        """What each file says, or why not; one that is not to be asked now is left out."""
        now = time.monotonic()
        due = [
            path
            for path in paths
            if path not in self.hung and self._not_before.get(path, 0.0) <= now
        ]
        answers: dict[str, tuple[Answer, float]] = {}
        found: dict[str, Answer] = {}
        while due:
            turn = _Turn(due, answers)
            while not turn.ended.wait(_POLL):
                if time.monotonic() - turn.begun > self._deadline:
                    break
            if turn.ended.is_set():
                break
            turn.abandoned = True
            silent = due[turn.position]
            found[silent] = Failed("ETIMEDOUT")
            self.hung[silent] = f"did not answer within {self._deadline:g} s"
            due = due[turn.position + 1 :]
            self._left += 1
            if self._left >= THREADS_LEFT:
                for path in due:
                    self.hung[path] = f"not read any more: {self._left} files did not answer"
                break
        for path, (answer, seconds) in answers.items():
            found[path] = answer
            if seconds > _SLOW:
                self._not_before[path] = time.monotonic() + _BACK_OFF * seconds
        return found


def read(path: str) -> Answer:
    """Contents of a file, at most one byte more than is kept, or the error."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        return _failed(error)
    try:
        data = piece = os.read(fd, FILE_BYTES + 1)
        while piece and len(data) <= FILE_BYTES:
            piece = os.read(fd, FILE_BYTES + 1)
            data += piece
    except OSError as error:
        return _failed(error)
    finally:
        os.close(fd)
    return data


def _failed(error: OSError) -> Failed:
    return Failed(errno.errorcode.get(error.errno or 0, "EIO"))
