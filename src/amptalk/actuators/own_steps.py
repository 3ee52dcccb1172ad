"""Steps in this process that need nothing of the application but that a limit is set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from amptalk.actuators.computing_threads import ThreadCount
from amptalk.actuators.contract import Actuator
from amptalk.actuators.memory import MemoryTrim
from amptalk.actuators.thread_affinity import ThreadAffinity
from amptalk.actuators.torch_memory import TorchCache, TorchFraction
from amptalk.clock import Clock
from amptalk.model.resource import Resource


def own_steps(
    clock: Clock,
    limits: Sequence[tuple[Resource, float]],
    *,
    enforced: bool,
    own_memory_mb: Callable[[], float],
    cores: Callable[[], float],
    value_of: Callable[[str], float],
) -> Iterator[Actuator]:
    """Steps for each limit. `enforced`: also those that may make the application fail.

    `value_of` gives what was measured last of a limited resource, `nan` when nothing was.
    """
    for resource, limit in limits:
        if resource.name == MemoryTrim.resource:
            yield MemoryTrim(clock, own_memory_mb)
        elif resource.name == ThreadCount.resource:
            yield ThreadCount(cores, limit)
            yield ThreadAffinity(clock, cores, limit)
        elif resource.name == TorchCache.resource:
            yield TorchCache(clock)
            if enforced:
                yield TorchFraction(limit, lambda: value_of(TorchFraction.resource))
