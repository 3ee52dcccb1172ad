"""A shell with job control on a terminal of its own: what a user at a keyboard has."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from tests.helpers import DEADLINE

SHELL = "/bin/bash"


class Terminal:
    """Types on a terminal and reads what appears on it."""

    def __init__(self, master: int) -> None:
        self._master = master
        self.seen = ""

    def type(self, text: str) -> None:
        """Type a text; a line ends with a newline."""
        os.write(self._master, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def expect(self, text: str) -> str:
        """Wait until a text appears; returns what came before, and goes on behind it."""
        until = time.monotonic() + DEADLINE
        while text not in self.seen:
            ready, _, _ = select.select([self._master], [], [], until - time.monotonic())
            assert ready, f"{text!r} did not appear in:\n{self.seen}"
            self.seen += os.read(self._master, 4096).decode(errors="replace")
        before, _, self.seen = self.seen.partition(text)
        return before

    def status(self) -> int:
        """The exit status of the last command."""
        self.type("echo st''atus=$?=\n")
        self.expect("status=")
        return int(self.expect("="))


@contextmanager
def terminal(environment: Mapping[str, str]) -> Iterator[Terminal]:
    """An interactive shell; it and its jobs end with the block."""
    master, slave = os.openpty()

    def become_leader() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [SHELL, "--norc", "--noprofile", "-i"], stdin=slave, stdout=slave, stderr=slave,
        env={**environment, "PS1": "$ ", "TERM": "dumb"}, start_new_session=True,
        preexec_fn=become_leader,  # noqa: PLW1509 - a terminal is taken by its session's leader
    )  # fmt: skip
    os.close(slave)
    try:
        made = Terminal(master)
        made.type("stty -echo\n")
        made.type("echo rea''dy\n")
        made.expect("ready")
        yield made
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGHUP)
        os.close(master)
        process.kill()
        process.wait()
