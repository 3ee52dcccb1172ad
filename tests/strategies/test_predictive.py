"""Strategy `predictive`: ahead of known demand and of growth, otherwise as `dynamic`.

Known demand in closed loop, and counted over a population of loads, is in `test_announced`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from random import Random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.model.announcement import Announcement
from amptalk.model.decision import MINIMUM_SHARE, Allocation, Strategy
from amptalk.model.resource import CPU, MEMORY
from amptalk.strategies.dynamic import Dynamic
from amptalk.strategies.predictive import Predictive
from tests.strategies.observations import observed, state
from tests.strategies.plants import PLANTS, Noisy, Periodic, Plant, Steady, Thermal, run

SEEDS = range(5)


def listened(
    values: list[float], name: str = "cpu", limit: float = 100.0, step: float = 1.0
) -> list[Allocation]:
    """What is decided on values, one each `step` seconds, that nothing is done about."""
    strategy = Predictive(step)
    return [
        strategy.decide(observed(step * at, state(name, value, limit))).allocations[0]
        for at, value in enumerate(values)
    ]


def expects(allocation: Allocation) -> bool:
    """Whether a breach is expected: what counts as a warning."""
    expected = allocation.expected
    return expected is not None and (expected.probability >= 0.5 or expected.seconds < math.inf)


def test_without_history_it_answers_as_dynamic_does() -> None:
    for value in (100.0, 900.0, 1100.0):
        seen = observed(0.0, state(value=value))
        assert Predictive().decide(seen).share("memory") == Dynamic().decide(seen).share("memory")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.01, 50.0),
            st.sampled_from(["cpu", "memory", "temperature"]),
            st.floats(allow_nan=True, allow_infinity=True),
            st.floats(0.0, 1e9),
            st.floats(-100.0, 100.0),
            st.floats(0.1, 1e3) | st.just(math.inf),
        ),
        max_size=40,
    )
)
def test_whatever_is_measured_or_announced_a_share_lies_between_the_minimum_and_one(
    ticks: list[tuple[float, str, float, float, float, float]],
) -> None:
    strategy, now = Predictive(), 0.0
    for elapsed, name, value, amount, starts, duration in ticks:
        now += elapsed
        announced = (Announcement(name, amount, starts, duration),) * 2
        seen = observed(now, state(name, value, 80.0), announcements=announced)
        (allocation,) = strategy.decide(seen).allocations
        assert MINIMUM_SHARE <= allocation.share <= 1.0
        if allocation.expected is not None:
            assert 0.0 <= allocation.expected.probability <= 1.0
            assert allocation.expected.seconds >= 0.0


def test_a_leak_is_told_of_an_hour_before_and_held_back_minutes_before() -> None:
    random, hours = Random(0), 2.0
    values = [300.0 + 700.0 * at / (360.0 * hours) + random.gauss(0, 1) for at in range(720)]
    told = listened(values, "memory", 1000.0, 10.0)
    first = next(at for at, one in enumerate(told) if expects(one))
    expected = told[first].expected
    assert expected is not None
    assert 0.4 < first / 720 < 0.6
    assert expected.seconds == pytest.approx(7200.0 - 10.0 * first, rel=0.2)
    assert "memory reaches 1000 MB in" in told[first].reason
    assert "nothing is held back for it yet" in told[first].reason
    for at in range(first, 700):
        one = told[at].expected
        assert one is not None
        assert one.seconds == pytest.approx(7200.0 - 10.0 * at, rel=0.2)
    cut = next(at for at, one in enumerate(told) if one.share < 1.0)
    assert 20.0 < 7200.0 - 10.0 * cut < 600.0


def test_growth_is_told_with_when_and_how_fast() -> None:
    last = listened([100.0 + 12.0 * second for second in range(70)], "memory", 1000.0)[-1]
    assert "memory reaches 1000 MB in" in last.reason
    assert "+12 MB/s" in last.reason
    assert last.expected is not None
    assert last.expected.seconds == pytest.approx(900 / 12 - 69, abs=3)


class Ramp(Plant):
    """Memory that a leak fills within minutes."""

    resource, limit = MEMORY, 900.0

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.used = 300.0
        self.leak = random.uniform(3.0, 8.0)

    def step(self, share: float) -> tuple[float, float]:
        self.used += self.leak * share - 0.004 * (self.used - 300.0) + self.random.gauss(0, 0.5)
        self.seconds += 1
        self.done = share
        return self.used, round(self.used + self.random.gauss(0, 1))

    def fair(self) -> float:
        return min(1.0, 0.004 * 600.0 / self.leak)


def compared(plant: Callable[[Random], Plant], steps: int = 900) -> list[tuple[float, float]]:
    """Mean percent over and lost: dynamic, predictive."""
    made: tuple[Callable[[], Strategy], ...] = (Dynamic, Predictive)
    scores = [[run(plant, make(), seed, steps) for seed in SEEDS] for make in made]
    return [(fmean(s.over for s in one), fmean(s.lost for s in one)) for one in scores]


def test_a_ramp_of_minutes_is_held_as_well_as_by_dynamic_without_losing_more() -> None:
    (over, lost), (ours, our_loss) = compared(Ramp)
    assert ours <= over + 0.1
    assert our_loss <= lost + 0.5


def test_bursts_below_the_limit_raise_no_alarm_and_cost_nothing() -> None:
    random, values, on = Random(4), [], False
    for _ in range(3000):
        on = on != (random.random() < (1 / 30 if on else 1 / 60))
        values.append((85.0 if on else 25.0) + random.gauss(0, 2))
    told = listened(values, "cpu", 100.0)
    assert max(values) < 100.0
    assert sum(expects(one) for one in told[60:]) <= 3
    assert fmean(one.share for one in told) > 0.99


def test_a_level_that_leapt_and_stays_is_no_growth() -> None:
    random = Random(2)
    values = [300.0 + 250.0 * (second >= 100) + random.gauss(0, 3) for second in range(300)]
    assert not any(expects(one) for one in listened(values, "memory", 1000.0)[110:])


class Day(Plant):
    """Processor use with a peak at two in the afternoon, a minute a step."""

    resource, limit = CPU, 80.0

    def step(self, share: float) -> tuple[float, float]:
        hour = (self.seconds / 60.0) % 24.0
        work = 20.0 + 80.0 * math.exp(-(((hour - 14.0) / 1.2) ** 2))
        level = 10.0 + work * share
        self.seconds += 1
        self.done = share
        return level, level + self.random.gauss(0, 1.5)

    def fair(self) -> float:
        return 1.0


def day_by_day(make: Callable[[], Strategy], days: int = 4) -> tuple[int, list[float]]:
    """Minutes over the limit, and the shares."""
    plant, strategy, share, over, shares = Day(Random(7)), make(), 1.0, 0, []
    for minute in range(days * 1440):
        level, measured = plant.step(share)
        over += level > 80.0
        seen = observed(60.0 * minute, state("cpu", measured, 80.0))
        share = strategy.decide(seen).share("cpu")
        shares.append(share)
    return over, shares


def test_before_a_daily_peak_it_acts_before_the_limit_is_met() -> None:
    over, shares = day_by_day(lambda: Predictive(60.0))
    assert over <= 1  # of 5760 minutes
    # At full share the limit is met on the way up, about an hour before the peak.
    hour = 14.0 - 1.2 * math.sqrt(math.log(80.0 / 50.0))
    met = 3 * 1440 + int(60 * hour)
    assert min(shares[met - 10 : met + 1]) < 1.0
    assert min(shares[3 * 1440 : met - 60]) > 0.95


def test_a_device_that_warms_up_is_told_of_when_it_will_be_too_hot() -> None:
    plant, strategy = Thermal(Random(3)), Predictive()
    said: list[tuple[float, str]] = []
    for second in range(890):
        true, measured = plant.step(1.0)
        if true > plant.limit:
            break
        seen = observed(float(second), state("temperature", measured, plant.limit))
        (allocation,) = strategy.decide(seen).allocations
        expected = allocation.expected
        said.append((expected.seconds if expected else math.inf, allocation.reason))
    warned = [at for at, (seconds, _) in enumerate(said) if seconds < math.inf]
    assert len(said) - warned[0] > 20
    assert "if the load stays as it is" in said[warned[0]][1]


def test_a_device_that_settles_below_the_limit_is_not_said_to_become_too_hot() -> None:
    for seed in range(5):
        random = Random(seed)
        values = [
            round(74.0 - 30.0 * math.exp(-second / 150.0) + random.gauss(0, 0.3), 1)
            for second in range(900)
        ]
        told = listened(values, "temperature", 80.0)
        assert sum(expects(one) for one in told) < 9
        assert all(one.share > 0.95 for one in told[200:])  # as dynamic does on its own


@pytest.mark.parametrize("plant", [*PLANTS, Noisy, Steady])
def test_where_history_teaches_little_it_is_as_good_as_dynamic(plant: type[Plant]) -> None:
    (over, lost), (ours, our_loss) = compared(plant)
    theirs = over + max(0.0, lost)
    assert ours + max(0.0, our_loss) <= 1.1 * theirs + 0.4


def test_a_neighbour_that_comes_and_goes_is_hardly_ever_met_over_the_limit() -> None:
    _, (ours, _) = compared(Periodic, 1800)
    assert ours < 0.5


def test_a_sensor_slower_than_the_ticks_is_forecast_at_its_own_pace() -> None:
    strategy = Predictive()
    for second in range(400):
        measured = second - second % 5
        seen = observed(
            float(second), state("power", 20.0 + 0.1 * measured, 80.0, fresh=second % 5 == 0)
        )
        (allocation,) = strategy.decide(seen).allocations
    assert allocation.expected is not None
    assert allocation.expected.seconds == pytest.approx(600 - 399, rel=0.1)


def test_a_value_that_was_never_there_costs_nothing_and_holds_nothing_back() -> None:
    strategy, missing = Predictive(), state("power", math.nan, 50.0)
    first = strategy.decide(observed(0.0, missing)).allocations[0]
    coming = (Announcement("power", 100.0, 1.0, 10.0),)
    again = strategy.decide(observed(1.0, missing, announcements=coming)).allocations[0]
    assert again is first
    assert first.share == 1.0


def test_a_value_that_is_gone_is_held_as_dynamic_holds_it() -> None:
    for strategy in (Predictive(), Dynamic()):
        for second in range(20):
            strategy.decide(observed(float(second), state("cpu", 79.0, 80.0)))
        (allocation,) = strategy.decide(observed(20.0, state("cpu", math.nan, 80.0))).allocations
        assert "not measured" in allocation.reason
        assert allocation.expected is None


def test_reasons_change_hardly_more_often_than_those_of_dynamic() -> None:
    random = Random(5)
    values = [79.0 + random.gauss(0, 3) for _ in range(600)]  # a breach is about likely
    dynamic = Dynamic()
    theirs = [
        dynamic.decide(observed(float(at), state("cpu", value, 84.0))).allocations[0]
        for at, value in enumerate(values)
    ]
    assert changes(listened(values, "cpu", 84.0)) < 1.3 * changes(theirs)


def changes(told: list[Allocation]) -> int:
    """How often the reason is another one."""
    return sum(a.reason != b.reason for a, b in pairwise(told))
