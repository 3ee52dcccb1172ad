"""The guard band that would have cost least, without flapping."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from amptalk.strategies.controllers.slow import SlowController
from amptalk.strategies.scored import CAUTIONS, ScoredCaution


def scored(spread: float, seconds: int, *, share: float = 0.5) -> list[float]:
    """Widths in force while the level strays by `spread` about its guard band of 2 %."""
    controller, scoring, random = SlowController(), ScoredCaution(), Random(4)
    told = []
    for second in range(seconds):
        controller.share = share
        controller.noise_guard = 0.02 * controller.caution
        controller.level = -controller.noise_guard + random.gauss(0.0, spread)
        scoring.take(float(second), 1.0, controller)
        told.append(controller.caution)
    return told


def test_where_the_level_hardly_strays_the_band_is_narrowed() -> None:
    assert scored(0.001, 1200)[-1] == min(CAUTIONS)


def test_where_it_strays_far_the_band_is_widened() -> None:
    assert scored(0.012, 1200)[-1] > 1.0


def test_nothing_is_changed_for_a_minute_and_then_seldom() -> None:
    told = scored(0.012, 1800)
    assert told[:60] == [1.0] * 60
    assert sum(a != b for a, b in pairwise(told)) <= 4


def test_while_all_work_may_run_nothing_is_learned() -> None:
    assert scored(0.05, 600, share=1.0)[-1] == 1.0
