"""What grows towards the cap is stopped in time; what cannot be held is asked to end."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.actuators.guardian.pressure import (
    LAST_WORDS,
    LATEST,
    LONGEST,
    LOOKAHEAD,
    PATIENCE,
    PAUSE,
    QUIET,
    SOONEST,
    Move,
    Pressure,
)

MB = 2.0**20
SIMULATED = settings(deadline=None, max_examples=40)


class Hog:
    """A child that grows while it may, sampled when the guardian asks and a bit later."""

    def __init__(self, limit: float, cap: float, rate: float, *, late: float = 0.0) -> None:
        self.pressure = Pressure(limit * MB, cap * MB)
        self.cap = cap * MB
        self.rate = rate * MB
        self.late = late
        self.used = self.highest = 0.0
        self.now = 0.0
        self.running = self.alive = True
        self.heeds = False
        """Whether it ends when it is asked to."""
        self.moves: list[tuple[float, Move]] = []
        self.until = 1e9 * MB
        """How much it wants."""

    def run(self, seconds: float, *, can_end: bool = False) -> None:
        wait = 0.0
        end = self.now + seconds
        while self.now < end:
            elapsed = wait + self.late
            self.now += elapsed
            if self.running and self.alive and self.used < self.until:
                self.used += self.rate * elapsed
            self.highest = max(self.highest, self.used)
            move = self.pressure.step(self.now, self.used, can_end=can_end)
            if move is not Move.NOTHING:
                self._do(move)
            wait = self.pressure.wait(self.used)

    def _do(self, move: Move) -> None:
        self.moves.append((self.now, move))
        if move is Move.KILL or (move is Move.ASK and self.heeds):
            self.alive = False
            self.used = 0.0
            self.pressure.ended()
            return
        self.running = move is not Move.STOP
        self.pressure.did(move, self.now)

    def made(self) -> list[Move]:
        return [move for _, move in self.moves]


@SIMULATED
@given(st.floats(50, 2000), st.floats(0, 0.015))
def test_nothing_reaches_the_cap_where_half_a_second_of_growth_fits_before_it(
    rate: float, late: float
) -> None:
    cap = max(200.0, rate * LOOKAHEAD * 1.2)
    hog = Hog(cap * 0.95, cap, rate, late=late)
    hog.run(20.0)
    assert hog.highest < hog.cap
    assert Move.STOP in hog.made()


@SIMULATED
@given(st.floats(50, 2000), st.booleans())
def test_one_that_may_be_ended_is_asked_and_when_it_does_not_listen_killed(
    rate: float, heeds: bool
) -> None:
    hog = Hog(2000.0, 2100.0, rate)
    hog.heeds = heeds
    hog.run(120.0, can_end=True)
    assert not hog.alive
    assert hog.highest < hog.cap
    made = hog.made()
    assert made.count(Move.ASK) >= 1
    assert (Move.KILL in made) is not heeds
    assert hog.pressure.quiet(hog.now)


def test_a_brake_leaves_time_to_ask_the_application() -> None:
    hog = Hog(1500.0, 1575.0, 1000.0)
    hog.run(2.0, can_end=True)
    assert hog.moves[0][1] is Move.STOP
    first = hog.used
    assert Move.ASK not in hog.made()
    times = [now for now, move in hog.moves if move is Move.STOP]
    assert all(b - a >= PAUSE for a, b in itertools.pairwise(times))
    assert first < 1575 * MB


def test_what_comes_to_its_end_by_itself_goes_on_and_is_over() -> None:
    hog = Hog(1500.0, 1575.0, 1000.0)
    hog.until = 1100 * MB
    hog.run(5.0, can_end=True)
    assert set(hog.made()) == {Move.STOP, Move.GO}
    assert hog.running
    assert hog.alive
    assert hog.pressure.quiet(hog.now)


def test_one_that_may_only_be_paused_stays_stopped_until_there_is_room() -> None:
    hog = Hog(300.0, 316.0, 100.0)
    hog.run(20.0)
    assert not hog.running
    assert hog.alive
    assert hog.moves[-1][1] is Move.STOP
    hog.used -= 200 * MB
    hog.rate = 0.0
    hog.run(1.0)
    assert hog.running
    hog.run(QUIET + 1.0)
    assert hog.pressure.quiet(hog.now)


def test_one_that_may_only_be_paused_goes_on_at_last_and_the_kernel_decides() -> None:
    hog = Hog(300.0, 316.0, 100.0)
    hog.run(LONGEST + 20.0)
    assert hog.running
    assert hog.used > hog.cap
    assert hog.made()[-1] is Move.GO


def test_one_that_shrinks_when_it_is_asked_lives() -> None:
    hog = Hog(300.0, 316.0, 100.0)
    while Move.ASK not in hog.made():
        hog.run(0.01, can_end=True)
    hog.used, hog.rate = 50 * MB, 0.0
    hog.run(LAST_WORDS + 5.0, can_end=True)
    assert hog.alive
    assert hog.running
    assert Move.KILL not in hog.made()
    assert hog.pressure.quiet(hog.now)


def test_one_that_neither_ends_nor_shrinks_is_killed_after_its_last_words() -> None:
    hog = Hog(300.0, 316.0, 100.0)
    while Move.ASK not in hog.made():
        hog.run(0.01, can_end=True)
    asked = next(now for now, move in hog.moves if move is Move.ASK)
    hog.rate = 0.0
    hog.run(LAST_WORDS + 1.0, can_end=True)
    killed = next(now for now, move in hog.moves if move is Move.KILL)
    assert LAST_WORDS <= killed - asked < LAST_WORDS + 0.1


def test_slow_growth_beyond_the_limit_is_left_to_the_application_until_half_way_to_the_cap() -> (
    None
):
    hog = Hog(1000.0, 1050.0, 1.0)
    hog.used = 1010 * MB
    hog.run(10.0, can_end=True)
    assert hog.moves == []
    hog.run(PATIENCE + 10.0, can_end=True)
    assert hog.made()[0] is Move.ASK


def test_nothing_that_may_be_stopped_grows() -> None:
    pressure = Pressure(1000 * MB, 1050 * MB)
    pressure.rate = 1000 * MB
    assert pressure.unstoppable(500 * MB, can_end=True) is Move.NOTHING
    assert pressure.unstoppable(990 * MB, can_end=True) is Move.ASK
    assert pressure.unstoppable(990 * MB, can_end=False) is Move.NOTHING


@given(st.floats(0, 1e12), st.floats(1, 1e12))
def test_samples_come_in_time_for_the_fastest_growth(used: float, cap: float) -> None:
    pressure = Pressure(cap, cap)
    assert SOONEST <= pressure.wait(used) <= LATEST


def with_steps(step: Callable[[int], float]) -> list[Move]:
    pressure = Pressure(1000 * MB, 1050 * MB)
    return [pressure.step(n * 0.1, step(n), can_end=True) for n in range(100)]


def test_what_stands_still_or_swings_far_from_the_cap_is_left_alone() -> None:
    assert set(with_steps(lambda n: 900 * MB)) == {Move.NOTHING}
    assert set(with_steps(lambda n: (500 + 30 * (n % 2)) * MB)) == {Move.NOTHING}
