"""Hold CPU time without any permission, by stopping and continuing processes: only when told to.

Stops are as short as the limit lets them be (tens of milliseconds), but audio, sockets and whoever
waits for the program notice them. What processes used is taken from their CPU clocks, and what
their ended children used from what they have waited for, so that a program which forks all the
time is held as well. Unused time is not saved up for longer than `CREDIT`.

Every process is in the journal before it is stopped for the first time: whoever comes after a kill
of this process lets it go on.

Interfaces: kill(2), clock_getcpuclockid(3), proc(5) (`stat`).
"""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from amptalk.actuators.journal.changes import STOPPED, Change, Entry
from amptalk.actuators.journal.journal import Journal
from amptalk.model.errors import ActionError
from amptalk.sensors.files import SensorFault
from amptalk.sensors.procstat import clock_of, stat_or_none

RUN = 0.02
"""Seconds between looks at a program that runs."""
LONGEST_STOP = 0.5
"""Seconds of one stop at most, whatever was used."""
CREDIT = 0.05
"""Seconds of the limit that a program may have been below it and then use on top."""


class Budget:
    """How much CPU time was used beyond what is allowed. Pure.

    >>> budget = Budget(0.5)
    >>> budget.debt(0.0, 0.0), budget.debt(1.0, 0.75), budget.debt(1.5, 0.75)
    (0.0, 0.25, 0.0)
    """

    def __init__(self, cores: float) -> None:
        self.cores = cores
        self._at: float | None = None
        self._used = self._debt = 0.0

    def debt(self, now: float, used: float) -> float:
        """CPU seconds too many by now; below 0 is what may still be used."""
        if self._at is not None:
            self._debt += (used - self._used) - self.cores * (now - self._at)
            self._debt = max(self._debt, -CREDIT * self.cores)
        self._at, self._used = now, used
        return self._debt


class Pace:
    """Keeps a program at `cores` on a thread of its own. `members` lists its processes."""

    def __init__(
        self, proc: str, journal: Journal, cores: float, members: Callable[[], Iterable[int]]
    ) -> None:
        self._proc = proc
        self._journal = journal
        self._members = members
        self._budget = Budget(cores)
        self._noted: dict[tuple[int, int], Entry] = {}
        self._stopped: list[int] = []
        self._lock = threading.Lock()
        self._suspended = False
        self._over = threading.Event()
        self.failed = ""
        """Why it has given up; empty while it paces."""
        self._thread = threading.Thread(target=self._run, name="amptalk-pace", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def give_way(self, number: int) -> None:
        """Let a stop signal reach the processes that it was for: going on had taken it away."""
        with self._lock:
            if not self._stopped:
                return
            stopped, group = self._stopped, os.getpgrp()
            self._go_on()
            for pid in stopped:
                with suppress(OSError):
                    if os.getpgid(pid) == group:
                        os.kill(pid, number)

    def suspend(self) -> None:
        """The program was stopped by somebody else: leave it alone until `resume`."""
        with self._lock:
            self._suspended = True

    def resume(self) -> None:
        """It goes on."""
        with self._lock:
            self._suspended = False

    def stop(self) -> None:
        """Let everything go on and end the thread."""
        self._over.set()
        self._thread.join(2.0 * LONGEST_STOP)
        with self._lock:
            self._go_on()
        for entry in self._noted.values():
            with suppress(ActionError):
                self._journal.forget(entry)
        self._noted.clear()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                wait = self._step()
            except (ActionError, SensorFault) as error:
                self.failed = str(error)
                with self._lock:
                    self._go_on()
                return
            self._over.wait(wait)

    def _step(self) -> float:
        """Look, stop or let go on; seconds until the next look."""
        with self._lock:
            if self._suspended:
                return RUN
            members = list(self._members())
            debt = self._budget.debt(time.monotonic(), self._used(members))
            if debt > 0.0:
                self._stop_all(members)
                return min(LONGEST_STOP, debt / self._budget.cores)
            self._go_on()
            return RUN

    def _used(self, members: Iterable[int]) -> float:
        """CPU seconds of all processes so far, those that have ended included."""
        ours = resource.getrusage(resource.RUSAGE_CHILDREN)
        total = ours.ru_utime + ours.ru_stime
        for pid in members:
            stat = stat_or_none(self._proc, pid)
            if stat is not None:
                try:
                    own = time.clock_gettime(clock_of(pid))
                except OSError:
                    own = stat.seconds
                total += own + stat.waited
        return total

    def _stop_all(self, members: Iterable[int]) -> None:
        for pid in members:
            stat = stat_or_none(self._proc, pid)
            if stat is None:
                continue
            who = pid, stat.start
            if who not in self._noted:
                change = Change(STOPPED, f"{self._proc}/{pid}", "", (), who)
                self._noted[who] = self._journal.note(change)
            with suppress(OSError):
                os.kill(pid, signal.SIGSTOP)
                if pid not in self._stopped:
                    self._stopped.append(pid)

    def _go_on(self) -> None:
        stopped, self._stopped = self._stopped, []
        for pid in reversed(stopped):  # children first: a parent may look at once
            with suppress(OSError):
                os.kill(pid, signal.SIGCONT)
