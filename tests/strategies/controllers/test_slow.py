"""Control of what answers within minutes: led to the guard band, and held there."""

from __future__ import annotations

from random import Random
from statistics import fmean

import pytest

from amptalk.strategies.controllers.contract import Controller
from amptalk.strategies.controllers.either import EitherController
from amptalk.strategies.controllers.fast import FastController
from amptalk.strategies.controllers.slow import SlowController


class Tank:
    """Fills by work and drains: level += rate · share − drain · (level − empty)."""

    def __init__(self, controller: Controller, rate: float = 0.014, drain: float = 0.012) -> None:
        self.controller = controller
        self.rate, self.drain = rate, drain
        self.level, self.now = 0.3, 0.0
        self.random = Random(2)

    def run(self, seconds: float, interval: float = 1.0) -> list[tuple[float, float]]:
        told = []
        for _ in range(round(seconds / interval)):
            share = self.controller.share
            self.level += interval * (self.rate * share - self.drain * (self.level - 0.28))
            self.now += interval
            self.controller.take(self.now, self.level + self.random.gauss(0.0, 0.002))
            told.append((self.level, self.controller.share))
        return told


@pytest.mark.parametrize("interval", [0.2, 1.0, 5.0])
def test_it_comes_to_the_limit_without_crossing_it_and_stays(interval: float) -> None:
    tank = Tank(SlowController())
    told = tank.run(900, interval)
    assert max(level for level, _ in told) < 1.005
    assert fmean(level for level, _ in told[len(told) // 2 :]) > 0.97


def test_a_leak_that_gets_worse_is_turned_before_the_limit() -> None:
    tank = Tank(SlowController())
    tank.run(600)
    tank.rate *= 1.6
    told = tank.run(300)
    assert max(level for level, _ in told) < 1.02
    assert sum(level > 1.005 for level, _ in told) <= 15
    assert fmean(level for level, _ in told[100:]) > 0.97


def test_how_fast_it_answers_is_learned() -> None:
    slow, quick = Tank(SlowController(), 0.007, 0.003), Tank(SlowController(), 0.06, 0.05)
    for tank in (slow, quick):
        tank.run(200)
        for _ in range(12):  # only moves teach
            tank.rate *= 1.3
            tank.run(40)
            tank.rate /= 1.3
            tank.run(40)
    assert isinstance(slow.controller, SlowController)
    assert isinstance(quick.controller, SlowController)
    assert slow.controller.speed < quick.controller.speed


def test_one_leap_is_no_slope_but_two_are() -> None:
    leapt, rising = SlowController(), SlowController()
    for second in range(1, 60):
        leapt.take(float(second), 0.6)
        rising.take(float(second), 0.6)
    for second in range(60, 66):
        leapt.take(float(second), 0.65)
        rising.take(float(second), 0.6 + 0.05 * (second - 59))
    assert leapt.slope == pytest.approx(0.0, abs=0.002)
    assert leapt.share == 1.0
    assert rising.slope > 0.02
    assert rising.share < 0.9


@pytest.mark.parametrize("interval", [0.1, 1.0])
def test_what_a_model_that_is_loaded_took_of_the_share_comes_back_when_it_is_loaded(
    interval: float,
) -> None:
    controller, random, now = SlowController(), Random(4), 0.0
    shares = []
    for value in [0.15] * 20 + [0.3, 0.45, 0.6, 0.75, 0.9] + [0.91] * 4:
        now += interval
        shares.append(controller.take(now, value + random.gauss(0.0, 0.001)))
    assert min(shares) < 0.95
    assert shares[-1] == 1.0
    assert controller.slope == pytest.approx(0.0, abs=0.005)


def test_a_share_that_brings_the_growth_with_it_comes_back_once_and_then_slowly() -> None:
    controller, random = SlowController(), Random(5)
    level, back = 0.3, 0
    for second in range(1, 60):
        before = controller.share
        level += 0.06 * (before > 0.5)  # all or nothing, and never given back
        share = controller.take(float(second), level + random.gauss(0.0, 0.001))
        back += share > before + 0.2
        if level > 0.95:
            level = 0.5
    assert back == 1


def test_a_first_value_beyond_the_limit_counts_as_growth() -> None:
    controller = SlowController()
    controller.take(0.0, 1.1)
    controller.take(1.0, 1.1)
    assert controller.share < 0.8


def test_readings_that_come_faster_do_not_raise_faster() -> None:
    shares = []
    for interval in (0.05, 1.0):
        controller = SlowController()
        for tick in range(round(20 / interval)):
            controller.take(interval * tick, 1.05)
        for tick in range(round(5 / interval)):
            controller.take(20.0 + interval * tick, 0.6)
        shares.append(controller.share)
    assert shares[0] < 2.0 * shares[1]


class Cache:
    """Memory that a knob sizes: it follows the share within seconds."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.level, self.now, self.wish = 0.5, 0.0, 0.5
        self.random = Random(3)

    def run(self, seconds: int) -> list[tuple[float, float]]:
        told = []
        for _ in range(seconds):
            if self.random.random() < 0.05:
                self.wish = self.random.uniform(0.4, 1.4)
            goal = min(self.wish, 1.4 * self.controller.share)
            self.level += 0.5 * (goal - self.level)
            self.now += 1.0
            self.controller.take(self.now, self.level + self.random.gauss(0.0, 0.003))
            told.append((self.level, self.controller.share))
        return told


def test_memory_that_answers_at_once_is_given_to_the_fast_controller() -> None:
    either, slow = Cache(EitherController()), Cache(SlowController())
    either.run(600)
    slow.run(600)
    assert isinstance(either.controller, EitherController)
    assert isinstance(either.controller.deciding, FastController)
    assert fmean(share for _, share in either.run(900)) > 1.2 * fmean(
        share for _, share in slow.run(900)
    )


def test_memory_that_answers_slowly_stays_with_the_slow_one() -> None:
    tank = Tank(EitherController())
    tank.run(600)
    tank.rate *= 1.6
    tank.run(600)
    assert isinstance(tank.controller, EitherController)
    assert isinstance(tank.controller.deciding, SlowController)
