"""Threads of pools that cannot be resized: on fewer processors, while the CPU limit calls for it.

ONNX Runtime, TensorFlow Lite, Polars and the like take the number of their threads once, and OpenMP
keeps that of a thread that has computed. These threads are no threads of Python, and that is how
they are told from others: threads of Python are left where they are, so a program that is started
inherits nothing, what is computed without a pool is not touched, and the loop stays free to move.

The calling thread computes beside its pool. So for a limit of n cores the pool has n - 1.

A pool of OpenMP that waits by spinning must not be moved: its threads keep the processor from those
that they wait for. What one thread computes in 5 µs took two threads of libgomp 8 ms of one
processor, and 18 µs with `OMP_WAIT_POLICY=passive`. So with such a library it is not used.

Nothing outlives the process. Not told from a pool: threads that are begun by `_thread` alone.
"""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress

from amptalk.actuators.computing_threads import threads_of
from amptalk.actuators.contract import Actuator
from amptalk.actuators.kernel.affinity import move_threads, some_of, threads_on
from amptalk.clock import Clock
from amptalk.model.errors import ActionError
from amptalk.model.level import Level
from amptalk.sensors.files import listing
from amptalk.sensors.libraries import loaded_libraries
from amptalk.sensors.roots import Roots

LOOKED_AT = 5.0
"""Seconds between looks for threads that may be moved: each asks the kernel 7 µs a thread."""
_ROUNDS = 5
"""Looks until no thread is found that has begun meanwhile."""
_OPENMP = re.compile(r"lib(gomp|iomp5|omp)[-.\w]*\.so[.\w]*")
_PASSIVE = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}


class ThreadAffinity(Actuator):
    """Have threads of pools use fewer processors.

    `cores` is what 100 % of the limit are, `percent` the limit.
    """

    name = "thread_affinity"
    resource = "cpu"
    level = Level.CRITICAL
    cost = 0.2
    latency = 1.0
    can_hold = False
    takes_again = True

    def __init__(
        self, clock: Clock, cores: Callable[[], float], percent: float, roots: Roots | None = None
    ) -> None:
        self._clock = clock
        self._cores = cores
        self._percent = percent
        self._roots = Roots() if roots is None else roots
        self._whole: Set[int] = frozenset()
        """The process's own processors when threads were moved; empty while none are."""
        self._ours: Set[int] = frozenset()
        self._why = ""
        """Why it is never to be used."""
        self._why_not: str | None = None
        self._look_at = -math.inf

    def available(self) -> str | None:
        """Return why it cannot be used now, as of a look at the threads within the last 5 s."""
        now = self._clock.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOKED_AT
            self._why_not = self._why or self._look()
        return self._why_not

    def _look(self) -> str | None:
        try:
            whole, ours = self._place()
        except ActionError as error:
            return str(error)
        if threads_on(self._pools(), whole):
            return None
        return f"no thread of a pool may use more than {len(ours)} processors"

    def apply(self, need: float) -> None:  # noqa: ARG002 - the limit says how many fit
        """Move the threads of pools there are now. Raises `ActionError` and `SensorFault`."""
        self._why = spinning(loaded_libraries(self._roots), os.environ)
        self._look_at = -math.inf
        if self._why:
            raise ActionError(self._why)
        self._whole, self._ours = whole, ours = self._place()
        moved = 0
        try:
            for _ in range(_ROUNDS):
                more = move_threads(self._pools(), whole, ours)
                moved += more
                if not more:
                    break
        except ActionError:
            with suppress(ActionError):  # it is tried again once the level is normal
                self.undo()
            raise
        self.detail = f"{moved} threads of pools on {len(ours)} of {len(whole)} processors"

    def undo(self) -> None:
        """Put back the threads that are where we have put them. Raises `ActionError`."""
        whole, ours = self._whole, self._ours
        if not whole:
            return
        move_threads(self._threads(), ours, whole)
        self._whole = self._ours = frozenset()
        self._look_at = -math.inf

    def _place(self) -> tuple[Set[int], Set[int]]:
        """The process's processors, and those for its pools. Raises `ActionError`."""
        if self._whole:
            return self._whole, self._ours
        if not hasattr(os, "sched_setaffinity"):
            raise ActionError("this system has no affinity of threads")
        cores = self._cores()
        if math.isnan(cores):
            raise ActionError("how many cores the limit is a share of is not known")
        whole = os.sched_getaffinity(os.getpid())
        count = max(1, threads_of(cores, self._percent) - 1)
        if count >= len(whole):
            raise ActionError(f"pools may have {count} processors, and there are {len(whole)}")
        return whole, some_of(whole, count, os.getpid())

    def _threads(self) -> list[int]:
        return [int(name) for name in listing(f"{self._roots.proc}/self/task")]

    def _pools(self) -> list[int]:
        """Threads that Python does not know."""
        known = {one.native_id for one in threading.enumerate()} | {os.getpid()}
        return [one for one in self._threads() if one not in known]


def spinning(libraries: Iterable[str], environment: Mapping[str, str]) -> str:
    """Why threads must not be moved beside an OpenMP library that waits by spinning, else empty."""
    if any(environment.get(name, "").lower() == text for name, text in _PASSIVE.items()):
        return ""
    for name in libraries:
        if _OPENMP.fullmatch(name):
            return (
                f"threads of {name} would keep the processor from those that they wait for: start "
                "the program with OMP_WAIT_POLICY=passive"
            )
    return ""
