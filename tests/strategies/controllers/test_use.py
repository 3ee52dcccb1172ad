"""Control of use: readings faster than a second are taken together, and jobs are not load."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.simulation import simulate
from amptalk.simulation.plants import PacedJobs
from amptalk.strategies.controllers.fast import FastController
from amptalk.strategies.controllers.use import UseController

ratios = st.floats(0.0, 1.7)
few, many = st.floats(0.0, 0.4), st.floats(1.0, 1.7)


@given(st.lists(st.tuples(st.floats(1.0, 5.0), ratios), max_size=60))
def test_readings_a_second_apart_or_more_are_taken_as_they_are(
    readings: list[tuple[float, float]],
) -> None:
    use, fast, now = UseController(), FastController(), 0.0
    for elapsed, ratio in readings:
        now += elapsed
        assert use.take(now, ratio) == pytest.approx(fast.take(now, ratio))


@given(st.lists(st.tuples(few, many, few, many), min_size=1, max_size=40))
def test_four_restless_readings_a_second_count_as_their_mean(
    seconds: list[tuple[float, float, float, float]],
) -> None:
    use, fast = UseController(), FastController()
    use.take(0.0, 1.0)
    fast.take(0.0, 1.0)
    for number, second in enumerate(seconds):
        before = use.share
        for quarter, ratio in enumerate(second[:3]):
            assert use.take(number + 0.25 * (quarter + 1), ratio) == before, "not yet"
        share = use.take(number + 1.0, second[3])
        assert share == pytest.approx(fast.take(number + 1.0, sum(second) / 4.0))


def beginning() -> tuple[UseController, FastController]:
    use, fast = UseController(), FastController()
    for controller in (use, fast):
        controller.take(0.0, 0.5)
        controller.take(1.0, 0.5)
    return use, fast


def test_smooth_use_is_answered_reading_by_reading_once_it_is_known_to_be_smooth() -> None:
    use = UseController()
    shares = [use.take(0.1 * number, ratio) for number, ratio in enumerate([0.7] * 200 + [1.6])]
    assert shares[-2] == 1.0
    assert shares[-1] < 0.8, "after a tenth of a second"


def test_a_reading_counts_by_the_time_that_it_stands_for() -> None:
    use, fast = beginning()
    use.take(1.25, 2.0)
    use.take(2.0, 0.4)
    fast.take(2.0, 0.25 * 2.0 + 0.75 * 0.4)
    assert use.level == fast.level


def test_another_scale_holds_for_what_was_read_already() -> None:
    use, fast = beginning()
    use.take(1.25, 0.5)
    for controller in (use, fast):
        controller.shift(math.log(2.0))
        controller.take(2.0, 1.0)
    assert use.level == pytest.approx(fast.level)


@pytest.mark.parametrize("strategy", ["dynamic", "adaptive"])
@pytest.mark.parametrize("workers", [2, 4, 8])
def test_jobs_that_start_and_rest_are_not_taken_for_load_that_comes_and_goes(
    strategy: str, workers: int
) -> None:
    plant = PacedJobs(0.25, workers=workers)
    begun = simulate(plant, strategy, steps=4 * 20, seed=7)
    assert begun.work_lost < 0.3, "in the first seconds, when nothing is learned yet"
    later = simulate(plant, strategy, steps=4 * 300, seed=7).after(20.0)
    assert later.work_lost < 0.3
    assert later.time_over < 0.3
