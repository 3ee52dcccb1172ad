"""The thread that ticks: monotonic pacing without drift, exact start, stop and restart.

Covers when a tick happens. What a tick does is the engine's; how long until the
next one is what the tick answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress


class StopSignal:
    """Says once to one waiting thread that it is to stop, and any time that it is to wake.

    A held lock, because waiting for a `threading.Event` runs a dozen Python frames more, and
    after a second of sleep each of them is cold: 30 µs a tick.
    """

    __slots__ = ("_held", "given")

    def __init__(self) -> None:
        self.given = False
        """Whether it is to stop."""
        self._held = threading.Lock()
        self._held.acquire()

    def give(self) -> None:
        """Tell it to stop; idempotent."""
        self.given = True
        self.wake()

    def wake(self) -> None:
        """Have it look now; any thread, as often as it likes."""
        with suppress(RuntimeError):  # it was woken already and has not looked yet
            self._held.release()

    def wait(self, timeout: float) -> bool:
        """True as soon as it is woken or stopped, False after `timeout` seconds."""
        return self._held.acquire(timeout=timeout)


class Loop:
    """Calls `tick` on a thread of its own until stopped.

    `tick` returns the seconds until the next one; `wake` has one come at once, in between. Instants
    lie on a grid: an early or late wake-up does not shift the later ones, and ticks missed while
    the machine or the interpreter was held up are skipped, not caught up.
    """

    def __init__(self, tick: Callable[[], float], now: Callable[[], float], name: str) -> None:
        self._tick = tick
        self._now = now
        self._name = name
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = StopSignal()
        self.skipped = 0
        """Ticks that were skipped because the loop came too late for them."""

    @property
    def running(self) -> bool:
        """True between `start` and the end of `stop`."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    @property
    def on_own_thread(self) -> bool:
        """True when called from within a tick."""
        return threading.current_thread() is self._thread

    def start(self, first_wait: float) -> bool:
        """Start ticking after `first_wait` seconds; False when it runs already."""
        with self._lock:
            if self.running:
                return False
            self._stopping = StopSignal()
            self._thread = threading.Thread(
                target=self._run, args=(self._stopping, first_wait), name=self._name, daemon=True
            )
            self._thread.start()
            return True

    def stop(self, timeout: float = 5.0) -> bool:
        """Stop and wait for the tick in flight; False when it did not end within `timeout`."""
        with self._lock:
            thread = self._thread
            self._stopping.give()
            if thread is None or thread is threading.current_thread():
                return True
            thread.join(timeout)
            ended = not thread.is_alive()
            if ended:
                self._thread = None
            return ended

    def abandon(self) -> None:
        """Forget the thread, which a fork left behind in the parent."""
        self._lock = threading.Lock()
        self._thread = None

    def wake(self) -> None:
        """Have the next tick come at once; from any thread, nothing while it does not run."""
        self._stopping.wake()

    def _run(self, stopping: StopSignal, wait: float) -> None:
        due = self._now() + wait
        while True:
            early = stopping.wait(max(0.0, due - self._now()))
            if stopping.given:
                return
            interval, now = self._tick(), self._now()
            if early and now < due:
                due = min(due, now + interval)
            else:
                due, missed = next_due(due, interval, now)
                self.skipped += missed


def next_due(due: float, interval: float, now: float) -> tuple[float, int]:
    """Next instant after `now` on the grid `due + n * interval`, and how many were missed.

    >>> next_due(10.0, 1.0, 10.2)
    (11.0, 0)
    >>> next_due(10.0, 1.0, 13.5)
    (14.0, 3)
    """
    following = due + interval
    if following > now:
        return following, 0
    missed = int((now - due) / interval)
    following = due + (missed + 1) * interval
    return (following, missed) if following > now else (following + interval, missed + 1)
