"""What follows a shape: learned from scratch, in scales, beside a day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.forecast.experts.regression import Regression
from amptalk.forecast.past import BOUND, FURTHEST, Past
from amptalk.forecast.profile import DAY, DailyProfile

H = 6


def told(
    values: Sequence[float], step: float = 1.0, profile: DailyProfile | None = None
) -> list[float]:
    """Expected values after the last of `values`."""
    past, expert, offsets = Past(H), Regression(H, step, profile), [0.0] * H
    for position, value in enumerate(values):
        past.add(value, position * step)
        if past.scales[0]:
            offsets = list(expert.update(past))
    return [values[-1] + past.scales[0] * offset for offset in offsets]


def test_it_expects_no_move_before_it_has_learned() -> None:
    values = [float(i) for i in range(15)]
    assert told(values) == [14.0] * H


def test_a_ramp_goes_on() -> None:
    assert told([2.0 * i for i in range(300)]) == pytest.approx(
        [598.0 + 2.0 * i for i in range(1, H + 1)], abs=0.5
    )


@pytest.mark.parametrize("period", [2, 3, 4, 6])
def test_a_short_cycle_is_learned(period: int) -> None:
    values = [10.0 * math.sin(2 * math.pi * (i + 0.25) / period) for i in range(600)]
    follows = [10.0 * math.sin(2 * math.pi * (i + 0.25) / period) for i in range(600, 600 + H)]
    assert told(values) == pytest.approx(follows, abs=1.0)


def test_what_swings_back_is_expected_to() -> None:
    random, value, values = Random(1), 0.0, []
    for _ in range(3000):
        value = 0.8 * value + random.gauss(0.0, 1.0)
        values.append(value)
    values.append(5.0)
    expected = told(values)
    assert expected == pytest.approx([5.0 * 0.8**i for i in range(1, H + 1)], abs=1.0)


def test_spikes_do_not_disturb_what_was_learned() -> None:
    random = Random(2)
    values = [2.0 * i + (5000.0 if random.random() < 0.02 else 0.0) for i in range(900)]
    values[-20:] = [2.0 * i for i in range(880, 900)]
    expected = told(values)
    assert expected == pytest.approx([1798.0 + 2.0 * i for i in range(1, H + 1)], abs=10.0)


def day(seconds: float) -> float:
    """A job of twenty minutes each hour, at its own minute: no shape tells when it begins."""
    hour, rest = divmod(seconds % DAY, 3600.0)
    begin = 600.0 * (hour * 7 % 4)
    return 60.0 if begin <= rest < begin + 1200.0 else 20.0


def day_errors(profile: DailyProfile | None) -> float:
    random, step, past = Random(3), 300.0, Past(H)
    expert, missed, made = Regression(H, step, profile), 0.0, 0
    count = round(8 * DAY / step)
    for i in range(count):
        past.add(day(i * step) + random.gauss(0.0, 1.0), i * step)
        if not past.scales[0]:
            continue
        offset = expert.update(past)[2]
        if i > 0.6 * count:
            expected = past.values[0] + past.scales[0] * offset
            missed, made = missed + abs(expected - day((i + 3) * step)), made + 1
    return missed / made


def test_a_day_that_repeats_is_known_from_the_profile() -> None:
    assert day_errors(DailyProfile()) < 0.7 * day_errors(None)


def test_a_profile_is_not_asked_where_a_horizon_ends_within_its_bins() -> None:
    profile = DailyProfile()
    told([float(i % 3) for i in range(100)], step=5.0, profile=profile)
    assert profile._seen == 0
    assert profile._count == 0


@given(st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=150), st.sampled_from([1.0, 3600.0]))
@settings(max_examples=50, deadline=None)
def test_it_is_bounded_whatever_came(values: list[float], step: float) -> None:
    past, expert = Past(H), Regression(H, step, DailyProfile())
    for position, value in enumerate(values):
        past.add(value, position * step)
        if past.scales[0]:
            offsets = expert.update(past)
            assert len(offsets) == H
            assert all(abs(offset) <= BOUND + FURTHEST for offset in offsets)
