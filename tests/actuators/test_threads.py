"""Calls run off the tick, each with a deadline, and what hangs is left behind."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from amptalk.actuators import threads as room
from amptalk.actuators.threads import MOST_THREADS, ActionThreads, Call
from amptalk.clock import SystemClock, VirtualClock
from tests.helpers import DEADLINE, eventually


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Set at the end, so that whatever hangs on it comes back."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def threads() -> Iterator[ActionThreads]:
    made = ActionThreads(SystemClock())
    yield made
    made.stop(2)


_OTHERS: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def _threads_of_other_tests() -> None:
    _OTHERS.clear()
    _OTHERS.update(threading.enumerate())


def actions() -> int:
    """Action threads that this test has started."""
    now = set(threading.enumerate()) - _OTHERS
    return sum(thread.name == "amptalk-action" for thread in now)


def called(threads: ActionThreads, key: str, function: Callable[[], object]) -> Call:
    """A call that was taken on."""
    call = threads.call(key, function, 2)
    assert call is not None
    return call


def finished(call: Call) -> Call:
    eventually(lambda: call.done, f"call {call.key!r} is done")
    return call


def test_no_thread_before_the_first_call(threads: ActionThreads) -> None:
    before = actions()
    threads.check(1e9)
    assert actions() == before
    assert not threads.active


def test_a_call_runs_elsewhere_and_one_thread_serves_many(threads: ActionThreads) -> None:
    seen: list[int] = []
    for number in range(5):
        finished(called(threads, f"k{number}", lambda: seen.append(threading.get_ident())))
    assert len(set(seen)) == 1
    assert threading.get_ident() not in seen


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_call_raises_is_kept_and_the_thread_lives_on(
    threads: ActionThreads, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    call = finished(called(threads, "bad", fail))
    assert call.error == f"{type(error).__name__}: {error}"
    assert finished(called(threads, "bad", lambda: None)).error is None


def test_one_key_runs_once_at_a_time(threads: ActionThreads, gate: threading.Event) -> None:
    assert threads.call("k", gate.wait, 2) is not None
    assert threads.busy("k")
    assert threads.call("k", gate.wait, 2) is None
    gate.set()
    eventually(lambda: not threads.busy("k"), "first call back")
    assert threads.call("k", lambda: None, 2) is not None


def test_more_hanging_calls_than_threads_do_not_stop_the_next_one(gate: threading.Event) -> None:
    clock = VirtualClock()
    threads = ActionThreads(clock)
    hanging = [called(threads, f"h{i}", gate.wait) for i in range(MOST_THREADS)]
    eventually(lambda: all(call.started == call.started for call in hanging), "all began")
    last = called(threads, "last", lambda: None)
    threads.check(clock.monotonic() + 1)
    assert not last.done
    assert not any(call.overdue for call in hanging)
    threads.check(clock.advance(2.1))
    eventually(lambda: last.done, "the next call ran on a new thread")
    assert all(call.overdue and not call.done for call in hanging)
    gate.set()
    eventually(lambda: not threads.active, "late calls came back")
    threads.stop(2)
    eventually(lambda: actions() == 0, "no thread is left")


def test_stop_waits_for_calls_but_not_for_ever_and_a_later_call_starts_anew(
    gate: threading.Event,
) -> None:
    threads = ActionThreads(SystemClock())
    threads.call("hang", gate.wait, 60)
    threads.stop(0.05)
    finished(called(threads, "next", lambda: None))
    threads.stop(0.05)
    gate.set()
    eventually(lambda: actions() == 0, "no thread is left")


def test_calls_from_many_threads_all_run(threads: ActionThreads) -> None:
    done: list[int] = []

    def work(number: int) -> None:
        for i in range(20):
            while threads.call(f"{number}-{i}", lambda: done.append(1), 2) is None:
                pass

    workers = [threading.Thread(target=work, args=(n,)) for n in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    eventually(lambda: len(done) == 100, "100 calls")


def test_without_a_thread_to_be_had_the_call_waits_for_the_next_check(
    threads: ActionThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        call = called(threads, "k", lambda: None)
        threads.check(0)
    assert not call.done
    threads.check(0)
    finished(call)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_frozen_one_calls_nothing() -> None:
    threads = ActionThreads(SystemClock())
    threads.freeze()
    assert threads.call("k", lambda: None, 2) is None
    threads.stop(1)
    assert not threads.active


def test_a_stop_between_two_calls_of_a_thread_leaves_no_call_without_one() -> None:
    threads = ActionThreads(SystemClock())
    for _ in range(300):
        ran = threading.Event()
        assert threads.call("again", ran.set, 5.0) is not None
        assert ran.wait(DEADLINE), "a call after a stop was never run"
        threads.stop(1.0)


def test_a_thread_without_work_ends_and_the_next_call_starts_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "IDLE_SECONDS", 0.01)
    threads = ActionThreads(SystemClock())
    for _ in range(3):
        finished(called(threads, "next", lambda: None))
        eventually(lambda: actions() == 0, "the idle thread ended")


def test_without_threads_to_be_had_a_stop_runs_what_waits_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    threads = ActionThreads(SystemClock())
    seen: list[int] = []
    call = called(threads, "undo", lambda: seen.append(threading.get_ident()))
    threads.stop(1)
    assert call.done
    assert seen == [threading.get_ident()]
