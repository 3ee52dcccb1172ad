"""The waiting of admission: threads and asyncio tasks in front of one queue.

The rules of the queue are in `admission_queue`; what is told to the application and
learned of its jobs is in `admission`. Whoever waits is woken when it may start, and
the head of the queue looks by itself when its rest is over. A waiter that gives up
(time-out, cancellation, an interrupt, a closed event loop) leaves no gap.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from amptalk.actuators.admission_queue import AdmissionQueue
from amptalk.actuators.admission_request import Request, Shrunk, Status, View
from amptalk.actuators.jobs.watch import Held
from amptalk.actuators.verdicts import NEVER_MEASURED, Measurement
from amptalk.model.errors import AdmissionTimeoutError, NestedAdmissionError, NeverFitsError

if TYPE_CHECKING:
    from amptalk.clock import Clock
    from amptalk.model.decision import Decision
    from amptalk.model.level import LimitState
    from amptalk.model.resource import Resource

LONGEST_PAUSE = 3600.0
"""Seconds after which whoever waits looks again by itself."""
SHORTEST_PAUSE = 1e-4


class WaitingRoom:
    """A queue that threads and tasks wait in. Thread-safe; the waits use the given clock."""

    def __init__(
        self,
        clock: Clock,
        limits: Sequence[tuple[Resource, float]],
        held: Callable[[], Mapping[str, Held]],
    ) -> None:
        self._clock = clock
        self._held = held
        """What the application holds by resource, as last read. Asked with the lock held, so that
        what is older never comes after what is newer."""
        self._queue = AdmissionQueue(limits)
        self._tick: tuple[tuple[LimitState, ...], Decision | None] | None = None
        self.lock = threading.RLock()
        """Held for every look at the queue, and for the gate's own books. Reentrant: an abandoned
        coroutine may be closed by the garbage collector on a thread that holds it."""

    @property
    def busy(self) -> bool:
        """True while anything runs or waits."""
        return self._queue.busy

    def update(self, limits: tuple[LimitState, ...], decision: Decision | None) -> None:
        """Take a tick. With nobody here it is only kept until somebody comes."""
        self._tick = (limits, decision)
        if self._queue.busy:
            self.advance()

    def view(self) -> View:
        """What runs, what waits and what is left."""
        with self.lock:
            self._absorb()
            return self._queue.view(self._clock.monotonic())

    def committed(self, resource: str) -> float:
        """What running work needs of a held resource at the least; see `AdmissionQueue`."""
        with self.lock:
            self._absorb()
            return self._queue.committed(resource, self._clock.monotonic())

    def declared_at(self, resource: str) -> float:
        """When work began last that said itself what it takes of a resource; -inf for never."""
        return self._queue.declared_at.get(resource, -math.inf)

    def shrunk(self, resource: str) -> Shrunk:
        """How far work of flexible size had to be smaller lately than it wanted to be."""
        with self.lock:
            return self._queue.flexible.shrunk(resource, self._clock.monotonic())

    def beside(self, resource: str) -> Measurement:
        """What is used beside work that runs by known amounts, or ran just now; else `nan`."""
        with self.lock:
            if math.isnan(self.committed(resource)):
                return NEVER_MEASURED
            return self._queue.beside(resource)

    def forget(self) -> None:
        """Nothing measures any more; let in whoever fits by amounts alone."""
        with self.lock:
            self._tick = None
            self._queue.forget()
        self.advance()

    def enter(self, request: Request, *, forced: bool = False) -> None:
        """Queue a request and start it when it may; `forced` starts it in any case."""
        with self.lock:
            self._absorb()
            now = self._clock.monotonic()
            if forced:
                self._queue.start(request, now)
                return
            self._queue.enter(request)
            started = self._queue.advance(now)
        self._wake(other for other in started if other is not request)

    def begun(self, request: Request) -> None:
        """A request begins to take what it was admitted with."""
        with self.lock:
            self._queue.begun(request, self._held())

    def leave(self, request: Request) -> float:
        """Take a request out, wherever it stands; returns the seconds that it ran."""
        with self.lock:
            self._absorb()
            seconds = self._queue.leave(request, self._clock.monotonic(), self._held())
        self.advance()
        return seconds

    def advance(self) -> None:
        """Let in whoever may start now, and have the next one look at its rest."""
        with self.lock:
            self._absorb()
            now = self._clock.monotonic()
            woken = self._queue.advance(now)
            head = self._queue.head
            if head is not None and (woken or self._queue.ready_at(now) < math.inf):
                woken.append(head)
        self._wake(woken)

    def check_fits(self, amounts: dict[str, float]) -> None:
        """Raise `NeverFitsError` for an amount that is larger than its limit."""
        excess = self._queue.excess(amounts)
        if excess is not None:
            resource, asked, limit, unit = excess
            raise NeverFitsError(
                f"{asked:g} {unit} of {resource} is more than the limit of {limit:g} {unit}, so "
                "waiting cannot help: ask for less, split the work or raise the limit"
            )

    def wait(self, request: Request, timeout: float | None) -> float:
        """Block the calling thread until the request runs; returns the seconds waited.

        Raises `AdmissionTimeoutError`, `NeverFitsError` when the limit was lowered
        below the amount, and `NestedAdmissionError` when it would wait for itself.
        """
        began = self._clock.monotonic()
        self._refuse_deadlock(request)
        event = threading.Event()
        while True:
            event.clear()
            pause = self._pause(request, event.set, began, timeout)
            if pause <= 0:
                return self._clock.monotonic() - began
            event.wait(pause)
            self.advance()

    async def wait_async(self, request: Request, timeout: float | None) -> float:
        """Suspend the calling task until the request runs; otherwise like `wait`."""
        import asyncio

        loop = asyncio.get_running_loop()
        began = self._clock.monotonic()
        while True:
            future: asyncio.Future[None] = loop.create_future()

            def wake(future: asyncio.Future[None] = future) -> None:
                loop.call_soon_threadsafe(_resolve, future)

            pause = self._pause(request, wake, began, timeout)
            if pause <= 0:
                return self._clock.monotonic() - began
            await asyncio.wait([future], timeout=pause)
            self.advance()

    def _pause(
        self, request: Request, wake: Callable[[], None], began: float, timeout: float | None
    ) -> float:
        """Seconds to wait before looking again, 0 when it runs; raises when it never will."""
        with self.lock:
            if request.status is Status.RUNNING:
                return 0.0
            now = self._clock.monotonic()
            left = math.inf if timeout is None else began + timeout - now
            if request.status is Status.WAITING and left > 0:
                request.waited = True
                request.wake = wake
                head = request is self._queue.head
                ready = self._queue.ready_at(now) - now if head else math.inf
                return max(SHORTEST_PAUSE, min(left, ready, LONGEST_PAUSE))
            why = self._queue.obstacle(request, now)
        if request.status is Status.REFUSED:
            self.check_fits(request.amounts)
        raise AdmissionTimeoutError(
            f"not admitted within timeout={timeout} s: {why or 'it would fit just now'}; "
            "wait longer, ask for less or try again later"
        )

    def _absorb(self) -> None:
        """Take the newest tick into the queue; the lock is held."""
        if self._tick is None:
            return
        (limits, decision), self._tick = self._tick, None
        pace = 1.0
        if decision is not None and decision.allocations:
            paced = {s.resource.name for s in limits if s.resource.kind != "hold"}
            pace = min((a.share for a in decision.allocations if a.resource in paced), default=1.0)
        self._queue.update(limits, pace, self._held())

    def _wake(self, requests: Iterable[Request]) -> None:
        for request in requests:
            if request.wake is None:
                continue
            try:
                request.wake()
            except RuntimeError:  # its event loop was closed: nobody waits there any more
                request.wake = None
                self.leave(request)

    def _refuse_deadlock(self, request: Request) -> None:
        """Raise when blocking would stop the event loop that others need in order to leave."""
        if request.loop is None:
            return
        with self.lock:
            stuck = any(
                other.loop is request.loop and other is not request
                for other in self._queue.members()
            )
        if stuck:
            raise NestedAdmissionError(
                "waiting here would stop the event loop while another of its tasks holds or "
                "awaits an admission: use `async with` in asynchronous code"
            )


def holder() -> tuple[object, object]:
    """Return the running event loop, if any, and whom an admission taken here belongs to."""
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is not None and hasattr(asyncio, "current_task"):  # not half imported
        loop = asyncio._get_running_loop()
        if loop is not None:
            return loop, asyncio.current_task() or threading.get_ident()
    return None, threading.get_ident()


def _resolve(future: Any) -> None:
    if not future.done():
        future.set_result(None)
