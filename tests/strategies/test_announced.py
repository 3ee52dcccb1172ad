"""Strategy `predictive` on known demand: announced, admitted, taken back, overlapping."""

from __future__ import annotations

import math
from random import Random
from statistics import fmean

import pytest

from amptalk.model.announcement import Announcement
from amptalk.model.decision import Allocation
from amptalk.strategies.dynamic import Dynamic
from amptalk.strategies.predictive import Predictive
from tests.strategies.counting import Warned, count_held, count_warnings
from tests.strategies.loads import MACHINES, Machine
from tests.strategies.observations import observed, state
from tests.strategies.plants import Visited, run

SEEDS = range(5)


def heard(
    value: float, limit: float, *announced: Announcement, seconds: int = 60, name: str = "cpu"
) -> list[Allocation]:
    """What is decided each second on a steady value with announcements made at the start.

    The value does not follow: what is decided is only listened to.
    """
    strategy, random = Predictive(), Random(0)
    told: list[Allocation] = []
    for second in range(-60, seconds):
        coming = tuple(
            one._replace(starts_in=one.starts_in - second)
            for one in announced
            if second >= 0 and one.starts_in + one.duration > second
        )
        here = sum(one.amount for one in coming if one.resource == name and one.starts_in <= 0.0)
        seen = state(name, value + here + random.gauss(0, 0.01 * limit), limit)
        told += strategy.decide(observed(float(second), seen, announcements=coming)).allocations
    return told[60:]


def test_a_visitor_is_awaited_within_the_limit_where_feedback_comes_too_late() -> None:
    visits = Visited(Random(0)).coming
    dynamic = [run(Visited, Dynamic(), seed) for seed in SEEDS]
    told = [run(Visited, Predictive(), seed, announced=visits) for seed in SEEDS]
    assert fmean(s.over for s in dynamic) > 3.0
    assert fmean(s.over for s in told) < 0.5
    assert max(s.peak for s in told) < 5.0
    # Work comes back at once when the visitor has left, so less is lost as well.
    assert fmean(s.lost for s in told) < fmean(s.lost for s in dynamic)


def test_demand_that_would_cross_is_told_with_when_and_by_how_much() -> None:
    first = heard(600.0, 1000.0, Announcement("memory", 550.0, 40.0, 20.0), name="memory")[0]
    assert first.expected is not None
    assert first.expected.probability > 0.9
    assert first.expected.seconds == pytest.approx(40.0, abs=1.0)
    assert first.expected.value == pytest.approx(1150.0, abs=30.0)
    assert "memory reaches 11" in first.reason
    assert "by known work" in first.reason
    assert "nothing is held back for it yet" in first.reason


def test_what_a_rate_will_be_beyond_the_horizon_is_not_known_whatever_comes_on_top() -> None:
    told = heard(60.0, 100.0, Announcement("cpu", 55.0, 40.0, 20.0))
    probabilities = [one.expected.probability if one.expected else 0.0 for one in told]
    assert max(probabilities[:27]) < 0.5
    assert min(probabilities[31:40]) > 0.9


def test_it_is_set_aside_seconds_before_and_not_sooner() -> None:
    told = heard(60.0, 100.0, Announcement("cpu", 55.0, 40.0, 20.0))
    assert all(one.share == 1.0 for one in told[:33])
    assert told[37].share < 0.8
    assert "55 % of cpu set aside for known work" in told[37].reason


def test_demand_that_fits_holds_nothing_back_and_is_no_warning() -> None:
    told = heard(40.0, 100.0, Announcement("cpu", 30.0, 20.0, 20.0))
    assert all(one.share == 1.0 for one in told)
    assert all(one.expected is None or one.expected.probability < 0.5 for one in told)


def test_what_has_begun_is_not_counted_twice() -> None:
    told = heard(40.0, 100.0, Announcement("cpu", 35.0, 10.0, 60.0))
    assert all(one.share == 1.0 for one in told)
    last = told[-1].expected
    assert last is not None
    assert last.value == pytest.approx(75.0, abs=4.0)


def test_its_end_is_expected_as_well() -> None:
    (allocation,) = heard(60.0, 100.0, Announcement("cpu", 25.0, 5.0, 50.0), seconds=52)[-1:]
    claim = allocation.expected.claim if allocation.expected else None
    told = heard(60.0, 100.0, Announcement("cpu", 25.0, 5.0, 50.0), seconds=52)
    claims = [one.expected.claim for one in told[-4:] if one.expected and one.expected.claim]
    assert claims
    assert claim is None or claim in claims
    assert claims[-1].soon.mean == pytest.approx(85.0, abs=4.0)
    assert claims[-1].late.mean == pytest.approx(60.0, abs=4.0)


def test_demand_that_is_taken_back_is_forgotten_and_the_work_comes_back() -> None:
    strategy = Predictive()
    shares: list[float] = []
    probabilities: list[float] = []
    for second in range(120):
        coming = (Announcement("cpu", 60.0, 40.0 - second, 30.0),) if 10 <= second < 38 else ()
        share = shares[-1] if shares else 1.0
        seen = observed(
            float(second), state("cpu", 5.0 + 65.0 * share, 100.0), announcements=coming
        )
        (allocation,) = strategy.decide(seen).allocations
        shares.append(allocation.share)
        expected = allocation.expected
        probabilities.append(expected.probability if expected else 0.0)
    assert min(shares[30:40]) < 0.8
    assert min(probabilities[30:37]) >= 0.5
    assert max(probabilities[39:]) < 0.5
    assert min(shares[46:]) == 1.0


def test_demands_that_overlap_are_added() -> None:
    alone = Announcement("cpu", 30.0, 5.0, 20.0)
    told = heard(50.0, 100.0, alone, alone._replace(starts_in=9.0))
    first = told[0].expected
    assert first is not None
    assert first.probability > 0.9
    assert first.seconds == pytest.approx(9.0, abs=1.0)
    single = heard(50.0, 100.0, alone)[0].expected
    assert single is not None
    assert single.probability < 0.5


def test_more_than_the_limit_is_told_so_and_leaves_a_little_to_run() -> None:
    told = heard(50.0, 100.0, Announcement("cpu", 150.0, 10.0, 20.0))
    assert told[0].expected is not None
    assert told[0].expected.probability > 0.9
    assert "which alone exceeds the limit by" in told[8].reason
    assert 0.05 <= told[8].share < 0.5


@pytest.mark.parametrize("name", ["memory", "power", "gpu_memory", "temperature"])
def test_every_resource_can_be_announced(name: str) -> None:
    told = heard(50.0, 100.0, Announcement(name, 80.0, 8.0, 20.0), name=name)
    assert told[0].expected is not None
    assert told[0].expected.probability > 0.9
    assert min(one.share for one in told[:8]) < 1.0


def test_demand_on_another_resource_leaves_one_alone() -> None:
    told = heard(50.0, 100.0, Announcement("gpu_memory", 90.0, 1.0, 10.0))
    assert all(one.share == 1.0 for one in told)


def test_demand_that_is_announced_before_anything_was_learned_counts_as_well() -> None:
    strategy = Predictive()
    coming = (Announcement("cpu", 60.0, 3.0, 30.0),)
    for second in range(3):
        seen = observed(float(second), state("cpu", 70.0, 100.0), announcements=coming)
        (allocation,) = strategy.decide(seen).allocations
    assert allocation.expected is not None
    assert allocation.expected.probability >= 0.5
    assert allocation.share < 0.8


def test_work_admitted_just_now_is_expected_before_it_shows() -> None:
    strategy = Predictive()
    for second in range(30):
        strategy.decide(observed(float(second), state("memory", 600.0 + second % 3, 1000.0)))
    admitted = (Announcement("memory", 600.0, 0.0, math.inf),)
    seen = observed(30.0, state("memory", 600.0, 1000.0), announcements=admitted)
    (allocation,) = strategy.decide(seen).allocations
    assert allocation.expected is not None
    assert allocation.expected.probability > 0.9
    assert allocation.expected.seconds < 1.0
    assert allocation.share < 1.0


@pytest.mark.parametrize("machine", MACHINES)
def test_known_demand_breaks_the_limit_for_less_time_than_under_dynamic(
    machine: type[Machine],
) -> None:
    ours = count_held(machine, Predictive, range(2), 900)
    theirs = count_held(machine, Dynamic, range(2), 900)
    assert ours.over < 0.75 * theirs.over
    assert ours.lost < theirs.lost + 8.0


def test_breaches_by_known_demand_are_warned_of_and_few_warnings_are_false() -> None:
    counted = [count_warnings(machine, Predictive, range(2), 900) for machine in MACHINES]
    total = sum(counted, start=Warned())
    assert total.warned + total.missed >= 15
    assert total.recall >= 0.9
    assert total.precision >= 0.8
    assert total.median_lead > 10.0
