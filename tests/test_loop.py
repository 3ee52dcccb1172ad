"""The loop keeps its grid, skips what it missed, and starts and stops exactly."""

from __future__ import annotations

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from amptalk.loop import Loop, StopSignal, next_due
from tests.helpers import DEADLINE, eventually

seconds = st.floats(0.0, 1e6)
intervals = st.floats(0.05, 3600.0)


@given(due=seconds, interval=intervals, late=st.floats(0.0, 1e5))
def test_the_next_instant_is_in_the_future_and_on_the_grid(
    due: float, interval: float, late: float
) -> None:
    now = due + late
    following, missed = next_due(due, interval, now)
    assert following > now or following - now > -1e-6
    assert following - now <= interval * (1 + 1e-6) + 1e-6
    steps = (following - due) / interval
    assert abs(steps - round(steps)) < 1e-3
    assert missed == round(steps) - 1


@given(due=seconds, interval=intervals, lateness=st.floats(0.0, 0.99))
def test_a_late_wake_up_within_the_interval_does_not_shift_the_grid(
    due: float, interval: float, lateness: float
) -> None:
    assert next_due(due, interval, due + lateness * interval) == (due + interval, 0)


def test_it_ticks_until_stopped_and_not_once_more() -> None:
    ticks = 0
    third = threading.Event()

    def tick() -> float:
        nonlocal ticks
        ticks += 1
        if ticks == 3:
            third.set()
        return 0.001

    loop = Loop(tick, time.monotonic, "test-loop")
    assert loop.start(0.0)
    assert third.wait(DEADLINE)
    assert loop.stop()
    stopped_at = ticks
    assert not loop.running
    assert not [t for t in threading.enumerate() if t.name == "test-loop"]
    assert ticks == stopped_at


def test_starting_twice_runs_one_thread_and_stopping_twice_is_harmless() -> None:
    loop = Loop(lambda: 60.0, time.monotonic, "test-twice")
    assert loop.start(60.0)
    assert not loop.start(60.0)
    assert len([t for t in threading.enumerate() if t.name == "test-twice"]) == 1
    assert loop.stop()
    assert loop.stop()


def test_it_can_be_started_again_after_a_stop() -> None:
    begun = threading.Semaphore(0)

    def tick() -> float:
        begun.release()
        return 60.0

    loop = Loop(tick, time.monotonic, "test-again")
    for _ in range(3):
        assert loop.start(0.0)
        assert begun.acquire(timeout=DEADLINE)
        assert loop.stop()


def test_stop_does_not_wait_for_the_interval() -> None:
    loop = Loop(lambda: 3600.0, time.monotonic, "test-long")
    loop.start(3600.0)
    begun = time.monotonic()
    assert loop.stop()
    assert time.monotonic() - begun < DEADLINE


def test_stopping_from_within_a_tick_does_not_deadlock() -> None:
    done = threading.Event()

    def tick() -> float:
        loop.stop()
        done.set()
        return 0.001

    loop = Loop(tick, time.monotonic, "test-inside")
    loop.start(0.0)
    assert done.wait(DEADLINE)
    eventually(lambda: not loop.running, "the loop ends after a stop from within")


def test_a_tick_that_does_not_end_is_reported_by_stop_instead_of_hanging_it() -> None:
    entered, release = threading.Event(), threading.Event()

    def tick() -> float:
        entered.set()
        release.wait(DEADLINE)
        return 0.001

    loop = Loop(tick, time.monotonic, "test-stuck")
    loop.start(0.0)
    assert entered.wait(DEADLINE)
    assert not loop.stop(timeout=0.05)
    release.set()
    eventually(loop.stop, "the loop ends once the tick does")


def test_ticks_missed_while_held_up_are_skipped_and_counted() -> None:
    now = 100.0
    loop = Loop(lambda: 1.0, lambda: now, "unused")
    waits: list[float] = []

    class Script(StopSignal):
        """Plays the signal: the third wait comes back 3.5 s late, the fifth stops."""

        def wait(self, timeout: float) -> bool:
            nonlocal now
            waits.append(round(timeout, 6))
            now += timeout + (3.5 if len(waits) == 3 else 0.0)
            self.given = len(waits) == 6
            return self.given

    loop._run(Script(), 1.0)
    assert waits == [1.0, 1.0, 1.0, 0.5, 1.0, 1.0]
    assert loop.skipped == 3


def test_it_wakes_early_and_comes_back_to_its_grid_or_sooner() -> None:
    now = 100.0
    ticks: list[float] = []
    intervals = iter([1.0, 1.0, 0.25, 1.0, 1.0])

    def tick() -> float:
        ticks.append(round(now - 100.0, 6))
        return next(intervals)

    loop = Loop(tick, lambda: now, "unused")
    early = {2: 0.4, 3: 0.5}

    class Script(StopSignal):
        """Plays the signal: the second and third wait are woken early, the sixth stops."""

        count = 0

        def wait(self, timeout: float) -> bool:
            nonlocal now
            self.count += 1
            self.given = self.count == 6
            now += early.get(self.count, timeout)
            return self.given or self.count in early

    loop._run(Script(), 1.0)
    assert ticks == [1.0, 1.4, 1.9, 2.0, 3.0]
    assert loop.skipped == 0


def test_whoever_wakes_it_does_not_wait_and_one_wake_up_is_one_tick() -> None:
    signal = StopSignal()
    for _ in range(3):
        signal.wake()
    assert signal.wait(0.0)
    assert not signal.wait(0.0)
    signal.give()
    signal.give()
    assert signal.wait(0.0)
    assert signal.given


def test_a_wake_up_has_a_running_loop_tick_at_once() -> None:
    ticked = threading.Semaphore(0)

    def tick() -> float:
        ticked.release()
        return 3600.0

    loop = Loop(tick, time.monotonic, "test-wake")
    loop.wake()  # nothing runs yet
    loop.start(3600.0)
    loop.wake()
    assert ticked.acquire(timeout=DEADLINE)
    loop.wake()
    assert ticked.acquire(timeout=DEADLINE)
    assert loop.stop()
