"""The guardian itself: a process of few imports that waits for the end of its owner.

It is started by `guardian` with Python's `-I -S`, in a session of its own. Between samples it
sleeps in one `poll` on its orders and on its owner's pidfd, so it acts whatever holds the owner up
(a call that keeps the GIL), and undoes the owner's journal within a second of its end, however
that came about. Nothing is printed: what remains is in the journal, for `amptalk restore`.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import time
from contextlib import suppress

from amptalk.actuators.guardian.orders import BYE, order_of, told_line
from amptalk.actuators.guardian.watch import Watch
from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.restore import restore
from amptalk.model.errors import ActionError
from amptalk.sensors.identity import Identity, start_of
from amptalk.sensors.roots import Roots

READY = b"ready\n"
_PROC = Roots().proc
_ROUNDS, _PAUSE = 3, 0.2
"""Times that undoing is tried, and seconds between: the kernel may be busy with the dying."""
_ENDING = 200.0
"""Milliseconds that the end of a process may take, from its first closed file to the last."""
_MOST = 65536
_HASTE, _SPARED = -10, "-900"
"""Priority of its processor time, and its score when memory runs out, where it may have them."""


class Guardian:
    """One owner's guardian. `orders` and `words` are the ends of the pipes from and to it."""

    def __init__(self, owner: Identity, folder: JournalFolder, orders: int, words: int) -> None:
        """Raises `ProcessLookupError` for an ended owner, `OSError` without pidfd (Linux 5.3)."""
        self._owner = owner
        self._folder = folder
        self._orders = orders
        self._words = words
        os.set_blocking(words, False)
        self._life = os.pidfd_open(owner.pid)
        self._poll = select.poll()
        self._poll.register(self._life, select.POLLIN)
        self._poll.register(orders, select.POLLIN)
        self._watch: Watch | None = None
        self._rest = b""

    def run(self) -> None:
        """Watch until the owner says good-bye; undo what it left when it does not."""
        self._say(READY)
        wait = -1.0
        while True:
            ready = self._poll.poll(-1 if wait < 0 else wait * 1000.0)
            for fd, _ in ready:
                if fd == self._life:
                    self._leave(undo=True)
                    return
                said = os.read(self._orders, _MOST)
                if not said:  # a process closes its files a moment before it has ended
                    self._poll.unregister(self._orders)
                    self._poll.poll(_ENDING)
                if not said or BYE in said:
                    self._leave(undo=not said)
                    return
                self._obey(said)
            wait = self._step()

    def _step(self) -> float:
        watch = self._watch
        if watch is None:
            return -1.0
        now = time.monotonic()
        wait = watch.step(now)
        told = watch.over(now)
        if told is not None:
            self._say(told_line(told))
        return wait

    def _obey(self, said: bytes) -> None:
        """Take up the newest order that came whole."""
        *lines, self._rest = (self._rest + said).split(b"\n")
        if not lines:
            return
        try:
            order = order_of(lines[-1])
            if self._watch is not None and self._watch.follow(order):
                return
            self._unwatch()
            self._watch = Watch(_PROC, order)
        except (ValueError, OSError):
            self._unwatch()

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _say(self, line: bytes) -> None:
        with suppress(OSError):  # the owner does not read, or is gone
            os.write(self._words, line)

    def _leave(self, *, undo: bool) -> None:
        """End; by then nothing is stopped any more, and nothing of a dead owner's left."""
        self._unwatch()
        if undo:
            undo_all(self._owner, self._folder)


def undo_all(owner: Identity, folder: JournalFolder) -> None:
    """Undo what an ended owner has left; what cannot be undone stays in the journal."""
    for _ in range(_ROUNDS):
        try:
            results = restore(folder, _PROC, owner=owner)
            restore(folder, _PROC)  # what it was writing down, and what others have left
        except ActionError:
            return
        if not any(result.remains for result in results):
            return
        time.sleep(_PAUSE)


def main(arguments: list[str]) -> int:
    """Run for an owner: pid, start, boot, namespace, folder and the two descriptors."""
    pid, start, boot, namespace, path, orders, words = arguments
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)  # it outlives its owner, and ends after it
    with suppress(OSError):
        os.setsid()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _HASTE)
    with suppress(OSError), open(f"{_PROC}/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write(_SPARED)
    owner = Identity(int(pid), int(start), boot, namespace)
    folder = JournalFolder(path, create=False)
    try:
        guardian = Guardian(owner, folder, int(orders), int(words))
        lives = start_of(_PROC, owner.pid) == owner.start
    except ProcessLookupError:
        lives = False
    if not lives:  # it has ended before this process came to it
        undo_all(owner, folder)
        return 0
    gc.collect()
    gc.freeze()
    gc.disable()
    guardian.run()
    return 0
