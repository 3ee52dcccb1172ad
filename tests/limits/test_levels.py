"""How levels move: quickly up, slowly down, slower still when they flap."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.limits.levels import LevelMachine
from amptalk.limits.thresholds import Thresholds, lines_for, thresholds_for
from amptalk.model.level import Level
from amptalk.model.resource import BUILT_IN, CPU, MEMORY, POWER, TEMPERATURE, Resource

QUICK = Thresholds((0.7, 0.8, 0.9), 0.1)


def after(machine: LevelMachine, start: float, seconds: float, called: int, stay: int) -> Level:
    """Level after `seconds` of a sample a second."""
    level = machine.level
    for second in range(int(seconds)):
        level = machine.update(start + second, called, stay)
    return level


def test_one_sample_does_not_raise_a_level_two_do() -> None:
    machine = LevelMachine(QUICK)
    assert machine.update(0.0, 1, 1) is Level.NORMAL
    assert machine.update(1.0, 1, 1) is Level.ELEVATED


def test_two_samples_within_a_quarter_of_a_second_are_not_enough() -> None:
    machine = LevelMachine(QUICK)
    machine.update(0.0, 2, 2)
    assert machine.update(0.1, 2, 2) is Level.NORMAL
    assert machine.update(0.2, 2, 2) is Level.NORMAL
    assert machine.update(0.26, 2, 2) is Level.CRITICAL


def test_an_emergency_needs_one_sample() -> None:
    assert LevelMachine(QUICK).update(0.0, 3, 3) is Level.EMERGENCY


def test_a_single_outlier_between_low_values_raises_nothing() -> None:
    machine = LevelMachine(QUICK)
    levels = {machine.update(float(t), 2 if t % 2 else 0, 2) for t in range(100)}
    assert levels == {Level.NORMAL}


def test_a_hold_time_must_pass_and_values_below_take_back_what_others_gave() -> None:
    holding = Thresholds((0.9, 1.0, 1.1), 0.1, hold=(10.0, 5.0, 2.0))
    assert after(LevelMachine(holding), 0.0, 10, 1, 1) is Level.NORMAL
    assert after(LevelMachine(holding), 0.0, 11, 1, 1) is Level.ELEVATED
    mixed = LevelMachine(holding)
    for second in range(60):
        mixed.update(float(second), second % 2, 1)
    assert mixed.level is Level.NORMAL
    mostly = LevelMachine(holding)
    for second in range(60):
        mostly.update(float(second), int(second % 4 != 0), 1)
    assert mostly.level is Level.ELEVATED


def test_levels_go_down_one_at_a_time_after_fifteen_clear_seconds_each() -> None:
    machine = LevelMachine(QUICK)
    machine.update(0.0, 3, 3)
    assert after(machine, 1.0, 15, 0, 0) is Level.EMERGENCY
    assert machine.update(16.0, 0, 0) is Level.CRITICAL
    assert after(machine, 17.0, 14, 0, 0) is Level.CRITICAL
    assert machine.update(31.0, 0, 0) is Level.ELEVATED
    assert machine.update(46.0, 0, 0) is Level.NORMAL


def test_a_value_between_entry_and_clear_line_keeps_the_level() -> None:
    machine = LevelMachine(QUICK)
    after(machine, 0.0, 2, 2, 2)
    assert after(machine, 2.0, 600, 0, 2) is Level.CRITICAL


def seconds_until_clear(machine: LevelMachine, now: float) -> float:
    since = now
    while machine.level:
        now += 1.0
        machine.update(now, 0, 0)
        assert now - since < 400
    return now - since


def test_a_level_that_returns_soon_takes_twice_as_long_to_clear_up_to_five_minutes() -> None:
    machine = LevelMachine(QUICK)
    now, waits = 0.0, []
    for _ in range(7):
        machine.update(now, 1, 1)
        machine.update(now + 1, 1, 1)
        wait = seconds_until_clear(machine, now + 1)
        waits.append(wait - 1)  # the first clear sample comes a second later
        now += 1 + wait + 10
    assert waits == [15, 30, 60, 120, 240, 300, 300]


def test_after_quiet_it_is_fifteen_seconds_again() -> None:
    machine = LevelMachine(QUICK)
    now = 0.0
    for quiet in (10, 200):
        after(machine, now, 2, 1, 1)
        now += 1 + seconds_until_clear(machine, now + 1) + quiet
    after(machine, now, 2, 1, 1)
    assert seconds_until_clear(machine, now + 1) == 16


def test_time_without_samples_counts_neither_as_over_nor_as_clear() -> None:
    holding = Thresholds((0.9, 1.0, 1.1), 0.1, hold=(10.0, 5.0, 2.0))
    machine = LevelMachine(holding)
    machine.update(0.0, 1, 1)
    machine.resume(100.0)
    assert machine.update(100.0, 1, 1) is Level.NORMAL
    high = LevelMachine(QUICK)
    high.update(0.0, 3, 3)
    high.update(1.0, 0, 0)
    high.resume(100.0)
    assert high.update(100.0, 0, 0) is Level.EMERGENCY


def called(lines: tuple[float, float, float], value: float) -> int:
    return sum(value >= line for line in lines)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(BUILT_IN)),
    st.integers(0, 2),
    st.floats(min_value=2.0, max_value=200.0),
    st.floats(min_value=0.0, max_value=0.05),
    st.sampled_from([0.1, 0.5, 1.0, 5.0]),
)
def test_a_value_that_swings_around_a_threshold_does_not_make_the_level_flap(
    name: str, which: int, period: float, swing: float, tick: float
) -> None:
    resource = BUILT_IN[name]
    lines = lines_for(resource, 80.0)
    machine = LevelMachine(thresholds_for(resource))
    transitions, level = 0, Level.NORMAL
    for step in range(int(600 / tick)):
        now = step * tick
        value = lines.enter[which] * (1 + swing * math.sin(2 * math.pi * now / period))
        new = machine.update(now, called(lines.enter, value), called(lines.stay, value))
        transitions += new is not level
        level = new
    assert transitions <= 1 + 600 / 15


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 30.0), st.integers(0, 3), st.integers(0, 3)), max_size=80)
)
def test_whatever_comes_a_level_never_drops_by_more_than_one_or_above_what_was_called(
    steps: list[tuple[float, int, int]],
) -> None:
    machine = LevelMachine(QUICK)
    now, before = 0.0, 0
    for elapsed, level_called, extra in steps:
        now += elapsed
        level = int(machine.update(now, level_called, max(level_called, extra)))
        assert level >= before - 1
        assert level <= max(before, level_called)
        before = level


@given(st.sampled_from([MEMORY, CPU, POWER, TEMPERATURE]), st.floats(20.0, 1e5))
def test_lines_are_in_order_and_clear_lies_below_entry(resource: Resource, limit: float) -> None:
    lines = lines_for(resource, limit)
    assert list(lines.enter) == sorted(lines.enter)
    assert all(stay < enter for stay, enter in zip(lines.stay, lines.enter, strict=True))


@pytest.mark.parametrize(
    ("resource", "limit", "expected"),
    [
        (MEMORY, 1000.0, (750.0, 850.0, 930.0)),
        (CPU, 80.0, (68.0, 76.0, 88.0)),
        (POWER, 100.0, (90.0, 100.0, 110.0)),
        (TEMPERATURE, 80.0, (70.0, 75.0, 80.0)),
    ],
)
def test_the_table(resource: Resource, limit: float, expected: tuple[float, ...]) -> None:
    assert lines_for(resource, limit).enter == pytest.approx(expected)
