"""Signals under limits: told now and then, some of them with a minimum."""

from __future__ import annotations

import math

import pytest

from amptalk.limits.judge import Judge
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import MEMORY, Resource
from amptalk.model.sample import FIELDS, Columns, Field, Sample
from tests.limits.samples import no_slope

LATENCY = Resource("latency_ms", "ms", "rate", "latency_ms", device_wide=False)
QUEUE = Resource("queue", "1", "hold", "queue", device_wide=False)
FRAMES = Resource("fps", "1/s", "rate", "fps", device_wide=False, minimum=True)
COLUMNS = Columns((Field("latency_ms", "ms"), Field("queue", "1"), Field("fps", "1/s")))


def sample(seconds: float, latency: float = math.nan, queue: float = math.nan,
           fps: float = math.nan) -> Sample:  # fmt: skip
    row = (*(math.nan,) * len(FIELDS), latency, queue, fps)
    return Sample(1000.0 + seconds, seconds, row, columns=COLUMNS)


def judging(resource: Resource, limit: float) -> Judge:
    judge = Judge([], 1.0)
    judge.add(resource, limit, COLUMNS.index)
    return judge


def judged(judge: Judge, one: Sample, *, rates_fresh: bool = True) -> LimitState:
    [state] = judge.judge(one, no_slope, rates_fresh=rates_fresh)
    return state


def test_a_signal_is_judged_like_any_rate() -> None:
    judge = judging(LATENCY, 60.0)
    for second in range(12):
        state = judged(judge, sample(second, latency=55.0))
    assert (state.value, state.level) == (55.0, Level.ELEVATED)
    judged(judge, sample(12.0, latency=75.0))
    judged(judge, sample(13.0, latency=90.0))
    [violation] = judge.violations
    assert (violation.resource, violation.peak, violation.unit) == ("latency_ms", 90.0, "ms")


def test_short_silence_is_an_old_value_and_long_silence_is_blindness() -> None:
    judge = judging(LATENCY, 60.0)
    judged(judge, sample(0.0, latency=50.0))
    silent = judged(judge, sample(14.0))
    assert (silent.value, silent.fresh, silent.blind) == (50.0, False, False)
    blind = judged(judge, sample(16.0))
    assert blind.blind
    assert math.isnan(blind.value)
    back = judged(judge, sample(17.0, latency=40.0))
    assert (back.value, back.fresh, back.blind) == (40.0, True, False)


def test_a_signal_told_every_ten_seconds_reaches_and_leaves_its_levels() -> None:
    judge = judging(LATENCY, 60.0)
    levels = []
    for second in range(400):
        told = second % 10 == 0
        latency = (80.0 if second < 100 else 20.0) if told else math.nan
        state = judged(judge, sample(float(second), latency=latency))
        assert not state.blind
        levels.append(state.level)
    assert max(levels[:100]) is Level.EMERGENCY
    assert levels[-1] is Level.NORMAL
    assert len(judge.violations) == 1


def test_between_the_readings_of_rates_a_signal_of_any_kind_is_not_fresh() -> None:
    judge = judging(QUEUE, 60.0)
    assert judged(judge, sample(0.0, queue=50.0)).fresh
    assert not judged(judge, sample(0.1, queue=50.0), rates_fresh=False).fresh


def test_a_minimum_is_violated_by_too_little_and_told_as_measured() -> None:
    judge = judging(FRAMES, 25.0)
    assert not judged(judge, sample(0.0, fps=30.0)).over
    assert judged(judge, sample(1.0, fps=24.0)).over
    judged(judge, sample(2.0, fps=20.0))
    state = judged(judge, sample(3.0, fps=22.0))
    assert state.measured == pytest.approx(22.0)
    [violation] = judge.violations
    assert violation.peak == pytest.approx(20.0)
    for second in range(4, 60):
        state = judged(judge, sample(float(second), fps=50.0))
    assert violation.ended is not None
    assert state.level is Level.NORMAL


def test_a_removed_limit_ends_its_violation_and_is_judged_no_more() -> None:
    judge = Judge([(MEMORY, 1000.0)], 1.0)
    judge.add(LATENCY, 60.0, COLUMNS.index)
    for second in range(3):
        judge.judge(sample(second, latency=90.0), no_slope)
    assert judge.ongoing("latency_ms") is not None
    judge.remove("latency_ms")
    assert judge.violations[0].ended == 1002.0
    assert judge.resources == (MEMORY,)
    assert len(judge.judge(sample(3.0, latency=90.0), no_slope)) == 1


def test_a_full_queue_has_no_memory_measured_exactly() -> None:
    assert judging(QUEUE, 10.0).preview(sample(0.0, queue=50.0)) is Level.NORMAL


def test_a_resource_that_no_column_measures_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no field of a sample"):
        judging(LATENCY._replace(field="elsewhere"), 60.0)
