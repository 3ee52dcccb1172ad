"""Signals and job control, as if the program had been started in our place.

This process blocks all signals and takes them one by one. What another process sends to it goes on
to the program. What the kernel sends for the terminal (^C, ^Z, a window's new size) goes to the
whole process group, so the program has it already. When the program stops, this process stops too,
so that the shell sees a stopped job; when the shell lets it go on, so does the program.

A signal that somebody sends to the whole group by kill(-pgid) reaches the program twice: itself,
and from here. The kernel does not tell one from the other.

Interfaces: sigwaitinfo(2), waitid(2), signal(7).
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from amptalk.run.program import Ended, Program

if TYPE_CHECKING:
    from amptalk.actuators.pace import Pace

_FAULTS = {
    signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL,
    signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS,
}  # fmt: skip
"""Signals that are not taken: they cannot be, or they tell of a fault in this very process."""
ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
_LONGEST = 3600.0
"""Seconds of one wait at most; the kernel takes no infinite one."""
_EVERYTHING = os.WEXITED | os.WSTOPPED | os.WNOHANG


class Sent(NamedTuple):
    """A signal that came from another process."""

    number: int
    sender: int
    """Its pid, 0 when the kernel sent it."""


class JobControl:
    """Takes signals for one program after another. One thread."""

    def __init__(self) -> None:
        """Block and take all signals from now on, in this thread and those it starts."""
        self._taken = set(signal.valid_signals()) - _FAULTS
        self.before: set[int] = signal.pthread_sigmask(signal.SIG_BLOCK, self._taken)
        """The mask that a program starts with."""
        self.program: Program | None = None
        self.pace: Pace | None = None
        """What stops and continues the program meanwhile."""
        self.left = False
        """True when processes of the program live that it did not wait for."""
        self.last: Sent | None = None
        """The last signal that somebody sent to end the program."""

    def wait(self, seconds: float) -> bool:
        """Wait for a signal at most so long and act on it; True when one was taken."""
        info = signal.sigtimedwait(self._taken, min(max(0.0, seconds), _LONGEST))
        if info is None:
            return False
        number = info.si_signo
        if number == signal.SIGCHLD:
            self.reap()
        elif info.si_code <= 0:  # SI_USER, SI_QUEUE, SI_TKILL: from a process
            self._pass_on(number, info.si_pid)
        elif number in ENDING:
            self._from_the_terminal(number)
        elif number == signal.SIGTSTP and self.pace is not None:
            self.pace.give_way(number)
        return True

    def take_pending(self) -> None:
        """Take note of what came while there was no program; `last` is to be sent to it."""
        while self.wait(0.0):
            continue

    def reap(self) -> None:
        """Take note of everything that ended or stopped."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, _EVERYTHING)
            except ChildProcessError:
                self.left = False
                return
            if found is None:
                self.left = True
                return
            program = self.program
            if program is None or found.si_pid != program.pid:
                continue
            if found.si_code == os.CLD_STOPPED:
                self._stopped(program, found.si_status)
            else:
                killed = found.si_code in {os.CLD_KILLED, os.CLD_DUMPED}
                program.ended = Ended(found.si_status, killed)

    def _pass_on(self, number: int, sender: int) -> None:
        if number in ENDING:
            self.last = Sent(number, sender)
        if self.program is not None:
            self.program.send(number)

    def _from_the_terminal(self, number: int) -> None:
        self.last = Sent(number, 0)
        program = self.program
        if number == signal.SIGHUP and program is not None and program.ended is None:
            with suppress(ProcessLookupError):
                if os.getpgid(program.pid) != os.getpgrp():  # a session's leader hears of it alone
                    program.send(number)

    def _stopped(self, program: Program, number: int) -> None:
        pace = self.pace
        if (pace is not None and number == signal.SIGSTOP) or not _has_job_control():
            return
        if pace is not None:
            pace.suspend()
        os.kill(os.getpid(), signal.SIGSTOP)
        program.send(signal.SIGCONT)  # here the shell, or whoever, has let us go on
        if pace is not None:
            pace.resume()


def _has_job_control() -> bool:
    """Whether somebody would let us go on: a parent in our session that is not of our group."""
    parent = os.getppid()
    try:
        return os.getsid(parent) == os.getsid(0) and os.getpgid(parent) != os.getpgrp()
    except OSError:
        return False


def leave_like(ended: Ended) -> NoReturn:
    """End as the program did: with its exit status, or by the same signal.

    At once: what may still be opening sensors is not waited for.
    """
    if ended.killed:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = ended.status
        if number not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(ended.shell_status)
