"""Work of flexible size: how large it starts, and what is committed while it comes and goes."""

from __future__ import annotations

import math

import pytest

from amptalk.actuators.admission_queue import AdmissionQueue
from amptalk.actuators.admission_request import Request
from amptalk.actuators.jobs.watch import Held
from amptalk.actuators.verdicts import Measurement
from amptalk.model.level import Level
from tests.actuators.queues import ask, flexible, own, queue, running, see


@pytest.mark.parametrize(("used", "size"), [(100, 4), (579, 4), (581, 3), (781, 1), (950, 1)])
def test_flexible_work_takes_the_largest_size_that_fits_and_leaves_some_free(
    used: float, size: float
) -> None:
    request = flexible(queue(memory=used))
    assert running(request) == [True]
    assert request.size == size
    assert request.amounts == {"memory": 100.0 * size}


def test_flexible_work_waits_for_its_least_size_and_then_takes_what_there_is() -> None:
    made = queue(memory=300)
    first = ask(made, memory=650)
    request = flexible(made)
    assert running(request) == [False]
    made.leave(first, 1.0)
    made.advance(1.0)
    assert running(request) == [True]
    assert request.size == 4


def test_flexible_work_of_known_cost_is_not_held_back_by_a_level_but_unknown_work_is() -> None:
    made = queue()
    see(made, memory=840, level=Level.EMERGENCY)
    unknown, known = flexible(made, known=False), flexible(made)
    assert running(unknown, known) == [False, True]
    assert known.size == 1


def test_committed_is_the_least_of_each_job_that_runs_or_ran_just_now() -> None:
    made = queue(memory=300)
    assert math.isnan(made.committed("memory", 0.0))
    first = flexible(made)
    made.begun(first, own(300))
    assert made.committed("memory", 0.1) == 300 + 100
    made.leave(first, 0.2, own(300))
    assert made.committed("memory", 0.3) == 300 + 100  # the next batch follows
    second = Request("batch", {"memory": 150.0}, frozenset({"memory"}), 1.5)  # all that waits
    made.enter(second)
    made.advance(0.3)
    assert made.committed("memory", 0.4) == 300 + 150
    made.leave(second, 0.5)
    assert math.isnan(made.committed("memory", 60.0))


def test_flexible_work_that_waits_for_what_was_declared_is_not_committed() -> None:
    made = queue(memory=300)
    batch = flexible(made)
    made.leave(batch, 0.2, own(300))
    ask(made, memory=600)  # the load of a model
    assert made.committed("memory", 0.3) == 300 + 600


def read_at(made: AdmissionQueue, now: float, amount: float, climbed: float) -> Measurement:
    made.read({"memory": Held(amount, climbed, at=now)})
    return made.beside("memory")


def test_what_is_used_beside_work_is_seen_while_the_work_has_taken_nothing() -> None:
    """A job of 400 MB; meanwhile what stays falls by 100 MB."""
    made = queue(memory=300)
    job = ask(made, memory=400)
    made.begun(job, {"memory": Held(300.0, 0.0, at=1.0)})
    assert made.beside("memory") == (300, 1.0)
    assert read_at(made, 2.0, 600, 300).measured_at == 1.0  # the job may have taken 300 MB
    made.leave(job, 3.0, {"memory": Held(200.0, 300.0, at=3.0)})
    assert made.beside("memory") == (200, 3.0)
    assert math.isnan(made.beside("gpu_memory").value)


def test_unknown_work_starts_beside_other_work_while_little_is_committed() -> None:
    made = queue(memory=300)
    known = ask(made, memory=560)
    assert running(known, ask(made)) == [True, False]
    assert running(ask(queue(memory=860))) == [True]  # with nothing beside it
    made = queue(memory=300)
    assert running(ask(made, memory=540), ask(made)) == [True, True]


def test_what_keeps_unknown_work_is_told() -> None:
    made = queue(memory=300)
    ask(made, memory=560)
    waiting = ask(made)
    assert made.obstacle(waiting, 0.0) == (
        "what it takes is not known, and of memory 860 of 1000 MB are taken"
    )


def test_beside_unknown_work_flexible_work_leaves_room_for_it() -> None:
    made = queue(memory=560)
    unknown = ask(made)
    small = flexible(made)
    assert running(unknown, small) == [True, True]
    assert small.size == 2
    made.leave(unknown, 1.0)
    made.leave(small, 1.0)
    assert flexible(made).size == 4


def grown(made: AdmissionQueue, *values: float) -> float:
    """Work of flexible size meets these measurements, half a second apart; what it is given."""
    for place, value in enumerate(values):
        now = 0.5 * place
        see(made, now=now, memory=value)
        request = flexible(made, now=now)
        made.leave(request, now + 0.3)
    return request.size


@pytest.mark.parametrize(
    ("values", "size"),
    [
        ((405, 405, 405, 405, 565), 4),  # a leap is over
        ((405, 445, 485, 525, 565), 3),  # 80 MB/s go on
        ((405, 445, 525, 525, 565), 3),  # and do in larger pieces
        ((565, 565, 565, 565, 565), 4),
    ],
)
def test_growth_goes_on_though_it_comes_in_pieces(values: tuple[float, ...], size: float) -> None:
    assert grown(queue(memory=400), *values) == size


def test_growth_counts_for_as_long_as_a_step_takes_to_help() -> None:
    made = queue(memory=400)
    grown(made, 400, 440, 480, 520, 560)
    assert made.committed("memory", 2.0) == pytest.approx(560 + 100 + 80, abs=1)
