"""What a sample means for the limits: levels, blindness, time to the limit, violations."""

from __future__ import annotations

import math
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.limits.judge import KEPT_VIOLATIONS, Judge
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import CPU, MEMORY, POWER, TEMPERATURE, Resource
from tests.limits.samples import no_slope, sample

MEM = "memory_used_mb"
TEMP = "temperature_celsius"
WATTS = "power_watts"


def constant(slope: float, field: str) -> float:
    return slope


def feed(judge: Judge, values: list[float], start: float = 0.0, field: str = MEM) -> LimitState:
    """Judge a value a second; return the last state of the first limit."""
    for second, value in enumerate(values):
        states = judge.judge(sample(start + second, {field: value}), no_slope)
    return states[0]


def test_a_state_carries_value_limit_level_and_freshness() -> None:
    judge = Judge([(MEMORY, 1000.0), (TEMPERATURE, 80.0)], 1.0)
    memory, heat = judge.judge(sample(0.0, {MEM: 500.0, TEMP: 60.0}), no_slope)
    assert (memory.resource, memory.limit, memory.value) == (MEMORY, 1000.0, 500.0)
    assert memory.level is Level.NORMAL
    assert memory.fresh
    assert not memory.blind
    assert heat.value == 60.0
    assert judge.resources == (MEMORY, TEMPERATURE)


@pytest.mark.parametrize(
    ("value", "level"),
    [(700, Level.NORMAL), (760, Level.ELEVATED), (860, Level.CRITICAL), (940, Level.EMERGENCY)],
)
def test_two_values_beyond_a_line_raise_the_level(value: float, level: Level) -> None:
    assert feed(Judge([(MEMORY, 1000.0)], 1.0), [value, value]).level is level


def test_temperature_is_judged_by_degrees_below_its_limit() -> None:
    judge = Judge([(TEMPERATURE, 80.0)], 1.0)
    assert feed(judge, [71.0, 71.0], field=TEMP).level is Level.ELEVATED
    assert feed(judge, [76.0, 76.0], 2.0, field=TEMP).level is Level.CRITICAL
    assert feed(judge, [80.0], 4.0, field=TEMP).level is Level.EMERGENCY


def test_memory_that_grows_fast_raises_the_level_before_its_line() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    for second, value in enumerate((600.0, 650.0)):
        (state,) = judge.judge(sample(float(second), {MEM: value}), lambda field: 50.0)
    assert state.time_to_limit == pytest.approx(7.0)
    assert state.slope == 50.0
    assert state.level is Level.CRITICAL


def test_growth_far_from_the_limit_raises_nothing_and_is_not_even_asked_for() -> None:
    asked: list[str] = []

    def slopes(field: str) -> float:
        asked.append(field)
        return 500.0

    judge = Judge([(MEMORY, 1000.0), (CPU, 80.0)], 1.0)
    for second in range(5):
        judge.judge(sample(float(second), {MEM: 400.0, "cpu_percent": 79.0}), slopes)
    assert asked == []
    judge.judge(sample(5.0, {MEM: 500.0, "cpu_percent": 79.0}), slopes)
    assert asked == [MEM]


@pytest.mark.parametrize("slope", [math.nan, math.inf])
def test_an_unknown_slope_is_none(slope: float) -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    (state,) = judge.judge(sample(0.0, {MEM: 600.0}), lambda field: slope)
    assert state.slope == 0.0
    assert state.time_to_limit == math.inf


def test_a_missing_value_is_blind_and_leaves_the_level() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    feed(judge, [940.0])
    state = feed(judge, [math.nan] * 100, 1.0)
    assert state.blind
    assert not state.fresh
    assert state.level is Level.EMERGENCY


def test_the_state_of_a_missing_value_is_the_same_object_until_there_is_a_value() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    (before,) = judge.judge(sample(0.0, {}), no_slope)
    (again,) = judge.judge(sample(1.0, {}), no_slope)
    assert again is before
    assert math.isnan(again.value)
    (alive,) = judge.judge(sample(2.0, {MEM: 950.0}), no_slope)
    assert (alive.value, alive.fresh, alive.blind) == (950.0, True, False)
    assert feed(judge, [950.0], 3.0).level is Level.EMERGENCY
    (gone,) = judge.judge(sample(4.0, {}), no_slope)
    assert (gone.blind, gone.level) == (True, Level.EMERGENCY)
    judge.replace_limit("memory", 2000.0)
    assert judge.judge(sample(5.0, {}), no_slope)[0].limit == 2000.0
    judge.forget()
    assert judge.judge(sample(6.0, {}), no_slope)[0].level is Level.NORMAL


def test_changes_grow_with_levels_and_violations_and_stand_still_otherwise() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    feed(judge, [100.0] * 5)
    assert judge.changes == 0
    feed(judge, [760.0] * 5, 5.0)
    assert judge.changes == 1
    feed(judge, [1100.0] * 5, 10.0)
    assert judge.changes == 3  # emergency, and a violation


def test_a_value_that_is_too_old_is_blind_until_a_new_one_comes() -> None:
    judge = Judge([(POWER, 100.0)], 1.0)
    ages = {}
    for second in range(60):
        measured = float(second - second % 5) if second < 30 else 25.0
        (state,) = judge.judge(sample(float(second), {WATTS: 50.0}, {WATTS: measured}), no_slope)
        ages[second] = (state.fresh, state.blind)
    assert ages[5] == (True, False)
    assert ages[9] == (False, False)
    assert ages[39] == (False, False)  # 14 s: less than three of its periods of 5 s
    assert ages[41] == (False, True)
    (state,) = judge.judge(sample(60.0, {WATTS: 50.0}, {WATTS: 60.0}), no_slope)
    assert (state.fresh, state.blind) == (True, False)


def test_rates_of_an_earlier_tick_are_not_judged_again() -> None:
    judge = Judge([(CPU, 80.0), (MEMORY, 1000.0)], 1.0)
    values = {"cpu_percent": 90.0, MEM: 10.0}
    judge.judge(sample(0.0, values), no_slope)
    cpu, memory = judge.judge(sample(0.1, values), no_slope, rates_fresh=False)
    assert not cpu.fresh
    assert memory.fresh
    assert judge.samples == {"cpu": 1, "memory": 2}


def test_the_same_measurement_seen_twice_counts_once() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    for tick in range(10):
        judge.judge(sample(tick * 0.1, {MEM: 900.0}, {MEM: 0.0}), no_slope)
    assert judge.samples == {"memory": 1}


def test_one_sample_beyond_the_limit_is_no_violation() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    feed(judge, [900.0, 1100.0, 900.0, 900.0, 1100.0, 900.0])
    assert judge.violations == []
    assert judge.seconds_over == {"memory": 2.0}


def test_a_violation_runs_from_its_first_sample_to_the_first_of_two_within() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    feed(judge, [900.0, 1100.0, 1300.0])
    (violation,) = judge.violations
    assert judge.ongoing("memory") is violation
    assert violation.ended is None
    feed(judge, [1200.0, 950.0, 1010.0, 940.0, 930.0], 3.0)
    assert violation.started == 1001.0
    assert [v.ended for v in judge.violations] == [1006.0]
    assert violation.peak == 1300.0
    assert violation.seconds_over == 4.0
    assert violation.limit == 1000.0
    assert judge.ongoing("memory") is None
    assert judge.violations_begun == 1


def test_a_second_violation_needs_two_samples_again() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    feed(judge, [1100.0, 1100.0, 900.0, 900.0, 1100.0])
    assert judge.violations_begun == 1
    feed(judge, [1100.0], 5.0)
    assert judge.violations_begun == 2
    assert judge.violations[1].started == 1004.0


def test_time_in_which_nothing_was_measured_is_not_counted_as_over() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    feed(judge, [1100.0, 1100.0])
    feed(judge, [math.nan] * 100, 2.0)
    feed(judge, [1100.0, 900.0, 900.0], 102.0)
    assert judge.seconds_over["memory"] < 10.0


def test_the_newest_violations_are_kept_and_the_others_counted() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    feed(judge, [1100.0, 1100.0, 900.0, 900.0] * (KEPT_VIOLATIONS + 5))
    assert len(judge.violations) == KEPT_VIOLATIONS
    assert judge.violations_dropped == 5
    assert judge.violations[0].started == 1020.0


def test_another_limit_is_judged_by_from_then_on() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    feed(judge, [600.0, 600.0])
    judge.replace_limit("memory", 640.0)
    state = feed(judge, [600.0, 600.0], 2.0)
    assert state.limit == 640.0
    assert state.level is Level.EMERGENCY


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan, math.inf])
def test_a_limit_out_of_range_is_refused(limit: float) -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    with pytest.raises(ConfigurationError, match="above 0"):
        judge.replace_limit("memory", limit)
    with pytest.raises(ConfigurationError, match="above 0"):
        Judge([(MEMORY, limit)], 1.0)


def test_a_resource_without_a_limit_or_a_field_is_named() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    with pytest.raises(ConfigurationError, match=r"'cpu'.*memory"):
        judge.replace_limit("cpu", 50.0)
    with pytest.raises(ConfigurationError, match="latency_ms"):
        Judge([(Resource("latency", "ms", "rate", "latency_ms", device_wide=False), 50.0)], 1.0)


def test_the_preview_tells_what_memory_calls_for_without_remembering() -> None:
    judge = Judge([(MEMORY, 1000.0), (CPU, 50.0)], 1.0)
    high = sample(0.0, {MEM: 860.0, "cpu_percent": 100.0})
    assert judge.preview(high) is Level.CRITICAL
    assert judge.preview(high) is Level.CRITICAL
    assert judge.preview(sample(0.0, {MEM: math.nan})) is Level.NORMAL
    assert judge.judge(high, no_slope)[0].level is Level.NORMAL


def test_after_a_stop_levels_are_normal_and_a_violation_ends_where_measuring_did() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    feed(judge, [1100.0] * 4)
    judge.forget()
    assert judge.violations[0].ended == 1003.0
    assert judge.seconds_over == {"memory": 3.0}
    assert feed(judge, [500.0], 50.0).level is Level.NORMAL
    assert judge.seconds_over == {"memory": 3.0}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.01, 20.0),
            st.one_of(st.just(math.nan), st.floats(-1e9, 1e9)),
            st.floats(allow_nan=True, allow_infinity=True),
        ),
        max_size=60,
    )
)
def test_whatever_is_measured_the_judge_answers_and_its_sums_make_sense(
    ticks: list[tuple[float, float, float]],
) -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    now = 0.0
    for elapsed, value, slope in ticks:
        now += elapsed
        (state,) = judge.judge(sample(now, {MEM: value}), partial(constant, slope))
        assert state.time_to_limit >= 0.0
        assert state.fresh != state.blind
    assert 0.0 <= judge.seconds_over["memory"] <= now
    for violation in judge.violations:
        assert violation.peak > 1000.0
        assert violation.seconds_over <= judge.seconds_over["memory"] + 1e-9
        assert violation.ended is None or violation.ended > violation.started
