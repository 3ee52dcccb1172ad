"""Hold CPU without any permission: fewer processors, fewer threads. Both end with the program.

A program may set its affinity anew, and an environment is only what libraries make of it: so
this holds as many whole cores as a limit comes to, and only programs that do not mind.

An affinity is a thread's own. Threads and programs that are begun inherit that of the thread which
begins them.

Interfaces: sched_setaffinity(2); the variables are those of OpenMP, OpenBLAS, MKL, numexpr.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Mapping, Set
from contextlib import suppress

from amptalk.model.errors import ActionError

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_ORDINARY = {os.SCHED_OTHER, os.SCHED_BATCH, os.SCHED_IDLE} if hasattr(os, "SCHED_IDLE") else set()


def narrow(pid: int, cores: float) -> int | None:
    """Let a process that has not begun use the least whole number of `cores`; returns it.

    `None` when that is all it has anyway. Raises `ActionError`.
    """
    allowed = os.sched_getaffinity(pid)
    count = max(1, math.ceil(cores - 1e-9))
    if count >= len(allowed):
        return None
    chosen = some_of(allowed, count, pid)
    try:
        os.sched_setaffinity(pid, chosen)
        got = os.sched_getaffinity(pid)
    except OSError as error:
        raise ActionError(f"affinity of process {pid} cannot be set: {error.strerror}") from None
    if got != chosen:
        raise ActionError(f"affinity of process {pid} is {sorted(got)} after {sorted(chosen)}")
    return count


def some_of(allowed: Collection[int], count: int, pid: int) -> set[int]:
    """So many of the processors, of each program others: they must not crowd on the first ones.

    >>> some_of({0, 1, 2, 3}, 2, 4711)
    {0, 3}
    """
    every = sorted(allowed)
    return {every[(pid + place) % len(every)] for place in range(min(count, len(every)))}


def threads_on(threads: Iterable[int], processors: Set[int]) -> list[int]:
    """Those of the threads that may use exactly these processors.

    Left out are those of real time, whose place is their program's, and those that have ended.
    """
    found = []
    for thread in threads:
        with suppress(OSError):
            policy = os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK
            if policy in _ORDINARY and os.sched_getaffinity(thread) == processors:
                found.append(thread)
    return found


def move_threads(threads: Iterable[int], source: Set[int], target: Set[int]) -> int:
    """Let those that may use exactly `source` use `target`, read back; returns how many do now.

    Raises `ActionError` for those that cannot be moved, with all others moved.
    """
    moved, refused = 0, []
    for thread in threads_on(threads, source):
        try:
            os.sched_setaffinity(thread, target)
            got = os.sched_getaffinity(thread)
        except ProcessLookupError:
            continue
        except OSError as error:
            refused.append(f"thread {thread}: {error.strerror}")
            continue
        if got == target:
            moved += 1
        else:
            refused.append(f"thread {thread} is on {sorted(got)} after {sorted(target)}")
    if refused:
        raise ActionError(f"{len(refused)} threads cannot be moved: {refused[0]}")
    return moved


def thread_counts(environment: Mapping[str, str], cores: float) -> dict[str, str]:
    """Variables that keep libraries from starting more threads than `cores`; set ones stay."""
    count = str(max(1, math.floor(cores + 1e-9)))
    return {name: count for name in THREADS if name not in environment}
