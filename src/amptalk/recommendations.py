"""`manager.recommendations()`: follows what is used, and says which limits would suit it.

Every ten seconds, when a bucket of the history closes, its peak and mean are taken; in between a
tick pays for one comparison. The rules are in `limits.recommendation`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from amptalk.history.history import History
from amptalk.limits.limits import RESOURCES, ResourceLimits
from amptalk.limits.usage import Usage
from amptalk.model.resource import GPU_MEMORY, MEMORY, Resource
from amptalk.model.signal import Description

if TYPE_CHECKING:
    from amptalk.limits.recommendation import Recommendation


class Known(NamedTuple):
    """Where recommendations look."""

    history: History
    limits: ResourceLimits
    held_back: Callable[[str], float]
    """Seconds of full work that were held back for a resource, by its name."""
    memory_mb: Callable[[], float]
    """What memory can be used at most."""
    signals: Callable[[], Mapping[str, Description]]


class _Subject(NamedTuple):
    """One resource that something can be recommended for."""

    resource: Resource
    argument: str
    present: float | None
    largest: float


class Recommendations:
    """What a manager has learned of the use of each resource. Thread-safe."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._usages: dict[str, Usage] = {}
        self._next = 0
        self._lock = threading.Lock()

    def follow(self, _tick: object = None) -> None:
        """Take what the history has closed since the last call; waits for nobody."""
        if self._known.history.closed == self._next or not self._lock.acquire(blocking=False):
            return
        try:
            self._take()
        finally:
            self._lock.release()

    def __call__(self) -> tuple[Recommendation, ...]:
        """Limits and reservations to set, for each resource that ever had a value.

        By the decayed percentiles of what was seen since this manager was made, the last day
        counting half. Below ten minutes of values there is no limit, and the reason says so.
        """
        from amptalk.limits.recommendation import Circumstances, recommend

        known = self._known
        latest = known.history.latest
        if latest is None:
            return ()
        with self._lock:
            if known.history.closed != self._next:
                self._take()
            return tuple([
                recommend(
                    subject.resource, usage, latest.monotonic,
                    Circumstances(
                        subject.argument, subject.present, self._most(subject),
                        known.held_back(subject.resource.name),
                    ),
                )
                for subject in self._subjects()
                if (usage := self._usages.get(subject.resource.field)) is not None
            ])  # fmt: skip

    def forked(self) -> None:
        """Renew the lock in a fork's child: a thread of the parent may have held it."""
        self._lock = threading.Lock()

    def _take(self) -> None:
        history, first = self._known.history, self._next
        self._next = history.closed
        seconds = history.closed_seconds
        for subject in self._subjects():
            resource = subject.resource
            for bucket in history.closed_buckets(resource.field, first):
                usage = self._usages.get(resource.field)
                if usage is None:
                    usage = self._usages[resource.field] = Usage()
                peak = bucket.low if resource.minimum else bucket.high
                usage.add(bucket.number * seconds, peak, bucket.mean)

    def _subjects(self) -> Iterator[_Subject]:
        limits = zip(RESOURCES.items(), self._known.limits, strict=True)
        for (argument, (resource, largest)), present in limits:
            yield _Subject(resource, argument, present, largest)
        for described in self._known.signals().values():
            if described.name in self._known.history.columns.index:
                argument = "minimum" if described.minimum else "limit"
                yield _Subject(described.resource, argument, described.limit, math.inf)

    def _most(self, subject: _Subject) -> float:
        """What can be had at most of a resource."""
        most = subject.largest
        if subject.resource == MEMORY:
            most = self._known.memory_mb()
        elif subject.resource == GPU_MEMORY:
            latest = self._known.history.latest
            most = math.nan if latest is None else latest["device.gpu_memory_total_mb"]
        return math.inf if math.isnan(most) else most
