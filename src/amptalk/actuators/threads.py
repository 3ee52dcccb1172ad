"""Call functions off the tick, each with a deadline, on daemon threads.

Threads start with the first call. A call that misses its deadline keeps its thread
(a thread cannot be ended from outside), another one takes its place, and no second
call with the same key starts until the first has come back: what hangs costs one
thread each. Whether a call helped is not judged here (`runner`).
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from amptalk.clock import Clock

IDLE_SECONDS = 30.0
"""A thread without work ends after this long; the next call starts one."""
MOST_THREADS = 4
"""Calls that run at the same time, those past their deadline left out."""


class Call:
    """One call from queue to end. Written by the threads, read by anyone."""

    __slots__ = ("deadline", "error", "finished", "function", "key", "overdue", "started")

    def __init__(self, key: str, function: Callable[[], object], deadline: float) -> None:
        self.key = key
        self.function = function
        self.deadline = deadline
        self.started = math.nan
        """Monotonic seconds; `nan` while it waits for a thread."""
        self.finished = math.nan
        """Monotonic seconds; `nan` until it has returned or raised."""
        self.error: str | None = None
        """What it raised."""
        self.overdue = False
        """It missed its deadline; it may have finished since."""

    @property
    def done(self) -> bool:
        """True when it has returned or raised."""
        return not math.isnan(self.finished)


class ActionThreads:
    """Runs calls side by side, at most one for each key. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._condition = threading.Condition()
        self._queue: deque[Call] = deque()
        self._calls: dict[str, Call] = {}
        self._workers = 0
        self._idle = 0
        self._generation = 0
        self._frozen = False

    @property
    def active(self) -> bool:
        """True while any call waits, runs or hangs."""
        return bool(self._calls)

    def busy(self, key: str) -> bool:
        """Whether the last call with this key has not come back yet."""
        return key in self._calls

    def call(self, key: str, function: Callable[[], object], deadline: float) -> Call | None:
        """Queue a call and return it; `None` while one with the same key has not come back.

        `deadline` is in seconds from its start. Also `None` in a forked child.
        """
        if self._frozen:
            return None
        with self._condition:
            if key in self._calls:
                return None
            call = self._calls[key] = Call(key, function, deadline)
            self._queue.append(call)
            self._condition.notify_all()  # one alone might wake a `stop` that waits too
            self._start_if_needed()
        return call

    def check(self, now: float) -> None:
        """Mark calls past their deadline and put new threads in the place of theirs."""
        if not self._calls:
            return
        with self._condition:
            for call in self._calls.values():
                if not call.overdue and now - call.started > call.deadline:
                    call.overdue = True
                    self._workers -= 1
            self._start_if_needed()

    def stop(self, seconds: float) -> None:
        """Wait up to `seconds` for calls within their deadline, then let the threads end.

        Calls that have not begun by then are dropped; a later call starts anew.
        """
        if self._frozen:
            return
        limit = time.monotonic() + seconds
        self._run_without_threads()
        with self._condition:
            while any(not call.overdue for call in self._calls.values()):
                left = limit - time.monotonic()
                if left <= 0:
                    break
                self._condition.wait(left)
            for call in self._queue:
                del self._calls[call.key]
            self._queue.clear()
            self._generation += 1
            self._workers = self._idle = 0
            self._condition.notify_all()

    def _run_without_threads(self) -> None:
        """Run what waits on this thread, when there is no other and none could be started.

        Python 3.12 and newer start no thread once the interpreter is on its way out, which
        is when levers must be let go of.
        """
        while True:
            with self._condition:
                if self._workers or not self._queue:
                    return
                call = self._queue.popleft()
                call.started = self._clock.monotonic()
            self._run(call)

    def freeze(self) -> None:
        """Become inert in a forked child, where the threads do not exist."""
        self._frozen = True
        self._calls = {}

    def _start_if_needed(self) -> None:
        """Start a thread when calls wait for one; the condition is held."""
        if len(self._queue) <= self._idle or self._workers >= MOST_THREADS:
            return
        thread = threading.Thread(
            target=self._work, args=(self._generation,), name="amptalk-action", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # no thread to be had; `check` tries again
            return
        self._workers += 1

    def _work(self, generation: int) -> None:
        while True:
            with self._condition:
                if generation != self._generation:  # stopped between two calls: idle is reset
                    return
                self._idle += 1
                while not self._queue and generation == self._generation:
                    if self._condition.wait(IDLE_SECONDS) or self._queue:
                        continue
                    if generation == self._generation:
                        self._idle -= 1
                        self._workers -= 1
                        return
                if generation != self._generation:
                    return
                self._idle -= 1
                call = self._queue.popleft()
                call.started = self._clock.monotonic()
            self._run(call)
            if call.overdue or generation != self._generation:
                return

    def _run(self, call: Call) -> None:
        try:
            call.function()
        except BaseException as error:  # noqa: BLE001 - the application's own function
            call.error = f"{type(error).__name__}: {error}"
        with self._condition:
            call.finished = self._clock.monotonic()
            if self._calls.get(call.key) is call:
                del self._calls[call.key]
            self._condition.notify_all()
