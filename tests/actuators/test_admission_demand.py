"""What admitted work will still take: told once, and only where it is known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.admission_demand import SMALL, Work, of_running, of_waiting
from amptalk.model.announcement import Announcement


def runs(
    expected: float, taken: float, seconds: float = 10.0, reserved: float | None = None
) -> Work:
    held = expected if reserved is None else reserved
    return Work({"memory": expected}, {"memory": taken}, {"memory": held}, seconds)


def waits(expected: float, seconds: float = math.inf) -> Work:
    return Work({"memory": expected}, {}, {"memory": expected}, seconds)


def test_running_work_will_take_what_it_has_not_taken_for_the_rest_of_its_time() -> None:
    assert of_running([runs(300.0, 100.0, 7.0)]) == [Announcement("memory", 200.0, 0.0, 7.0)]


def test_what_was_taken_is_in_the_measured_value_and_not_told_again() -> None:
    assert of_running([runs(300.0, 300.0), runs(300.0, 290.0), runs(300.0, 500.0)]) == []


def test_of_work_that_was_never_measured_nothing_is_known() -> None:
    assert of_running([runs(300.0, math.nan)]) == []
    assert of_running([Work({"gpu_memory": 300.0}, {}, {}, 5.0)]) == []


def test_work_that_waits_takes_at_its_begin_what_the_one_before_it_has_not_left_it() -> None:
    running = [runs(400.0, 250.0, 4.0)]
    assert of_waiting([waits(600.0, 9.0)], running, {"memory": 300.0}, 0.0) == [
        Announcement("memory", 350.0, 4.0, 9.0)
    ]


def test_work_that_only_rests_begins_when_the_rest_is_over() -> None:
    assert of_waiting([waits(200.0)], [], {"memory": 300.0}, 2.5) == [
        Announcement("memory", 200.0, 2.5, math.inf)
    ]


def test_those_that_wait_begin_in_their_order_and_make_room_for_each_other() -> None:
    waiting = [waits(300.0, 5.0), waits(300.0, 5.0), waits(100.0, 5.0)]
    found = of_waiting(waiting, [runs(300.0, 300.0, 2.0)], {"memory": 100.0}, 0.0)
    # The first takes over what the running one gives back, the second what the first does.
    assert found == [Announcement("memory", 100.0, 7.0, 5.0)]


def test_when_work_begins_that_waits_for_one_of_unknown_length_is_not_known() -> None:
    running = [runs(300.0, 300.0, math.inf)]
    assert of_waiting([waits(300.0), waits(10.0)], running, {"memory": 100.0}, 0.0) == []
    assert of_waiting([waits(300.0)], [], {"memory": 100.0}, 0.0) == []


def test_a_resource_without_a_limit_keeps_nobody_waiting() -> None:
    work = Work({"memory": 50.0, "power": 7.0}, {}, {"memory": 50.0, "power": 7.0}, 1.0)
    found = of_waiting([work], [], {"memory": 100.0}, 0.0)
    assert {(one.resource, one.amount) for one in found} == {("memory", 50.0), ("power", 7.0)}


MEGABYTES = st.floats(1.0, 1000.0)
SECONDS = st.one_of(st.floats(0.0, 1e4), st.just(math.inf))
RUNNING = st.lists(
    st.builds(
        lambda held, part, seconds: runs(held, part * held, seconds),
        MEGABYTES, st.floats(0.0, 1.0), SECONDS,
    ),
    max_size=6,
)  # fmt: skip


@given(RUNNING, st.lists(st.builds(waits, MEGABYTES, SECONDS), max_size=8), st.floats(0.0, 1e3))
def test_nothing_is_counted_twice(running: list[Work], waiting: list[Work], room: float) -> None:
    now = of_running(running)
    later = of_waiting(waiting, running, {"memory": room}, 0.0)
    assert all(one.amount > 0.0 and one.duration >= 0.0 for one in now + later)
    begins = [one.starts_in for one in later]
    assert begins == sorted(begins)
    left = sum(work.expected["memory"] - work.taken["memory"] for work in running)
    assert sum(one.amount for one in now) <= left + 1e-6
    # Together they want no more than is free, and what running work was set aside but did not take.
    slack = SMALL * sum(work.expected["memory"] for work in waiting)
    assert sum(one.amount for one in later) <= room + left + slack + 1e-6


def test_the_order_of_equal_ends_does_not_matter() -> None:
    running = [runs(100.0, 100.0, 3.0), runs(200.0, 200.0, 3.0)]
    found = of_waiting([waits(350.0, 1.0)], running, {"memory": 60.0}, 0.0)
    assert found == of_waiting([waits(350.0, 1.0)], running[::-1], {"memory": 60.0}, 0.0)
    assert found[0].amount == pytest.approx(50.0)
