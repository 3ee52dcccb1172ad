"""The program: found, started so that it is held before it begins, waited for.

It is started as a shell starts it: same session, process group, terminal, descriptors, working
directory, umask, priorities; signals as this process found them but for SIGPIPE and SIGXFSZ, whose
former setting Python does not tell (they are set to the default). Between its fork and its first
instruction it enters the control groups that hold its limits and waits until it is let go.

When this process is killed, the kernel kills the program (PR_SET_PDEATHSIG): SIGKILL of
`amptalk run` is SIGKILL of the program. What that had started goes on, as it would have.
Orphans of the program become children of this process (PR_SET_CHILD_SUBREAPER), so that a double
fork does not escape.

Interfaces: prctl(2), signal(7), execve(2), waitid(2).
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn

from amptalk.actuators.kernel.writing import write
from amptalk.model.errors import ActionError, AmptalkError

NOT_FOUND, NOT_EXECUTABLE = 127, 126
_SET_DEATH_SIGNAL, _SET_SUBREAPER = 1, 36
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
_SHELL = "/bin/sh"
_LONGEST = 512
"""Bytes of what it says before it begins."""
_LOOKED_AT = 80
"""Bytes of a file by which a script is told from a program of another machine."""


def signal_name(number: int) -> str:
    """A signal for people: SIGUSR1, or its number where it has no name of its own."""
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


class CommandError(AmptalkError):
    """A command cannot be started; `status` is what a shell would exit with."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def find_command(name: str, environment: Mapping[str, str]) -> str:
    """The file that a command's name stands for. Raises `CommandError`."""
    if not name:
        raise CommandError("the command's name is empty", NOT_FOUND)
    if "/" in name:
        places = [name]
    else:
        path = environment.get("PATH", _DEFAULT_PATH)
        places = [os.path.join(folder or ".", name) for folder in path.split(":")]
    refused = ""
    for place in places:
        if os.path.isdir(place):
            refused = refused or f"{place} is a folder" if "/" in name else refused
        elif os.access(place, os.X_OK):
            return place
        elif os.path.exists(place):
            refused = f"{place} may not be executed: chmod +x, or give another file"
    if refused:
        raise CommandError(refused, NOT_EXECUTABLE)
    where = "" if "/" in name else " in PATH"
    raise CommandError(f"command {name!r} was not found{where}", NOT_FOUND)


class Ended(NamedTuple):
    """How a process ended."""

    status: int
    """Exit status, or the number of the signal."""
    killed: bool
    """True when a signal ended it."""

    @property
    def shell_status(self) -> int:
        """What a shell makes of it: 128 and the number of the signal."""
        return 128 + self.status if self.killed else self.status


class Program:
    """One started command. `mask` is the set of signals blocked in it."""

    def __init__(
        self, path: str, command: Sequence[str], environment: Mapping[str, str],
        mask: set[int], keep: Sequence[int] = (), *, doors: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Fork it; it waits for `release`. `keep` are descriptors that it shall have.

        `doors` are the files of control groups by which it enters them.
        """
        self.command = tuple(command)
        prctl = _prctl()
        gate, self._gate = os.pipe()
        self._errors, errors = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._gate)
            start = _Start(path, command, environment, mask, keep, doors)
            _become(start, gate, errors, parent, prctl)
        os.close(gate)
        os.close(errors)
        self.ended: Ended | None = None

    def enter(self) -> None:
        """Wait until it has entered its groups. Raises `ActionError`."""
        said = b"-"
        while said and not said.endswith(b"\n"):
            said = os.read(self._errors, _LONGEST)  # nothing when it was killed: then it has ended
        if said.strip():
            raise ActionError(said.decode(errors="replace").strip())

    def release(self) -> None:
        """Let it begin. Raises `CommandError` when the kernel does not take it as a program."""
        with suppress(BrokenPipeError):  # it was killed while it waited
            os.write(self._gate, b"g")
        os.close(self._gate)
        said = os.read(self._errors, 16)
        os.close(self._errors)
        if said:
            number = int(said)
            missing = number == errno.ENOENT
            text = "its interpreter was not found" if missing else os.strerror(number)
            raise CommandError(
                f"{self.command[0]} cannot be executed: {text}",
                NOT_FOUND if missing else NOT_EXECUTABLE,
            )

    def cancel(self) -> None:
        """End it before it has begun."""
        os.close(self._gate)
        os.close(self._errors)
        os.waitpid(self.pid, 0)

    def send(self, number: int) -> None:
        """Send it a signal unless it has ended; not waited for, its pid stays its own."""
        if self.ended is None:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)


def adopt_orphans(*, adopt: bool = True) -> None:
    """Become the parent of what the program leaves, from now on, or do so no longer."""
    _prctl()(_SET_SUBREAPER, int(adopt), 0, 0, 0)


def _prctl() -> Callable[..., object]:
    import ctypes

    call: Callable[..., object] = ctypes.CDLL(None, use_errno=True).prctl
    return call


class _Start(NamedTuple):
    """All that a program begins with."""

    path: str
    command: Sequence[str]
    environment: Mapping[str, str]
    mask: set[int]
    keep: Sequence[int]
    doors: Sequence[str]


def _become(
    start: _Start, gate: int, errors: int, parent: int, prctl: Callable[..., object]
) -> NoReturn:
    """In the forked process: wait, then become the program."""
    try:
        prctl(_SET_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
        _enter(start.doors, errors)
        if os.getppid() != parent or not os.read(gate, 1):
            os._exit(NOT_EXECUTABLE)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        for fd in start.keep:
            os.set_inheritable(fd, True)  # noqa: FBT003 - as it is declared
        signal.pthread_sigmask(signal.SIG_SETMASK, start.mask)
        try:
            os.execve(start.path, list(start.command), start.environment)  # noqa: S606
        except OSError as error:
            if error.errno != errno.ENOEXEC or _is_binary(start.path):
                raise
            script = [_SHELL, start.path, *start.command[1:]]
            os.execve(_SHELL, script, start.environment)  # noqa: S606 - execvp(3)
    except OSError as error:
        os.write(errors, b"%d" % (error.errno or errno.EIO))
    finally:
        os._exit(NOT_EXECUTABLE)


def _enter(doors: Sequence[str], errors: int) -> None:
    """In the forked process: enter the groups, and say that it has or why it could not."""
    said = ""
    try:
        for door in doors:
            write(door, "0")
    except ActionError as error:
        said = str(error)
    os.write(errors, said.encode()[: _LONGEST - 1] + b"\n")


def _is_binary(path: str) -> bool:
    """Whether a file is no script without a first line that says so, as shells judge it."""
    with open(path, "rb") as file:
        return b"\0" in file.read(_LOOKED_AT)
