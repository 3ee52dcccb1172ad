"""A gate of admission, and threads that hold it meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from amptalk.actuators.admission import AdmissionGate
from amptalk.clock import SystemClock
from amptalk.model.level import Level
from amptalk.model.resource import CPU, MEMORY
from tests.actuators.support import decision, state

CLOCK = SystemClock()


def made(*, enabled: bool = True) -> AdmissionGate:
    return AdmissionGate(CLOCK, ((MEMORY, 1000.0), (CPU, 100.0)), enabled=enabled)


def tick(
    gate: AdmissionGate, memory: float = 100.0, level: Level = Level.NORMAL, **shares: float
) -> None:
    limits = (state(memory, level), state(50.0, resource=CPU, limit=100.0))
    gate.update(limits, decision(**shares))


class Holder:
    """A thread that holds an admission until told to let go."""

    def __init__(
        self,
        gate: AdmissionGate,
        *,
        job: str | None = None,
        memory_mb: float | None = None,
        timeout: float | None = None,
    ) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self._admit = partial(gate.admit, job, memory_mb=memory_mb, timeout=timeout)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            with self._admit():
                self.entered.set()
                self.go.wait(20)
        except Exception as error:
            self.error = error

    def leave(self) -> None:
        self.go.set()
        self.thread.join(20)
        assert not self.thread.is_alive()


@contextmanager
def holding(gate: AdmissionGate, memory_mb: float) -> Iterator[None]:
    """Somebody else holds an admission meanwhile."""
    holder = Holder(gate, memory_mb=memory_mb)
    assert holder.entered.wait(20)
    yield
    holder.leave()


class Hold(Protocol):
    """Starts a holder that lets go at the end of the test."""

    def __call__(self, *, memory_mb: float | None = None) -> Holder: ...


def waiting(gate: AdmissionGate) -> int:
    return sum(request.wake is not None for request in gate.room._queue._waiting)
