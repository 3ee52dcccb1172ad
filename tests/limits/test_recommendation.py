"""What is recommended stays quiet in what was seen, and says how much that was."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.limits.recommendation import (
    LEAST_SECONDS,
    Circumstances,
    Recommendation,
    quiet_limit,
    recommend,
)
from amptalk.limits.thresholds import lines_for
from amptalk.limits.usage import PERIOD, Usage
from amptalk.model.level import turned
from amptalk.model.resource import BUILT_IN, CPU, MEMORY, POWER, TEMPERATURE, Resource

FRAMES = Resource("fps", "1/s", "rate", "fps", device_wide=False, minimum=True)
LATENCY = Resource("latency_ms", "ms", "rate", "latency_ms", device_wide=False)
KNOWN = st.sampled_from([*BUILT_IN.values(), LATENCY, FRAMES])
ENOUGH = int(LEAST_SECONDS / PERIOD)


def used(peaks: list[float], means: list[float] | None = None) -> Usage:
    usage = Usage()
    for number, (peak, mean) in enumerate(zip(peaks, means or peaks, strict=True)):
        usage.add(number * PERIOD, peak, mean)
    return usage


def recommended(
    resource: Resource, usage: Usage, most: float = math.inf, held_back: float = 0.0
) -> Recommendation:
    about = Circumstances("max_it", 500.0, most, held_back)
    return recommend(resource, usage, usage.observed_seconds, about)


@given(KNOWN, st.floats(0.1, 1e5))
def test_under_the_quiet_limit_the_peak_is_just_normal(resource: Resource, peak: float) -> None:
    limit = quiet_limit(resource, peak)
    value = turned(peak, limit) if resource.minimum else peak
    enter = lines_for(resource, limit).enter[0]
    assert value == pytest.approx(enter)


@given(KNOWN, st.lists(st.floats(1.0, 1e4), min_size=ENOUGH, max_size=ENOUGH + 60))
def test_ninety_nine_of_a_hundred_peaks_stay_quiet(resource: Resource, peaks: list[float]) -> None:
    limit = recommended(resource, used(peaks)).limit
    assert limit is not None
    slack = 1.006  # three digits are told
    line = lines_for(resource, limit).enter[0] * slack
    quiet = [turned(p, limit) if resource.minimum else p for p in peaks]
    assert sum(value <= line for value in quiet) >= 0.985 * len(peaks)  # hours count nearly alike


def test_memory_gets_a_limit_above_its_peaks_and_a_reservation_of_what_it_mostly_needs() -> None:
    one = recommended(MEMORY, used([600.0] * 595 + [750.0] * 5, [500.0] * 550 + [580.0] * 50))
    assert one.limit == pytest.approx(600.0 / 0.75, rel=0.025)
    assert one.reservation == pytest.approx(500.0, rel=0.025)
    assert one.present == 500.0
    assert one.observed_seconds == 6000.0
    assert one.confidence == pytest.approx(1 - 2 ** (-6000 / 86400), rel=0.01)
    assert "99 % of the ten-second peaks were up to 6" in one.reason
    assert "were enough 90 % of the time" in one.reason


def test_heat_is_given_ten_degrees_and_only_what_components_share_is_reserved() -> None:
    one = recommended(TEMPERATURE, used([70.0] * 100))
    assert one.limit == pytest.approx(80.0, abs=1.5)
    assert one.reservation is None
    assert recommended(POWER, used([10.0] * 100)).reservation is None
    assert recommended(LATENCY, used([40.0] * 100)).reservation is None


def test_a_minimum_is_recommended_below_what_was_reached() -> None:
    one = recommended(FRAMES, used([30.0] * 100))
    assert one.limit == pytest.approx(0.85 * 30.0, rel=0.025)
    assert "at or above" in one.reason


def test_too_little_seen_recommends_nothing_and_says_so() -> None:
    one = recommended(MEMORY, used([600.0] * (ENOUGH - 1)))
    assert (one.limit, one.reservation) == (None, None)
    assert one.reason == "watched for 9.83 min: 10 min are needed at least"
    assert recommended(MEMORY, used([600.0] * 4)).reason.startswith("watched for 40 s")


def test_what_cannot_be_had_is_not_recommended() -> None:
    one = recommended(CPU, used([96.0] * 100), most=100.0)
    assert one.limit is None
    assert "a lower one holds work back" in one.reason
    full = recommended(CPU, used([100.0] * 100), most=100.0)
    assert full.reservation == 100.0
    assert "were up to 100 %" in full.reason
    assert one.reservation == pytest.approx(96.0, rel=0.025)


def test_use_under_a_limit_that_held_work_back_is_told_apart() -> None:
    usage = used([600.0] * 100)
    assert "held back" not in recommended(MEMORY, usage, held_back=5.0).reason
    assert "5 min of work were held back" in recommended(MEMORY, usage, held_back=300.0).reason


def test_nothing_but_zeros_leaves_nothing_to_limit() -> None:
    assert recommended(POWER, used([0.0] * 100)).limit is None
