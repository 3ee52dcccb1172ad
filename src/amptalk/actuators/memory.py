"""Give memory that Python and the C library hold without need back to the system.

`gc.collect` frees unreachable cycles, `malloc_trim(0)` returns free heap pages to
the kernel (glibc keeps them otherwise: the resident set of a process hardly falls
by collecting alone). It drops nothing that the application still refers to.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable

from amptalk.actuators.contract import Actuator
from amptalk.clock import Clock
from amptalk.model.level import Level

SHORTEST_PAUSE = 30.0
"""Seconds between two trims at least."""
GREATEST_SHARE = 0.01
"""Of the time at most may be spent trimming, since a collection holds the interpreter's lock."""


def _find_trim() -> tuple[Callable[[int], int] | None, str]:
    """Return `malloc_trim`, or `None` with the reason why it is of no use here."""
    import ctypes

    library = ctypes.CDLL(None)
    if hasattr(library, "mallctl"):
        return None, "garbage collection only: jemalloc is in use, malloc_trim does not reach it"
    try:
        trim = library.malloc_trim
    except AttributeError:
        return None, "garbage collection only: this C library has no malloc_trim"
    trim.argtypes = [ctypes.c_size_t]
    trim.restype = ctypes.c_int
    return trim, ""


_FREED = 1.0
"""MB of free heap more that make a trim worth it."""


def free_heap_mb() -> float:
    """What glibc's heap holds without need (`mallinfo2`, glibc 2.33 on); `nan` where unknown."""
    import ctypes

    library = ctypes.CDLL(None)
    if hasattr(library, "mallctl") or not hasattr(library, "mallinfo2"):
        return math.nan

    class Mallinfo2(ctypes.Structure):
        _fields_ = tuple((f"field{number}", ctypes.c_size_t) for number in range(10))

    library.mallinfo2.restype = Mallinfo2
    return float(library.mallinfo2().field8) / 2**20  # fordblks: free bytes of all arenas


def give_back_heap(free_before: float) -> None:
    """Return free heap pages to the kernel when there are more than `free_before` MB of them.

    glibc keeps what was freed in small pieces. Nothing is collected, and nothing is done where
    nothing was freed: a step is not to be credited with what others left.
    """
    if free_heap_mb() - free_before >= _FREED:
        trim, _ = _find_trim()
        if trim is not None:
            trim(0)


class MemoryTrim(Actuator):
    """Collect garbage and return free heap pages to the kernel; loses no work.

    Rate-limited: not more often than each 30 s and not more than 1 % of the time by
    its own measured duration.
    """

    name = "memory_trim"
    resource = "memory"
    level = Level.CRITICAL
    can_hold = False
    deadline = 5.0

    def __init__(self, clock: Clock, own_memory_mb: Callable[[], float]) -> None:
        self._clock = clock
        self._own_memory_mb = own_memory_mb
        self._not_before = float("-inf")
        self._trim: Callable[[int], int] | None = None
        self._looked = False

    def available(self) -> str | None:
        """Return how long to wait still, or `None` when it may run."""
        left = self._not_before - self._clock.monotonic()
        return f"ran a short while ago, may run again in {left:.0f} s" if left > 0 else None

    def apply(self, need: float) -> None:  # noqa: ARG002 - a trim gives back all it can
        """Collect, then trim. `detail` says so when the C library cannot trim."""
        if not self._looked:
            self._looked = True
            self._trim, self.detail = _find_trim()
        started = self._clock.monotonic()
        before = self._own_memory_mb()
        gc.collect()
        if self._trim is not None:
            self._trim(0)
        after = self._own_memory_mb()
        # Children allocate and free meanwhile; a trim is only to be credited with its own.
        self.measured = None if math.isnan(before + after) else (before, after)
        ended = self._clock.monotonic()
        self._not_before = ended + max(SHORTEST_PAUSE, (ended - started) / GREATEST_SHARE)
