"""Control of what answers within seconds: cut at once and exactly, raise by checked steps."""

from __future__ import annotations

import math
from statistics import fmean

import pytest

from amptalk.strategies.controllers.fast import FastController
from tests.strategies.controllers.loops import Loop


@pytest.mark.parametrize("elasticity", [0.5, 1.0, 2.0])
def test_a_load_that_doubles_is_cut_to_the_limit_within_a_few_readings(elasticity: float) -> None:
    loop = Loop(FastController(), lambda s: 0.8 if s < 60 else 1.6, elasticity=elasticity)
    loop.run(60)
    after = loop.run(60)
    assert sum(level > 1.005 for level, _ in after) <= 6
    assert fmean(level for level, _ in after[30:]) == pytest.approx(0.97, abs=0.05)


def test_what_was_cut_comes_back_when_the_load_is_gone() -> None:
    loop = Loop(FastController(), lambda s: 1.5 if 60 < s < 120 else 0.7)
    loop.run(119)
    assert loop.share < 0.75
    loop.run(40)
    assert loop.share == 1.0


def test_noise_widens_the_guard_band_and_quiet_narrows_it() -> None:
    guards = []
    for noise in (0.005, 0.03):
        loop = Loop(FastController(), lambda _: 1.2, noise=noise)
        loop.run(600)
        guards.append(loop.controller.guard)
    assert guards[0] < 0.015 < guards[1] < 0.08


@pytest.mark.parametrize("delay", [1, 3, 6])
def test_a_late_answer_is_found_out_and_does_not_make_it_swing(delay: int) -> None:
    loop = Loop(FastController(), lambda s: 1.4 if s % 80 < 40 else 1.0, delay=delay, noise=0.005)
    loop.run(1200)
    told = loop.run(400)
    assert fmean(level > 1.005 for level, _ in told) < 0.03 * (1 + delay)
    assert fmean(share for _, share in told) > 0.6  # of 0.85 without error
    assert min(share for _, share in told) > 0.35


def test_an_idle_spell_does_not_unlearn_what_the_last_busy_one_taught() -> None:
    loop = Loop(
        FastController(), lambda _: 1.6, wanted=lambda s: 1.0 if s % 120 < 60 else 0.3, noise=0.01
    )
    loop.run(720)
    told = loop.run(60)
    assert max(level for level, _ in told[:4]) < 1.3  # 1.6 with everything allowed
    assert sum(level > 1.02 for level, _ in told) <= 3


def test_a_knob_with_steps_is_not_raised_into_the_limit_again_and_again() -> None:
    loop = Loop(FastController(), lambda _: 1.25, step=0.25, noise=0.005)
    loop.run(600)
    told = loop.run(600)  # 0.94 with three quarters, 1.25 with all
    assert fmean(level > 1.0 for level, _ in told) < 0.02
    assert fmean(level for level, _ in told) > 0.9


def test_more_work_that_is_known_to_come_leaves_a_share_that_fits_it() -> None:
    loop = Loop(FastController(), lambda _: 0.6)
    loop.run(60)
    controller = loop.controller
    assert isinstance(controller, FastController)
    share = controller.share_with(0.9)
    assert 1.5 * share == pytest.approx(1.0, abs=0.05)
    controller.take(61.0, 0.6, share)
    assert controller.share == pytest.approx(share)


def test_on_another_scale_nothing_is_a_surprise() -> None:
    loop = Loop(FastController(), lambda _: 0.9, noise=0.005)
    loop.run(120)
    controller = loop.controller
    assert isinstance(controller, FastController)
    controller.shift(math.log(2.0))  # half of the limit is left
    controller.take(121.0, 1.8)
    assert controller.observer.jumped == 0
    assert controller.share == pytest.approx(1.0 / 1.8, abs=0.05)


@pytest.mark.parametrize("interval", [0.1, 0.5, 2.0, 10.0])
def test_it_holds_at_any_interval(interval: float) -> None:
    loop = Loop(FastController(), lambda _: 1.5, pace=0.6, noise=0.01)
    loop.run(200 * max(1.0, interval), interval)
    told = loop.run(200 * max(1.0, interval), interval)
    assert fmean(level > 1.02 for level, _ in told) < 0.02
    assert fmean(level for level, _ in told) > 0.9


def test_after_stuck_readings_it_comes_back_from_where_the_level_hardly_answers() -> None:
    """A device whose least clock step takes a third of the limit, and a sensor that hung."""
    controller, share = FastController(), 1.0
    shares = []
    for second in range(600):
        level = 0.36 + 0.9 * max(0.0, share - 0.35)
        stuck = 100 <= second < 120
        share = controller.take(float(second), 1.1 if stuck else level)
        shares.append(share)
    assert min(shares) < 0.2
    assert fmean(shares[500:]) > 0.9
