"""An admission queue made by hand, on data alone: what is measured, asked for and flexible."""

from __future__ import annotations

from collections.abc import Mapping

from amptalk.actuators.admission_queue import AdmissionQueue
from amptalk.actuators.admission_request import Larger, Request, Status
from amptalk.actuators.jobs.watch import Held
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import CPU, GPU_MEMORY, MEMORY
from tests.actuators.support import state

LIMITS = ((MEMORY, 1000.0), (GPU_MEMORY, 500.0), (CPU, 80.0))


def judged(
    measured: Mapping[str, float], level: Level = Level.NORMAL, fresh: bool = True
) -> tuple[LimitState, ...]:
    by_name = {resource.name: (resource, limit) for resource, limit in LIMITS}
    return tuple(
        state(value, level, resource=by_name[name][0], limit=by_name[name][1], fresh=fresh)
        for name, value in measured.items()
    )


def queue(**measured: float) -> AdmissionQueue:
    made = AdmissionQueue(LIMITS)
    made.update(judged(measured), 1.0)
    return made


def see(
    made: AdmissionQueue,
    now: float = 0.0,
    pace: float = 1.0,
    level: Level = Level.NORMAL,
    fresh: bool = True,
    **measured: float,
) -> None:
    made.update(judged(measured, level, fresh), pace)


def ask(
    made: AdmissionQueue, now: float = 0.0, job: str | None = None, **amounts: float
) -> Request:
    request = Request(job, amounts)
    made.enter(request)
    made.advance(now)
    return request


def running(*requests: Request) -> list[bool]:
    return [request.status is Status.RUNNING for request in requests]


def own(amount: float, climbed: float = 0.0) -> dict[str, Held]:
    return {"memory": Held(amount, climbed)}


def read(amount: float, *sampled: float) -> dict[str, Held]:
    return {"memory": Held(amount, 500.0, sampled)}


def flexible(made: AdmissionQueue, *, known: bool = True, now: float = 0.0) -> Request:
    """Work of size 1 to 4 that takes 100 MB for each."""
    amounts = {size: {"memory": 100.0 * size} if known else {} for size in range(1, 5)}
    larger = Larger((2.0, 3.0, 4.0), lambda size: amounts[int(size)])
    request = Request("batch", amounts[1], frozenset({"memory"}), 1.0, larger if known else None)
    made.enter(request)
    made.advance(now)
    return request
