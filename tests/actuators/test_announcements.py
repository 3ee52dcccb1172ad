"""Announcements: kept until over, relative to now, consumed by admitted work."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.announcements import SOON, AnnouncementBook
from amptalk.clock import VirtualClock
from amptalk.model.announcement import Announcement
from amptalk.model.errors import ConfigurationError


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def book(clock: VirtualClock) -> AnnouncementBook:
    return AnnouncementBook(clock.monotonic)


def amounts(book: AnnouncementBook, now: float) -> list[float]:
    return [announcement.amount for announcement in book.current(now)]


def test_times_are_relative_to_now_and_what_is_over_is_dropped(
    book: AnnouncementBook, clock: VirtualClock
) -> None:
    book.announce(memory_mb=800, starts_in=5, duration=20)
    now = clock.advance(2)
    assert book.current(now) == (Announcement("memory", 800, 3, 20),)
    assert book.current(now + 10)[0].starts_in == -7
    assert book.current(now + 23) == ()
    assert book.current(now) == (), "what is over does not come back"


def test_with_nothing_announced_the_answer_is_the_same_empty_tuple(book: AnnouncementBook) -> None:
    assert book.current(0.0) is book.current(1.0)


def test_each_resource_is_an_announcement_of_its_own(book: AnnouncementBook) -> None:
    book.announce(memory_mb=1, gpu_memory_mb=2, cpu_percent=3, power_watts=4)
    assert {(a.resource, a.amount) for a in book.current(0.0)} == {
        ("memory", 1), ("gpu_memory", 2), ("cpu", 3), ("power", 4)
    }  # fmt: skip
    assert all(a.duration == math.inf for a in book.current(0.0))


def test_cancelling_is_idempotent_and_takes_only_its_own(
    book: AnnouncementBook, clock: VirtualClock
) -> None:
    handle = book.announce(memory_mb=100, gpu_memory_mb=50)
    book.announce(memory_mb=100)
    handle.cancel()
    handle.cancel()
    assert amounts(book, clock.monotonic()) == [100]


def test_as_a_context_it_ends_with_it(book: AnnouncementBook, clock: VirtualClock) -> None:
    with book.announce(memory_mb=100):
        assert amounts(book, clock.monotonic()) == [100]
    assert amounts(book, clock.monotonic()) == []


def test_admitted_work_consumes_the_oldest_that_has_begun_or_is_about_to(
    book: AnnouncementBook, clock: VirtualClock
) -> None:
    book.announce(memory_mb=500, starts_in=SOON + 1)
    book.announce(memory_mb=200)
    book.announce(memory_mb=300)
    book.announce(gpu_memory_mb=300)
    book.consume("memory", 250)
    assert amounts(book, clock.monotonic()) == [500, 250, 300]
    clock.advance(2)
    book.consume("memory", 1000)
    assert amounts(book, clock.monotonic()) == [300]


def test_what_waits_for_admission_is_left_out_until_it_consumes_or_gives_up(
    book: AnnouncementBook, clock: VirtualClock
) -> None:
    book.announce(memory_mb=200)
    book.announce(memory_mb=300, cpu_percent=20)
    now = clock.monotonic()
    waiting = {"memory": 250.0, "gpu_memory": 10.0}
    assert [a.amount for a in book.current(now, waiting)] == [250, 20]
    assert amounts(book, now) == [200, 300, 20]


@given(st.lists(st.floats(1, 1000), max_size=8), st.lists(st.floats(0, 1000), max_size=8))
def test_consuming_takes_away_what_is_used_and_no_more(
    announced: list[float], used: list[float]
) -> None:
    book = AnnouncementBook(VirtualClock().monotonic)
    for amount in announced:
        book.announce(memory_mb=amount)
    for amount in used:
        book.consume("memory", amount)
    left = sum(amounts(book, 0.0))
    assert left == pytest.approx(max(0.0, sum(announced) - sum(used)), abs=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"memory_mb": -1},
        {"memory_mb": math.nan},
        {"memory_mb": True},
        {"memory_mb": "800"},
        {"memory_mb": 1, "starts_in": -1},
        {"memory_mb": 1, "starts_in": math.inf},
        {"memory_mb": 1, "duration": 0},
        {"memory_mb": 1, "duration": math.nan},
    ],
)
def test_what_cannot_be_is_refused(book: AnnouncementBook, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        book.announce(**options)
    assert book.current(0.0) == ()


def test_many_threads_announce_and_cancel(book: AnnouncementBook, clock: VirtualClock) -> None:
    def work() -> None:
        for _ in range(200):
            book.announce(memory_mb=1).cancel()
        book.announce(memory_mb=1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert amounts(book, clock.monotonic()) == [1, 1, 1, 1]
