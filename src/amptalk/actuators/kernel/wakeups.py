"""The kernel's own notices that memory gets short: they wake the loop before its next tick.

Version 1 tells when a group's memory crosses a line; version 2 when its counters of limits change.
Pressure tells when processes have waited for memory. None of it is needed: what cannot be had is
left out, and the loop ticks as before. One thread sleeps in `poll` until the kernel says something.

Formats: Documentation/accounting/psi.rst ("Monitoring for pressure thresholds"),
Documentation/admin-guide/cgroup-v1/memory.rst ("Memory thresholds"),
Documentation/admin-guide/cgroup-v2.rst (`memory.events` generates a file modified event).
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from math import inf

from amptalk.actuators.kernel.contract import Hold
from amptalk.limits.thresholds import lines_for
from amptalk.model.errors import ActionError
from amptalk.model.resource import MEMORY

SHORTEST = 0.25
"""Seconds between two wake-ups at least; near a limit the loop ticks faster by itself."""
TRIGGERS = (b"some 50000 500000\0", b"some 100000 2000000\0")
"""Microseconds of waiting within a window, the second for those without CAP_SYS_RESOURCE, who may
only have windows of whole 2 s. The kernel overwrites the last byte, so one is given up for it."""
_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK
_MB = 2**20
_JOINED = 1.0


class _Sources:
    """What the kernel's notices come by; the thread that listens closes them."""

    def __init__(self) -> None:
        self.polled: dict[int, int] = {}
        """Descriptor to what is polled for."""
        self._kept: list[int] = []
        self._counters = -1
        self.names: list[str] = []
        self.stopping, self.stop = os.pipe2(_FLAGS)

    def listen(self, hold: Hold, limit: float) -> None:
        """Open what can be had for a limit on memory. Never raises."""
        try:
            version, folder = hold.groups.place("memory").version, hold.groups.enter("memory")
        except ActionError:
            return
        if version == 1:
            self._try(lambda: self._crossing(folder, limit), f"{folder}/cgroup.event_control")
            self._try(lambda: self._pressure(f"{hold.roots.proc}/pressure/memory"), "pressure")
        else:
            self._try(lambda: self._events(f"{folder}/memory.events"), f"{folder}/memory.events")
            self._try(lambda: self._pressure(f"{folder}/memory.pressure"), "pressure")

    def close(self) -> None:
        """Let go of all of them."""
        for fd in (*self.polled, *self._kept, self.stopping, self.stop):
            with suppress(OSError):
                os.close(fd)
        self.polled, self._kept = {}, []
        self.stopping = self.stop = -1

    def taken(self, fd: int, events: int) -> bool:
        """Take a notice, so that the next is a new one; false when there will be none any more."""
        try:
            if fd == self._counters:  # a change comes as an error, too, until it is read
                os.pread(fd, 4096, 0)
                return True
            if self.polled[fd] == select.POLLIN:
                os.eventfd_read(fd)
                return True
        except OSError:
            return False
        return not events & (select.POLLERR | select.POLLHUP | select.POLLNVAL)

    def _try(self, listen: Callable[[], None], name: str) -> None:
        try:
            listen()
        except OSError:
            return
        self.names.append(name)

    def _crossing(self, folder: str, limit: float) -> None:
        """Be told when what the group is charged with crosses a line of the limit (version 1)."""
        usage = os.open(f"{folder}/memory.usage_in_bytes", os.O_RDONLY | os.O_CLOEXEC)
        self._kept.append(usage)
        control = os.open(f"{folder}/cgroup.event_control", os.O_WRONLY | os.O_CLOEXEC)
        event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._kept.append(event)
        try:
            for line in lines_for(MEMORY, limit).enter:
                os.write(control, f"{event} {usage} {int(line * _MB)}".encode())
        finally:
            os.close(control)
        self._kept.remove(event)
        self.polled[event] = select.POLLIN

    def _events(self, path: str) -> None:
        """Be told when a counter of the group's limits goes up (version 2)."""
        fd = os.open(path, os.O_RDONLY | _FLAGS)
        self._kept.append(fd)
        os.pread(fd, 4096, 0)
        self._kept.remove(fd)
        self.polled[fd] = select.POLLPRI
        self._counters = fd

    def _pressure(self, path: str) -> None:
        """Be told when processes have waited for memory."""
        fd = os.open(path, os.O_RDWR | _FLAGS)
        self._kept.append(fd)
        try:
            os.write(fd, TRIGGERS[0])
        except OSError:
            os.write(fd, TRIGGERS[1])
        self._kept.remove(fd)
        self.polled[fd] = select.POLLPRI


class Wakeups:
    """Calls `wake` when the kernel says that memory gets short, from `begin` to `end`.

    `wake` must be quick and may be called by any thread.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._thread: threading.Thread | None = None
        self._sources: _Sources | None = None

    @property
    def names(self) -> list[str]:
        """What can wake it, for people."""
        return [] if self._sources is None else self._sources.names

    def begin(self, hold: Hold) -> None:
        """Listen to what can be had for the limit on memory. Never raises."""
        self.end()
        limit = hold.limit(MEMORY.name)
        if limit == inf:
            return
        sources = _Sources()
        sources.listen(hold, limit)
        if not sources.polled:
            sources.close()
            return
        self._sources = sources
        self._thread = threading.Thread(
            target=self._run, args=(sources,), name="amptalk-wakeups", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """Listen to nothing any more; also in a forked child, in which the thread is not."""
        thread, sources = self._thread, self._sources
        self._thread = self._sources = None
        if thread is None or sources is None:
            return
        if thread.is_alive():
            os.write(sources.stop, b"\0")
            thread.join(_JOINED)
        else:
            sources.close()

    def _run(self, sources: _Sources) -> None:
        poll, pause = select.poll(), select.poll()
        for fd, events in {**sources.polled, sources.stopping: select.POLLIN}.items():
            poll.register(fd, events)
        pause.register(sources.stopping, select.POLLIN)
        stopped = False
        while not stopped:
            woken = False
            for fd, events in poll.poll():
                if fd == sources.stopping:
                    continue
                if sources.taken(fd, events):
                    woken = True
                else:
                    poll.unregister(fd)
            stopped = bool(pause.poll(0))
            if woken and not stopped:
                self._wake()
                stopped = bool(pause.poll(SHORTEST * 1000.0))
        sources.close()
