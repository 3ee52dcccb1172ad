"""Hold CPU without any permission: fewer processors, fewer threads. Both end with the program.

A program may set its affinity anew, and an environment is only what libraries make of it: so
this holds as many whole cores as a limit comes to, and only programs that do not mind.

Interfaces: sched_setaffinity(2); the variables are those of OpenMP, OpenBLAS, MKL, numexpr.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

from amptalk.model.errors import ActionError

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def narrow(pid: int, cores: float) -> int | None:
    """Let a process that has not begun use the least whole number of `cores`; returns it.

    `None` when that is all it has anyway. Raises `ActionError`.
    """
    allowed = sorted(os.sched_getaffinity(pid))
    count = max(1, math.ceil(cores - 1e-9))
    if count >= len(allowed):
        return None
    first = pid % len(allowed)  # so that several programs do not crowd on the first processors
    chosen = {allowed[(first + place) % len(allowed)] for place in range(count)}
    try:
        os.sched_setaffinity(pid, chosen)
        got = os.sched_getaffinity(pid)
    except OSError as error:
        raise ActionError(f"affinity of process {pid} cannot be set: {error.strerror}") from None
    if got != chosen:
        raise ActionError(f"affinity of process {pid} is {sorted(got)} after {sorted(chosen)}")
    return count


def thread_counts(environment: Mapping[str, str], cores: float) -> dict[str, str]:
    """Variables that keep libraries from starting more threads than `cores`; set ones stay."""
    count = str(max(1, math.floor(cores + 1e-9)))
    return {name: count for name in THREADS if name not in environment}
