"""Who lives: a file in which each participant keeps one byte locked.

The kernel lets go of the lock with the last descriptor of its open file, so however a program ends
its byte is free at once, and a lock is the same seen from every container that shares the file: a
number of a process is not. Open file description locks (fcntl(2), Linux 3.15) survive a fork, so a
child must `close` what it inherited, or it would keep its parent's seat.
"""

from __future__ import annotations

import fcntl
import os
import struct

from amptalk.model.errors import LedgerError

SEATS = 256
"""Participants at the same time."""
_FLOCK = "hhqqi4x"
"""struct flock with 64-bit offsets: type, whence, start, length, pid (which must be 0)."""


class Seats:
    """The file of seats, and the one that is ours."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.mine = -1

    def take(self) -> int:
        """Take the first free seat. Raises `LedgerError` when there is none."""
        for seat in range(SEATS):
            try:
                fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _lock(fcntl.F_WRLCK, seat))
            except BlockingIOError:
                continue
            self.mine = seat
            return seat
        raise LedgerError(f"{SEATS} participants share already: no seat is free")

    def taken(self, seat: int) -> bool:
        """Whether the participant of a seat lives."""
        if seat == self.mine:
            return True
        answer = fcntl.fcntl(self._fd, fcntl.F_OFD_GETLK, _lock(fcntl.F_WRLCK, seat))
        return int(struct.unpack(_FLOCK, answer)[0]) != fcntl.F_UNLCK

    def close(self) -> None:
        """Give the seat up, in a fork's child only our hold of it."""
        os.close(self._fd)


def _lock(kind: int, seat: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, seat, 1, 0)
