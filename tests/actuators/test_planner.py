"""The planner picks the cheapest set that gives back what is needed in time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.actuators.planner import need_of, plan
from amptalk.limits.thresholds import lines_for
from amptalk.model.level import Level
from amptalk.model.resource import CPU, MEMORY, TEMPERATURE
from tests.actuators.support import Step, state


@st.composite
def steps(draw: st.DrawFn, unknown: bool = True) -> list[Step]:
    effect = st.floats(1, 500)
    return [
        Step(
            f"step{i}",
            level=draw(st.sampled_from([Level.ELEVATED, Level.CRITICAL, Level.EMERGENCY])),
            cost=draw(st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0])),
            latency=draw(st.sampled_from([0.0, 1.0, 30.0])),
            expected=draw(st.one_of(st.none(), effect) if unknown else effect),
        )
        for i in range(draw(st.integers(0, 10)))
    ]


def promised(chosen: Iterable[Step]) -> float:
    """The declared effects together; each of them is known."""
    total = 0.0
    for step in chosen:
        assert step.expected is not None
        total += step.expected
    return total


LEVELS = st.sampled_from([Level.ELEVATED, Level.CRITICAL, Level.EMERGENCY])
NEEDS = st.floats(1, 2000)


@settings(max_examples=150, deadline=None)
@given(steps(), LEVELS, NEEDS)
def test_nothing_above_its_level_and_nothing_twice(
    candidates: list[Step], level: Level, need: float
) -> None:
    chosen = plan(need, level, candidates, {})
    assert all(step.level <= level for step in chosen)
    assert len({step.name for step in chosen}) == len(chosen)
    assert chosen or not [step for step in candidates if step.level <= level]


@settings(max_examples=100, deadline=None)
@given(steps(), NEEDS)
def test_an_emergency_takes_everything_even_with_a_step_in_flight(
    candidates: list[Step], need: float
) -> None:
    chosen = plan(need, Level.EMERGENCY, candidates, {}, in_flight={"memory"}, seconds=0.5)
    assert {step.name for step in chosen} == {step.name for step in candidates}
    assert [step.cost for step in chosen] == sorted(step.cost for step in chosen)


@settings(max_examples=150, deadline=None)
@given(steps(unknown=False), NEEDS)
def test_a_set_of_measured_effects_reaches_the_need_and_none_that_does_is_cheaper(
    candidates: list[Step], need: float
) -> None:
    allowed = [step for step in candidates if step.level <= Level.CRITICAL]
    measured = {step.name: promised([step]) for step in candidates}
    chosen = plan(need, Level.CRITICAL, candidates, measured)
    total = promised(allowed)
    if total < need:
        assert len(chosen) == len(allowed)
        return
    assert promised(chosen) >= need - 1e-6
    costly = [step for step in allowed if step.cost]
    if len(costly) > 8:
        return
    sets = chain.from_iterable(combinations(costly, n) for n in range(len(costly) + 1))
    free = promised(step for step in allowed if not step.cost)
    best = min(sum(step.cost for step in one) for one in sets if free + promised(one) >= need)
    assert sum(step.cost for step in chosen) == pytest.approx(best)


def test_of_many_known_effects_none_is_taken_in_vain() -> None:
    many = [Step(f"s{i}", cost=0.1 + i / 100, expected=50.0 + i) for i in range(15)]
    chosen = plan(300.0, Level.CRITICAL, many, {step.name: promised([step]) for step in many})
    assert promised(chosen) >= 300
    for step in chosen:
        assert promised(other for other in chosen if other is not step) < 300


def test_unknown_effects_are_tried_one_at_a_time_and_the_cheapest_first() -> None:
    dear, cheap = Step("dear", cost=0.5), Step("cheap", cost=0.1)
    assert plan(100, Level.CRITICAL, [dear, cheap], {}) == [cheap]
    assert plan(100, Level.CRITICAL, [dear, cheap], {"cheap": 10.0}) == [cheap, dear]


def test_a_cheaper_unknown_goes_before_a_dear_known_one_and_a_dearer_one_does_not() -> None:
    known = Step("known", cost=0.3, expected=500)
    assert plan(100, Level.CRITICAL, [known, Step("trim", cost=0.0)], {})[0].name == "trim"
    assert plan(100, Level.CRITICAL, [known, Step("other", cost=0.4)], {}) == [known]


def test_what_costs_nothing_goes_along_but_not_beside_a_first_measurement() -> None:
    trim, unload = Step("trim"), Step("unload", cost=0.5, expected=800)
    assert plan(300, Level.CRITICAL, [trim, unload], {"trim": 50.0}) == [unload]
    assert plan(300, Level.CRITICAL, [trim, unload], {"trim": 50.0, "unload": 700.0}) == [
        trim, unload,
    ]  # fmt: skip
    assert plan(830, Level.CRITICAL, [trim, unload], {"trim": 50.0}) == [trim, unload]


def test_the_learned_effect_counts_instead_of_the_declared_one() -> None:
    boaster, honest = (
        Step("boaster", cost=0.1, expected=900),
        Step("honest", cost=0.2, expected=200),
    )
    assert plan(150, Level.CRITICAL, [boaster, honest], {}) == [boaster]
    assert plan(150, Level.CRITICAL, [boaster, honest], {"boaster": 0.0}) == [honest]


def test_what_gave_nothing_back_is_tried_again_only_when_the_rest_does_not_suffice() -> None:
    useless, weak = Step("useless", cost=0.1, expected=900), Step("weak", cost=0.2, expected=50)
    chosen = plan(150, Level.CRITICAL, [useless, weak], {"useless": 0.0})
    assert {step.name for step in chosen} == {"useless", "weak"}


def test_a_step_in_flight_is_waited_for_below_emergency() -> None:
    assert plan(100, Level.CRITICAL, [Step()], {}, in_flight={"memory"}) == []
    assert plan(100, Level.CRITICAL, [Step()], {}, in_flight={"cpu"}) != []


def test_what_helps_too_late_is_used_only_where_what_helps_in_time_does_not_suffice() -> None:
    slow, quick = Step("slow", latency=30, expected=500), Step("quick", cost=0.5, expected=500)
    assert plan(100, Level.CRITICAL, [slow, quick], {}, seconds=5) == [quick]
    assert plan(100, Level.CRITICAL, [slow], {}, seconds=5) == [slow]
    assert plan(600, Level.CRITICAL, [slow, quick], {}, seconds=5) == [slow, quick]


def test_what_was_declared_but_never_measured_is_tried_while_there_is_time() -> None:
    modest, dear = Step("modest", cost=0.1, expected=50), Step("dear", cost=0.5, expected=800)
    modest.duration, dear.duration = 1.0, 4.0
    known = {"dear": 800.0}
    assert plan(100, Level.CRITICAL, [modest, dear], known) == [modest]
    assert plan(100, Level.CRITICAL, [modest, dear], known, seconds=4.5) == [dear]
    assert plan(100, Level.CRITICAL, [modest, dear], {**known, "modest": 40.0}) == [dear]
    assert plan(100, Level.CRITICAL, [modest, dear], {**known, "modest": 200.0}) == [modest]


def test_no_need_no_step() -> None:
    assert plan(0, Level.CRITICAL, [Step()], {}) == []
    assert plan(-5, Level.EMERGENCY, [Step()], {}) == []


def test_the_need_is_down_to_the_line_where_the_level_is_clear() -> None:
    assert need_of(state(870, Level.CRITICAL)) == pytest.approx(120)
    assert need_of(state(940, Level.EMERGENCY)) == pytest.approx(110)
    assert need_of(state(700)) == pytest.approx(50)
    assert need_of(state(76, Level.CRITICAL, resource=TEMPERATURE, limit=80)) == pytest.approx(6)
    assert need_of(state(97, Level.CRITICAL, resource=CPU, limit=100)) == pytest.approx(12)


def test_growth_adds_to_the_need_but_never_more_than_is_used() -> None:
    assert need_of(state(500, Level.CRITICAL, slope=80)) == pytest.approx(300)
    assert need_of(state(500, Level.CRITICAL, slope=8000)) == 500
    line = lines_for(MEMORY, 1000.0).stay[0]
    assert need_of(state(800, Level.ELEVATED, slope=1)) == pytest.approx(800 - line)


def test_while_known_work_runs_only_what_is_committed_beyond_the_limit_is_needed() -> None:
    pressed = state(960.0, Level.EMERGENCY, slope=100.0)
    assert need_of(pressed) > 0
    assert need_of(pressed, committed=960.0) <= 0
    assert need_of(pressed, committed=995.0) <= 0  # admission let it in: it fits
    assert need_of(pressed, committed=1040.0) == 60.0


def test_beyond_the_limit_all_is_needed_whatever_was_promised() -> None:
    over = state(1010.0, Level.EMERGENCY)
    assert need_of(over, committed=900.0) == need_of(over)
