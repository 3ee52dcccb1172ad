"""What the guardian reads at each sample: a group's memory, and how fast its children grow.

All files are opened beforehand and read into buffers that are kept, so that a machine without
memory left does not hinder it; the few small objects that Python makes come from what it has.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from amptalk.actuators.guardian.orders import Usage, Watched
from amptalk.sensors.files import SensorFault, text_or_nothing
from amptalk.sensors.identity import start_of

_FLAGS = os.O_RDONLY | os.O_CLOEXEC
_PAGE = os.sysconf("SC_PAGE_SIZE")
_DIGITS = 32
_DETAILS = 8192
_SHARE = 0.25
"""Of all growth, that a child must have to be its cause."""
_ANCHOR = 0.1
"""Seconds over which growth of a child is taken, one to two times."""


class GroupMemory:
    """Bytes that a group is charged with, less the file cache, which is dropped before a kill."""

    def __init__(self, usage: Usage) -> None:
        self._total = os.open(usage.total, _FLAGS)
        try:
            self._details = os.open(usage.details, _FLAGS)
        except OSError:
            os.close(self._total)
            raise
        self._keys = [b"\n" + name.encode() + b" " for name in usage.dropped]
        self._number = bytearray(_DIGITS)
        self._text = bytearray(_DETAILS)
        self._into_number, self._into_text = [self._number], [self._text]

    def read(self) -> int:
        """Read it. Raises `OSError` or `ValueError` when the group is gone."""
        total = int(self._number[: os.preadv(self._total, self._into_number, 0)])
        length = os.preadv(self._details, self._into_text, 0)
        for key in self._keys:
            at = self._text.find(key, 0, length)
            if at >= 0:
                at += len(key)
                total -= int(self._text[at : self._text.find(b"\n", at, length)])
        return total

    def close(self) -> None:
        """Close both files."""
        os.close(self._total)
        os.close(self._details)


class Child:
    """One child, held by a descriptor that no other process can take over."""

    def __init__(self, proc: str, watched: Watched) -> None:
        """Raises `OSError` or `SensorFault` when it has ended."""
        self.watched = watched
        self.pid = watched.pid
        self.priority = watched.priority
        self.may_end = watched.may_end
        self._process = os.pidfd_open(watched.pid)
        try:
            if start_of(proc, watched.pid) != watched.start:
                raise ProcessLookupError(watched.pid)
            self._memory = os.open(f"{proc}/{watched.pid}/statm", _FLAGS)
        except (OSError, SensorFault):
            os.close(self._process)
            raise
        self.name = text_or_nothing(f"{proc}/{watched.pid}/comm")
        self.stopped = False
        self.gone = False
        self.used = self.growth = 0.0
        """Anonymous bytes, and bytes a second."""
        self._before = self._middle = -1.0
        self._before_at = self._middle_at = 0.0
        self._line = bytearray(128)
        self._into = [self._line]

    def look(self, now: float) -> None:
        """Read its memory; of an ended process that is 0."""
        try:
            length = os.preadv(self._memory, self._into, 0)
            words = self._line[:length].split(None, 3)
            used = float((int(words[1]) - int(words[2])) * _PAGE)
            self.gone = int(words[0]) == 0
        except (OSError, ValueError, IndexError):
            self.gone = True
            used = 0.0
        self.used = used
        if self._before < 0:
            self._before = self._middle = used
            self._before_at = self._middle_at = now
        elif now > self._before_at:
            self.growth = (used - self._before) / (now - self._before_at)
            if now - self._middle_at >= _ANCHOR:
                self._before, self._before_at = self._middle, self._middle_at
                self._middle, self._middle_at = used, now

    def stop(self) -> None:
        """Stop it."""
        if self._send(signal.SIGSTOP):
            self.stopped = True

    def go(self) -> None:
        """Let it go on, if it was us who stopped it."""
        if self.stopped:
            self.stopped = False
            self._send(signal.SIGCONT)
            self._before = -1.0
            self.growth = 0.0

    def end(self, number: int) -> None:
        """Send it a signal that ends it, and let it go on so that it can."""
        self._send(number)
        self.go()

    def _send(self, number: int) -> bool:
        try:
            signal.pidfd_send_signal(self._process, number)
        except OSError:
            self.gone = True
            return False
        return True

    def close(self) -> None:
        """Let go of it; it goes on when it was stopped."""
        self.go()
        for fd in (self._process, self._memory):
            with suppress(OSError):
                os.close(fd)


def growing(children: list[Child], rate: float) -> Child | None:
    """The child that grows most of those that go on, when it is the cause of the growth."""
    best = None
    for child in children:
        if child.stopped or child.gone or child.growth < _SHARE * rate:
            continue
        if best is None or child.growth > best.growth:
            best = child
    return best


def spared_last(children: list[Child]) -> Child | None:
    """The child to be ended first: stopped ones, then by priority, then the largest."""
    best = None
    for child in children:
        if child.may_end and not child.gone and (best is None or _before(child, best)):
            best = child
    return best


def _before(one: Child, other: Child) -> bool:
    if one.stopped != other.stopped:
        return one.stopped
    if one.priority != other.priority:
        return one.priority < other.priority
    return one.used > other.used
