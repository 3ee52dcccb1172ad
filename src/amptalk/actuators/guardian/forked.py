"""Start a guardian by forking, for a process that has just begun and has one thread.

That takes a tenth of the time of a program of its own and shares the memory. It is a grandchild
whose parent ends at once, so it is no child of this process either, unless this process adopts
orphans: then it must be started before.
"""

from __future__ import annotations

import os
from typing import NoReturn

from amptalk.model.errors import ActionError
from amptalk.sensors.identity import Identity

_FAILED = 70
_LONGEST = 32


def by_fork(owner: Identity, folder: str, orders: int, words: int) -> int:
    """Fork it; its pid. Raises `ActionError`."""
    told, telling = os.pipe()
    try:
        child = os.fork()
        if child == 0:
            _between(owner, folder, orders, words, telling)
        os.waitpid(child, 0)
        os.close(telling)
        telling = -1
        said = os.read(told, _LONGEST)
        if not said:
            raise ActionError("the guardian could not be forked")
        return int(said)
    except OSError as error:
        raise ActionError(f"the guardian could not be forked: {error.strerror}") from None
    finally:
        os.close(told)
        if telling >= 0:
            os.close(telling)


def _between(owner: Identity, folder: str, orders: int, words: int, telling: int) -> NoReturn:
    """In the child: fork again, tell the pid, end."""
    try:
        os.setsid()
        pid = os.fork()
        if pid == 0:
            _guard(owner, folder, orders, words)
        os.write(telling, b"%d" % pid)
        os._exit(0)
    finally:
        os._exit(_FAILED)


def _guard(owner: Identity, folder: str, orders: int, words: int) -> NoReturn:
    """In the grandchild: keep nothing of the program's open, and be a guardian."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(nothing, fd)
        low, high = sorted((orders, words))
        os.closerange(3, low)
        os.closerange(low + 1, high)
        os.closerange(high + 1, os.sysconf("SC_OPEN_MAX"))
        os.chdir("/")
        from amptalk.actuators.guardian.process import main

        identity = (str(owner.pid), str(owner.start), owner.boot, owner.namespace)
        os._exit(main([*identity, folder, str(orders), str(words)]))
    finally:
        os._exit(_FAILED)
