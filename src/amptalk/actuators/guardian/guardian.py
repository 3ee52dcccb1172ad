"""The owner's side of the guardian: start it, tell it what to watch, hear what it did.

It is no child of this process: a shell starts it and ends, so that an application that waits for
its children never meets it, and nothing counts it as the application. (The first process of a
container inherits it all the same; so it is left out by its pid, too.)

Not thread-safe, and slow but for `take`: for action threads.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from amptalk.actuators.guardian.orders import BYE, Order, Told, order_line, told_of
from amptalk.model.errors import ActionError
from amptalk.sensors.identity import Identity

_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from amptalk.actuators.guardian.process import main; sys.exit(main(sys.argv[2:]))"
)
_SHELL = '"$@" >/dev/null & echo $!'
_STARTING = 2.0
"""Seconds that the shell may take."""
_MOST = 65536
_READY = b"ready"


class GuardianProcess:
    """The guardian of this process, while there is one."""

    def __init__(self, owner: Identity, folder: str) -> None:
        """Start it; it is at work a moment later. Raises `ActionError`."""
        if not sys.executable or not hasattr(os, "pidfd_open"):
            raise ActionError(
                "there is no guardian: it needs the Python interpreter as a program, and Linux 5.3"
            )
        orders, self._orders = os.pipe()
        self._words, words = os.pipe()
        self.ready = False
        """It said that it is at work."""
        try:
            self.pid = _started(owner, folder, orders, words)
            """Its process."""
        except ActionError:
            self.close()
            raise
        finally:
            os.close(orders)
            os.close(words)
        os.set_blocking(self._orders, False)
        os.set_blocking(self._words, False)
        self._rest = b""

    def tell(self, order: Order) -> None:
        """Have it watch this from now on. Raises `ActionError` when it cannot be told."""
        line = order_line(order)
        try:
            if os.write(self._orders, line) != len(line):
                raise BlockingIOError
        except OSError:
            raise ActionError("the guardian does not take orders any more") from None

    def take(self) -> list[Told]:
        """What it has done since the last call. Neither blocks nor raises."""
        try:
            said = os.read(self._words, _MOST)
        except OSError:
            return []
        *lines, self._rest = (self._rest + said).split(b"\n")
        told = []
        for line in lines:
            if line == _READY:
                self.ready = True
                continue
            with suppress(ValueError):
                told.append(told_of(line))
        return told

    def stop(self) -> None:
        """Let it end: everything is undone."""
        with suppress(OSError):
            os.write(self._orders, BYE)
        self.close()

    def close(self) -> None:
        """Let go of it without a word; in a forked child that is all there is to do."""
        for fd in (self._orders, self._words):
            with suppress(OSError):
                os.close(fd)


def _started(owner: Identity, folder: str, orders: int, words: int) -> int:
    """Start the process by way of a shell that ends at once; its pid. Raises `ActionError`."""
    package = str(Path(__file__).resolve().parents[3])
    identity = (str(owner.pid), str(owner.start), owner.boot, owner.namespace)
    command = [
        *("/bin/sh", "-c", _SHELL, "sh"),
        *(sys.executable, "-I", "-S", "-c", _CODE, package),
        *(*identity, folder, str(orders), str(words)),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed shell and this very interpreter
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            pass_fds=(orders, words), start_new_session=True, cwd="/",
            timeout=_STARTING, check=True,
        )  # fmt: skip
        return int(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ActionError(f"the guardian could not be started: {error}") from None
