"""What `amptalk run` asks of this process, read from the descriptor that it was given.

One reader a process: a line is read once. Without the descriptor, or when the number stands for
another file, there is none. Reading neither waits nor raises; once the other side is gone nothing
is asked any more.

Protocol: `model.appeal`.
"""

from __future__ import annotations

import os
import select
import stat
import threading
from collections.abc import Mapping

from amptalk.model.appeal import CLEAR, DESCRIPTOR, INODE, Appeal, appeal_of

_MOST = 65536
_NONE: Mapping[str, Appeal] = {}


class AppealReader:
    """The appeals that are made now, by resource. Thread-safe."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._rest = b""
        self._now = _NONE

    def current(self) -> Mapping[str, Appeal]:
        """Take up what was said since; the same object while nothing was."""
        with self._lock:
            try:
                for _, event in self._poll.poll(0):
                    if event & select.POLLIN:
                        self._take(os.read(self._fd, _MOST))
                    else:  # nobody is left who would clear what was asked
                        self._now = _NONE
            except OSError:
                self._now = _NONE
            return self._now

    def _take(self, said: bytes) -> None:
        *lines, self._rest = (self._rest + said).split(b"\n")
        if len(self._rest) > _MOST:  # no event is as long
            self._rest = b""
        now = dict(self._now)
        for line in lines:
            try:
                appeal = appeal_of(line)
            except (ValueError, TypeError):
                continue
            if appeal.event == CLEAR or appeal.share >= 1.0:
                now.pop(appeal.resource, None)
            else:
                now[appeal.resource] = appeal
        self._now = now


_readers: dict[int, AppealReader] = {}


def appeals(environment: Mapping[str, str]) -> AppealReader | None:
    """The reader of this process, `None` when nobody asks."""
    number, inode = environment.get(DESCRIPTOR, ""), environment.get(INODE, "")
    if not (number.isdigit() and inode.isdigit()):
        return None
    fd = int(number)
    try:
        about = os.fstat(fd)
    except OSError:
        return None
    if not stat.S_ISFIFO(about.st_mode) or about.st_ino != int(inode):
        return None
    return _readers.setdefault(fd, AppealReader(fd))
