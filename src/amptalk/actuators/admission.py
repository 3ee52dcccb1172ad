"""Admission: work asks before it starts, and waits until it fits.

`with gate.admit("transcribe", memory_mb=300):`, or `async with`. The rules are in
`admission_queue`, the waiting in `waiting`, what named jobs cost in `jobs`, what admitted work
will still take in `admission_demand`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from amptalk.actuators.admission_demand import Work, of_running, of_waiting
from amptalk.actuators.admission_permit import Admission, sizes_of
from amptalk.actuators.admission_request import Larger, Request, Status
from amptalk.actuators.amounts import amount, amounts, label
from amptalk.actuators.jobs.ledger import Jobs
from amptalk.actuators.waiting import WaitingRoom, holder
from amptalk.model.errors import (
    AdmissionError,
    AdmissionTimeoutError,
    NestedAdmissionError,
    NeverFitsError,
)

if TYPE_CHECKING:
    import threading

    from amptalk.clock import Clock
    from amptalk.model.announcement import Announcement
    from amptalk.model.decision import Decision
    from amptalk.model.level import LimitState
    from amptalk.model.resource import Resource

_REASONS: dict[type[AdmissionError], str] = {
    NeverFitsError: "never_fits",
    AdmissionTimeoutError: "timeout",
    NestedAdmissionError: "nested",
}


class AdmissionCounts(NamedTuple):
    """What the gate did so far."""

    admitted: int
    waited: int
    """Of those admitted, how many had to wait."""
    refused: int
    """Never fitting, timed out or nested."""
    seconds_waited: float
    """By those that were admitted."""


class AdmissionGate:
    """Lets work start when it fits its limits. Thread-safe; one for each manager.

    With `enabled` false everything passes at once, and is still learned from. Before
    the first tick and after `release` only the amounts are held against the limits.
    `on_admit(resource, amount)` is told of all that is admitted.
    """

    def __init__(
        self,
        clock: Clock,
        limits: Sequence[tuple[Resource, float]],
        jobs: Jobs | None = None,
        *,
        enabled: bool = True,
        on_admit: Callable[[str, float], None] | None = None,
        on_refuse: Callable[[str], None] | None = None,
    ) -> None:
        self._on_refuse = on_refuse
        self._enabled = enabled
        self._on_admit = on_admit
        self._jobs = Jobs(clock) if jobs is None else jobs
        self.room = WaitingRoom(clock, limits, self._jobs.held)
        """Who waits and runs; tells what is committed, and how far work had to shrink."""
        self._holders: dict[object, Request] = {}
        self._frozen = False
        self._warned = False
        self._admitted = self._waited = self._refused = 0
        self._seconds_waited = 0.0

    def admit(
        self,
        job: str | None = None,
        *,
        size: float | tuple[float, float] | list[float] | None = None,
        memory_mb: float | None = None,
        gpu_memory_mb: float | None = None,
        cpu_percent: float | None = None,
        timeout: float | None = None,
    ) -> Admission:
        """Return a context manager that waits until the work may start.

        Amounts are what the work takes at most, in MB and percent of the effective
        capacity. What is left out is filled in with what the named `job` was seen to
        take, at its `size` when that is declared (any number above 0 that grows with the
        work, such as seconds of audio). Work of which nothing is known is admitted by level and,
        beside other work, while no more than the critical line of the limit is committed.
        `size=(least, most)` is work that can be done in any whole size between, such as a
        batch of so many, and `size=[2.5, 4.0, 7.2]` work of any of these sizes, such as the
        seconds of the first, the first two, the first three recordings that wait:
        `admitted.size` is the largest for which there is room, and the least
        until it is known what the job takes. `timeout` is in seconds.

        Raises `ConfigurationError` for amounts out of range and
        `NeverFitsError` for more than the limit, both at once; entering raises
        `AdmissionTimeoutError`, and `NestedAdmissionError` where the same thread or task
        holds one already (that includes work handed to another thread and waited for: it
        is not seen here).
        """
        if job is not None:
            label(job, "a job")
        asked = amounts(memory_mb=memory_mb, gpu_memory_mb=gpu_memory_mb, cpu_percent=cpu_percent)
        sizes = sizes_of(size, job, asked)
        checked = None if timeout is None else amount("timeout", timeout)
        if self._enabled and not self._frozen:
            try:
                self.room.check_fits(asked)
            except NeverFitsError as error:
                self._refuse(error)
                raise
        return Admission(self, job, sizes, asked, checked)

    @property
    def counts(self) -> AdmissionCounts:
        """What the gate did so far."""
        return AdmissionCounts(self._admitted, self._waited, self._refused, self._seconds_waited)

    @property
    def used(self) -> bool:
        """Whether any work ever asked for admission."""
        return bool(self._admitted or self._refused or self.room.busy)

    @property
    def busy(self) -> bool:
        """Whether any work runs or waits."""
        return self.room.busy

    # -- for the tick ---------------------------------------------------------------

    def demand(self) -> tuple[list[Announcement], dict[str, float]]:
        """What admitted work will still take, and the amounts of all that waits by resource.

        Work that waits consumes its announcement only when it starts: until then those amounts
        are of the announced ones.
        """
        view, progress = self.room.view(), self._jobs.progress()
        running = []
        for request in view.running:
            if request in progress:
                course, made = progress[request]
                left = course.seconds - made.seconds
                # One that lasts longer than any before may last as long again.
                seconds = left if left > 0.0 else made.seconds
                running.append(Work(course.expected, made.taken, request.amounts, seconds))
        waiting = []
        asked: dict[str, float] = {}
        for request in view.waiting:
            course = self._jobs.course(request.job, request.size, request.amounts)
            waiting.append(Work(course.expected, {}, request.amounts, course.seconds))
            for resource, value in request.amounts.items():
                asked[resource] = asked.get(resource, 0.0) + value
        return of_running(running) + of_waiting(waiting, running, view.room, view.rest), asked

    def update(self, limits: tuple[LimitState, ...], decision: Decision | None) -> None:
        """Take a tick's limits and decision, and let in whoever fits now."""
        if not self._frozen:
            self.room.update(limits, decision)

    def release(self) -> None:
        """Nothing measures any more: hold only the amounts against the limits."""
        if not self._frozen:
            self.room.forget()

    def freeze(self) -> None:
        """Let everything pass in a forked child, with one warning."""
        self._frozen = True

    # -- for Admission ----------------------------------------------------------------

    def begin(
        self, job: str | None, sizes: tuple[float, ...], amounts: dict[str, float]
    ) -> Request:
        """Queue one piece of work of one of `sizes`, the least first.

        Its status says whether it runs already, its size which one it was given.
        """
        if self._frozen:
            return self._pass_frozen(sizes[-1])
        size = sizes[0] if self._enabled else sizes[-1]
        learned = self._jobs.reserves(job, size) if job is not None else {}
        unsaid = frozenset(learned.keys() - amounts)
        larger = None
        if job is not None and len(sizes) > 1 and learned and self._enabled:
            larger = Larger(sizes[1:], partial(self._jobs.reserves, job))
        request = Request(job, {**learned, **amounts}, unsaid, size, larger)
        if self._enabled:
            self._hold(request)
        self.room.enter(request, forced=not self._enabled)
        if request.status is Status.RUNNING:
            self._count(request, 0.0)
        return request

    def wait(self, request: Request, timeout: float | None) -> None:
        """Block the calling thread until the request runs; raises when it never will."""
        try:
            self._count(request, self.room.wait(request, timeout))
        except BaseException as error:
            self._give_up(request, error)
            raise

    async def wait_async(self, request: Request, timeout: float | None) -> None:
        """Suspend the calling task until the request runs; raises when it never will."""
        try:
            self._count(request, await self.room.wait_async(request, timeout))
        except BaseException as error:
            self._give_up(request, error)
            raise

    def end(self, request: Request) -> None:
        """Take back what a request held and let in whoever fits now."""
        if self._frozen:
            return
        if request.status is Status.RUNNING:
            self._jobs.end(request)
        self._let_go(request)
        self.room.leave(request)

    # -- inside -------------------------------------------------------------------------

    @property
    def _lock(self) -> threading.RLock:
        return self.room.lock

    def _hold(self, request: Request) -> None:
        """Note whose request this is; raises when its thread or task holds one already."""
        request.loop, request.key = holder()
        with self._lock:
            if request.key not in self._holders:
                self._holders[request.key] = request
                return
        error = NestedAdmissionError(
            "this thread or task holds an admission already and might wait for itself: ask "
            "once, for the whole amount, or leave the first before asking again"
        )
        self._refuse(error)
        raise error

    def _let_go(self, request: Request) -> None:
        with self._lock:
            if self._holders.get(request.key) is request:
                del self._holders[request.key]

    def _give_up(self, request: Request, error: BaseException) -> None:
        """Take out a request whose owner does not wait any more; nothing is learned of it."""
        self._let_go(request)
        self.room.leave(request)
        if isinstance(error, AdmissionError):
            self._refuse(error)

    def _refuse(self, error: AdmissionError) -> None:
        """Count a refusal and tell of it, by a word for its kind."""
        with self._lock:
            self._refused += 1
        if self._on_refuse is not None:
            self._on_refuse(_REASONS.get(type(error), "other"))

    def _count(self, request: Request, seconds: float) -> None:
        """Count a request that runs now, and begin to measure it."""
        self._jobs.begin(request, request.job, request.size, request.amounts)
        self.room.begun(request)
        with self._lock:
            self._admitted += 1
            if request.waited:
                self._waited += 1
                self._seconds_waited += seconds
        if self._on_admit is not None:
            for resource, value in request.amounts.items():
                self._on_admit(resource, value)

    def _pass_frozen(self, size: float) -> Request:
        if not self._warned:
            self._warned = True
            warnings.warn(
                "admission passes everything: this process was forked from the one that "
                "manages resources; create a manager here",
                RuntimeWarning,
                stacklevel=4,
            )
        request = Request(None, {}, size=size)
        request.status = Status.RUNNING
        return request
