"""How a program is asked to use less: three ways, each of which it may listen to.

- `$MEMORY_PRESSURE_WATCH`, systemd's protocol: a FIFO that becomes readable when less memory is
  asked for. It is a pipe of this process, so nothing is left in a file system. One listener.
- `AMPTALK_EVENTS_FD`: a descriptor with one JSON line an event (`model.appeal`). One reader.
- A signal, where the user names one.

A program that listens to none is not hurt: nothing here blocks, and what nobody reads is dropped.

Protocol: https://systemd.io/PRESSURE/ ("FIFO": poll for input, read and discard).
"""

from __future__ import annotations

import fcntl
import os
import termios
import time
from array import array
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from amptalk.model.appeal import ASK, CLEAR, DESCRIPTOR, INODE, SHARE, Appeal, line_of
from amptalk.run.program import Program, signal_name

if TYPE_CHECKING:
    from amptalk.model.decision import Decision

_WATCH, _WRITE = "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE"
_NOTABLE = 0.05
"""A share that moved by less is not told."""
_UNREAD = 32768
"""Bytes that nobody has read, from which on nothing more is written."""


class Channel:
    """The ways to one program, open from before its start until its end."""

    def __init__(self, proc: str, number: int | None, *, memory: bool) -> None:
        self._signal = number
        self._program: Program | None = None
        self._events, self._to_events = os.pipe()
        os.set_blocking(self._to_events, False)
        self._inode = os.fstat(self._events).st_ino
        self._pressure = self._to_pressure = -1
        if memory:
            self._pressure, self._to_pressure = os.pipe()
            os.set_blocking(self._to_pressure, False)
        self._path = f"{proc}/{os.getpid()}/fd/{self._pressure}"
        self._asked: dict[str, float] = {}
        self._told: dict[str, float] = {}
        """Shares, by resource."""

    @property
    def keep(self) -> tuple[int, ...]:
        """Descriptors that the program inherits."""
        return (self._events,)

    def variables(self) -> dict[str, str]:
        """What is added to the program's environment."""
        added = {DESCRIPTOR: str(self._events), INODE: str(self._inode)}
        return {**added, _WATCH: self._path} if self._pressure >= 0 else added

    def adjusted(self, environment: Mapping[str, str]) -> dict[str, str]:
        """An environment in which only this asks, whoever asked this process before."""
        kept = dict(environment)
        if self._pressure >= 0:
            kept.pop(_WRITE, None)
        return {**kept, **self.variables()}

    def text(self, resource: str) -> str:
        """The ways for a resource, for people."""
        ways = [f"${_WATCH}"] if resource == "memory" and self._pressure >= 0 else []
        ways.append(f"descriptor {self._events} (${DESCRIPTOR})")
        if self._signal is not None:
            ways.append(f"signal {signal_name(self._signal).removeprefix('signal ')}")
        return " and ".join(ways)

    def serve(self, program: Program) -> None:
        """Ask this program from now on."""
        self._program = program
        self._asked.clear()
        self._told.clear()

    def asked(self, resource: str) -> float:
        """The share that is asked for now, 1 where nothing is."""
        return self._asked.get(resource, 1.0)

    def ask(self, appeal: Appeal) -> None:
        """Ask for less by every way there is."""
        self._asked[appeal.resource] = self._told[appeal.resource] = appeal.share
        self._say(appeal._replace(event=ASK, time=time.time()))
        if appeal.resource == "memory" and self._to_pressure >= 0 and not _unread(self._pressure):
            with suppress(OSError):
                os.write(self._to_pressure, b"\n")
        if self._signal is not None and self._program is not None:
            self._program.send(self._signal)

    def clear(self, resource: str) -> None:
        """Nothing is asked of a resource any more."""
        self._asked.pop(resource, None)
        self._told.pop(resource, None)
        self._say(Appeal(CLEAR, resource, 1.0, time=time.time()))

    def follow(self, decision: Decision) -> None:
        """Tell of allocations that moved; none is above what is asked for."""
        for allocation in decision.allocations:
            name = allocation.resource
            share = min(allocation.share, self.asked(name))
            told = self._told.get(name, 1.0)
            if abs(share - told) >= _NOTABLE or share >= 1.0 > told:
                self._told[name] = share
                self._say(Appeal(SHARE, name, share, time=time.time()))

    @property
    def heard(self) -> bool:
        """Whether somebody listens: has read all that was told, or is sent a signal."""
        if self._signal is not None:
            return True
        pressure = self._pressure >= 0 and not _unread(self._pressure)
        return pressure or not _unread(self._events)

    def close(self) -> None:
        """Ask no more."""
        for fd in (self._events, self._to_events, self._pressure, self._to_pressure):
            if fd >= 0:
                os.close(fd)

    def _say(self, appeal: Appeal) -> None:
        if _unread(self._events) < _UNREAD:
            with suppress(OSError):
                os.write(self._to_events, line_of(appeal))


def _unread(fd: int) -> int:
    size = array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, size)
    return size[0]
