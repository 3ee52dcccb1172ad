"""The owner's side of the guardian: start it, tell it what to watch, hear what it did.

How it is started is in `starting`: it is no child of this process, so that an application that
waits for its children never meets it, and nothing counts it as the application. (The first process
of a container inherits it all the same; so it is left out by its pid, too.)

Not thread-safe, and slow but for `take`: for action threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from amptalk.model.errors import ActionError
from amptalk.sensors.identity import Identity

if TYPE_CHECKING:
    from amptalk.actuators.guardian.orders import Order, Told

_MOST = 65536
_READY = b"ready"

Starter = Callable[[Identity, str, int, int], int]
"""Starts a guardian of an owner, with the folder of its journal and its ends of the pipes for
orders and words; returns its pid. Raises `ActionError`."""


def _by_shell(owner: Identity, folder: str, orders: int, words: int) -> int:
    from amptalk.actuators.guardian.starting import by_shell

    return by_shell(owner, folder, orders, words)


class GuardianProcess:
    """The guardian of this process, while there is one."""

    def __init__(self, owner: Identity, folder: str, start: Starter = _by_shell) -> None:
        """Start it; it is at work a moment later. Raises `ActionError`."""
        if not hasattr(os, "pidfd_open"):
            raise ActionError("there is no guardian: it needs Linux 5.3")
        orders, self._orders = os.pipe()
        self._words, words = os.pipe()
        self.ready = False
        """It said that it is at work."""
        try:
            self.pid = start(owner, folder, orders, words)
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
        from amptalk.actuators.guardian.orders import order_line

        line = order_line(order)
        try:
            if os.write(self._orders, line) != len(line):
                raise BlockingIOError
        except OSError:
            raise ActionError("the guardian does not take orders any more") from None

    def take(self) -> list[Told]:
        """What it has done since the last call. Neither blocks nor raises."""
        from amptalk.actuators.guardian.orders import told_of

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
        from amptalk.actuators.guardian.orders import BYE

        with suppress(OSError):
            os.write(self._orders, BYE)
        self.close()

    def close(self) -> None:
        """Let go of it without a word; in a forked child that is all there is to do."""
        for fd in (self._orders, self._words):
            with suppress(OSError):
                os.close(fd)
