"""The user's callback runs apart: the latest sample wins, and no fault of it reaches the loop."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from amptalk.model.sample import Sample
from amptalk.telemetry import callbacks
from amptalk.telemetry.callbacks import CallbackThread
from tests.helpers import DEADLINE, eventually
from tests.telemetry.sources import sample


def test_a_callback_gets_samples_on_another_thread() -> None:
    got: list[tuple[Sample, int]] = []
    thread = CallbackThread(lambda sample: got.append((sample, threading.get_ident())))
    first = sample({"memory_used_mb": 5.0})
    thread.offer(first)
    eventually(lambda: thread.delivered == 1, "the sample delivered")
    assert got[0][0] is first
    assert got[0][1] != threading.get_ident()
    assert thread.close(DEADLINE)


def test_a_slow_callback_gets_the_latest_and_the_dropped_are_counted() -> None:
    entered, go = threading.Event(), threading.Event()
    got: list[Sample] = []

    def slow(sample: Sample) -> None:
        entered.set()
        assert go.wait(DEADLINE)
        got.append(sample)

    thread = CallbackThread(slow)
    samples = [sample({}, time=float(i)) for i in range(10)]
    thread.offer(samples[0])
    assert entered.wait(DEADLINE)
    for each in samples[1:]:
        thread.offer(each)
    go.set()
    eventually(lambda: thread.delivered == 2, "both delivered")
    assert got == [samples[0], samples[-1]]
    assert thread.dropped == 8
    assert thread.close(DEADLINE)


def test_offering_to_a_hanging_callback_takes_no_time_and_closing_does_not_hang() -> None:
    entered, go = threading.Event(), threading.Event()

    def hang(_: Sample) -> None:
        entered.set()
        go.wait(DEADLINE)

    thread = CallbackThread(hang)
    try:
        thread.offer(sample({}))
        assert entered.wait(DEADLINE)
        started = time.monotonic()
        for _ in range(1000):
            thread.offer(sample({}))
        assert not thread.close(timeout=0.05)
        assert time.monotonic() - started < 5.0
        assert thread.delivered == 0
    finally:
        go.set()
    eventually(lambda: not thread._thread.is_alive(), "the thread ended")


@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(3), KeyboardInterrupt()])
def test_a_raising_callback_is_called_again_and_logged_at_a_low_rate(
    error: BaseException, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Sample) -> None:
        raise error

    thread = CallbackThread(broken)
    with caplog.at_level(logging.ERROR):
        for count in range(1, 6):
            thread.offer(sample({}))
            eventually(lambda count=count: thread.failed == count, "the failure counted")  # type: ignore[misc]
        assert thread.last_error is error
        assert len(caplog.records) == 1
        assert caplog.records[0].name == "amptalk.telemetry.callbacks"
        monkeypatch.setattr(callbacks, "LOG_SECONDS", 0.0)
        thread.offer(sample({}))
        eventually(lambda: thread.failed == 6, "the failure counted")
        assert thread.close(DEADLINE)
    assert "5 times" in caplog.records[1].getMessage()
    assert thread.delivered == 0


def test_nothing_is_delivered_after_close() -> None:
    entered, go = threading.Event(), threading.Event()
    got: list[Sample] = []

    def slow(sample: Sample) -> None:
        got.append(sample)
        entered.set()
        go.wait(DEADLINE)

    thread = CallbackThread(slow)
    thread.offer(sample({}))
    assert entered.wait(DEADLINE)
    thread.offer(sample({}))
    assert not thread.close(timeout=0)
    thread.offer(sample({}))
    go.set()
    assert thread.close(DEADLINE)
    assert len(got) == 1
    assert thread.dropped == 1


def test_a_callback_may_close_its_own_thread() -> None:
    threads: list[CallbackThread] = []
    ended = threading.Event()

    def last(_: Sample) -> None:
        threads[0].close(DEADLINE)
        ended.set()

    threads.append(CallbackThread(last))
    threads[0].offer(sample({}))
    assert ended.wait(DEADLINE)
    assert threads[0].close(DEADLINE)


def test_a_new_object_starts_again_after_close() -> None:
    got: list[Sample] = []
    for _ in range(2):
        thread = CallbackThread(got.append)
        thread.offer(sample({}))
        eventually(lambda thread=thread: thread.delivered == 1, "delivered")  # type: ignore[misc]
        assert thread.close(DEADLINE)
    assert len(got) == 2
