"""What a forecaster promises: bounded, calibrated, honest about what it does not know."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.forecast import Forecast, Forecaster
from amptalk.model.errors import ConfigurationError

H = 12


def fed(values: Sequence[float], seconds: float = 1.0, horizon: int = H) -> Forecaster:
    forecaster = Forecaster(horizon)
    for position, value in enumerate(values):
        forecaster.update(value, position * seconds)
    return forecaster


def noisy(function: Callable[[int], float], count: int, sd: float, seed: int = 1) -> list[float]:
    random = Random(seed)
    return [function(i) + random.gauss(0, sd) for i in range(count)]


finite = st.floats(allow_nan=False, allow_infinity=False)
series = st.lists(st.one_of(finite, st.just(math.nan)), max_size=60)
mild = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@settings(max_examples=80, deadline=None)
@given(series, st.floats(-1e300, 1e300))
def test_any_input_gives_a_finite_path_and_a_probability(values: list[float], limit: float) -> None:
    forecast = fed(values).forecast()
    probability = forecast.breach_probability(limit)
    assert 0.0 <= probability <= 1.0
    assert forecast.time_to(limit) >= 0.0
    assert len(forecast.mean) == H
    if any(not math.isnan(value) for value in values):
        lower, upper = forecast.interval(0.9)
        assert all(map(math.isfinite, (*forecast.mean, *lower, *upper)))


@settings(max_examples=60, deadline=None)
@given(mild)
def test_a_path_goes_no_further_than_its_steps_times_the_usual_changes(
    values: list[float],
) -> None:
    forecast = fed(values).forecast()
    span = max(values) - min(values)
    furthest = max(abs(mean - values[-1]) for mean in forecast.mean)
    assert furthest <= 3.0 * 1.05 * H * span + 1e-9


@settings(max_examples=60, deadline=None)
@given(mild, st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8))
def test_a_higher_limit_is_never_more_likely_to_be_crossed(
    values: list[float], limits: list[float]
) -> None:
    forecast = fed(values).forecast()
    for persistence in (1, 2):
        ordered = [forecast.breach_probability(limit, persistence) for limit in sorted(limits)]
        assert ordered == sorted(ordered, reverse=True)


@settings(max_examples=60, deadline=None)
@given(mild, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_an_interval_of_more_coverage_contains_the_one_of_less(
    values: list[float], one: float, two: float
) -> None:
    forecast = fed(values).forecast()
    narrow, wide = sorted((one, two))
    (low, high), (lower, upper) = forecast.interval(narrow), forecast.interval(wide)
    slack = 1e-9 * (1.0 + max(map(abs, values)))
    assert all(a >= b - slack for a, b in zip(low, lower, strict=True))
    assert all(a <= b + slack for a, b in zip(high, upper, strict=True))


@given(st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
@settings(max_examples=30, deadline=None)
def test_the_unit_of_a_series_does_not_matter(factor: float, offset: float) -> None:
    values = noisy(lambda i: math.sin(i / 5), 80, 0.1)
    plain = fed(values).forecast()
    other = fed([offset * factor + factor * value for value in values]).forecast()
    for a, b in zip(plain.mean, other.mean, strict=True):
        assert b == pytest.approx(factor * (a + offset), rel=1e-3, abs=factor * 1e-3)


def test_a_constant_stays_and_crosses_nothing() -> None:
    forecast = fed([7.0] * 300).forecast()
    assert forecast.mean == (7.0,) * H
    assert forecast.interval(0.99) == ((7.0,) * H, (7.0,) * H)
    assert forecast.breach_probability(8.0) < 0.1
    assert forecast.time_to(8.0) == math.inf


def test_a_coarse_sensor_and_a_spike_leave_the_path_where_the_value_is() -> None:
    quantised = [50.0 + (i // 7) % 2 for i in range(300)]
    quantised[200] = 5000.0
    forecast = fed(quantised).forecast()
    assert all(48.0 < mean < 53.0 for mean in forecast.mean)


def ramp_forecast(count: int, gone: float, sd: float, seed: int) -> tuple[Forecast, float]:
    """A forecast on a ramp from 100 to 1000 within `count` steps of 2 s, and the seconds left."""
    taken = int(count * gone)
    values = noisy(lambda i: 100.0 + 900.0 * i / count, taken + 1, sd, seed)
    return fed(values, 2.0).forecast(), 2.0 * (count - taken)


@settings(max_examples=30, deadline=None)
@given(st.integers(40, 400), st.floats(0.5, 0.9), st.floats(0.0, 4.0), st.integers(0, 100))
def test_on_a_ramp_the_time_to_the_limit_is_right_within_a_fifth_from_half_way(
    count: int, gone: float, sd: float, seed: int
) -> None:
    forecast, left = ramp_forecast(count, gone, sd, seed)
    estimate = forecast.time_to(1000.0)
    assert estimate == pytest.approx(left, rel=0.2, abs=4.0)
    assert estimate.earliest <= estimate <= estimate.latest


def test_a_ramp_after_rest_is_seen_for_what_it_is() -> None:
    values = noisy(lambda i: 100.0 + 9.0 * max(0, i - 200), 251, 2.0)
    estimate = fed(values).forecast().time_to(1000.0)
    assert estimate == pytest.approx(50.0, rel=0.2)


def test_the_slope_is_per_second_whatever_the_step() -> None:
    assert fed([3.0 * i for i in range(60)], 5.0).forecast().slope == pytest.approx(0.6)


def test_noise_without_growth_is_not_extrapolated_to_a_far_limit() -> None:
    seen = [
        fed(noisy(lambda i: 100.0, 100, 5.0, seed)).forecast().time_to(1000.0) for seed in range(20)
    ]
    assert sum(seconds < math.inf for seconds in seen) <= 2


def test_over_the_limit_no_time_is_left() -> None:
    told = fed([1.0, 2.0, 11.0]).forecast().time_to(10.0)
    assert (told, told.earliest, told.latest) == (0.0, 0.0, 0.0)


def outcomes(values: list[float], warm: int) -> tuple[list[bool], list[bool]]:
    """Whether the 90 % intervals one and `H` steps ahead held."""
    forecaster, near, far = Forecaster(H), [], []
    for position, value in enumerate(values[:-H]):
        forecaster.update(value, float(position))
        if position >= warm:
            lower, upper = forecaster.forecast().interval(0.9)
            near.append(lower[0] <= values[position + 1] <= upper[0])
            far.append(lower[-1] <= values[position + H] <= upper[-1])
    return near, far


def walk(count: int, seed: int) -> list[float]:
    random, value, values = Random(seed), 0.0, []
    for _ in range(count):
        value = 0.9 * value + random.gauss(0, 1)
        values.append(value)
    return values


def test_ninety_percent_intervals_hold_about_nine_times_in_ten() -> None:
    near, far = outcomes(walk(1500, 3), 300)
    assert 0.86 <= sum(near) / len(near) <= 0.94
    assert 0.80 <= sum(far) / len(far) <= 0.96


def test_the_probability_of_a_breach_tells_more_than_how_often_there_is_one() -> None:
    values = walk(2000, 4)
    limit = 3.5
    forecaster = Forecaster(H)
    said: list[tuple[float, bool]] = []
    for position, value in enumerate(values[:-H]):
        forecaster.update(value, float(position))
        probability = forecaster.forecast().breach_probability(limit)
        if position > 300 and value <= limit:
            path = values[position + 1 : position + 1 + H]
            said.append((probability, any(a > limit < b for a, b in pairwise(path))))
    often = sum(crossed for _, crossed in said) / len(said)
    ours = sum((probability - crossed) ** 2 for probability, crossed in said)
    constant = sum((often - crossed) ** 2 for _, crossed in said)
    assert ours < 0.95 * constant


def error_against_last_value(values: list[float], warm: int) -> float:
    forecaster, ours, last = Forecaster(H), 0.0, 0.0
    for position, value in enumerate(values[:-H]):
        forecaster.update(value, float(position))
        if position >= warm:
            for steps, mean in enumerate(forecaster.forecast().mean, 1):
                ours += abs(mean - values[position + steps])
                last += abs(value - values[position + steps])
    return ours / last


def test_where_the_last_value_is_the_best_forecast_it_is_hardly_worse() -> None:
    random, value, values = Random(5), 0.0, []
    for _ in range(1200):
        value += random.gauss(0, 1)
        values.append(value)
    assert error_against_last_value(values, 300) < 1.03


def test_a_ramp_with_noise_and_a_level_with_spikes_are_forecast_better_than_by_the_last_value() -> (
    None
):
    assert error_against_last_value(noisy(lambda i: 2.0 * i, 800, 5.0), 200) < 0.5
    assert error_against_last_value(noisy(lambda i: 50.0, 800, 5.0), 200) < 0.85


def test_faster_ticks_between_do_not_shorten_the_horizon_but_move_the_path() -> None:
    slow, fast = Forecaster(H, 1.0), Forecaster(H, 1.0)
    for i in range(100):
        slow.update(2.0 * i, float(i))
        fast.update(2.0 * i, float(i))
        fast.update(2.0 * i + 0.4, i + 0.2)
    assert fast.forecast().step == slow.forecast().step == 1.0
    assert fast.forecast().value == slow.forecast().value + 0.4
    for a, b in zip(slow.forecast().mean, fast.forecast().mean, strict=True):
        assert b == pytest.approx(a + 0.4)


def test_irregular_readings_and_gaps_are_put_on_the_grid() -> None:
    random, forecaster, now = Random(6), Forecaster(H), 0.0
    for _ in range(200):
        now += random.choice([0.9, 1.0, 1.1, 1.0, 3.0])
        forecaster.update(math.nan if random.random() < 0.1 else 5.0 * now, now)
    forecast = forecaster.forecast()
    assert forecast.slope == pytest.approx(5.0, rel=0.05)
    assert forecast.step == pytest.approx(1.0, rel=0.11)


def test_a_sampler_that_is_a_little_slow_skips_no_step() -> None:
    forecaster = Forecaster(H, 1.0)
    for i in range(2000):
        forecaster.update(float(i % 2), i * 1.003)
    # A filled step would be a half; an unbroken alternation is learned exactly.
    assert {round(v, 6) for v in forecaster._past.values} == {0.0, 1.0}


def test_after_a_long_gap_it_begins_anew_at_the_present_value() -> None:
    forecaster = fed([2.0 * i for i in range(100)])
    forecaster.update(500.0, 10_000.0)
    forecast = forecaster.forecast()
    assert forecast.mean == (500.0,) * H
    assert forecast.time_to(1000.0) == math.inf


def test_readings_out_of_order_are_left_out() -> None:
    forecaster = fed([1.0] * 20)
    forecaster.update(99.0, 3.0)
    assert forecaster.forecast().value == 1.0


def test_before_anything_is_seen_nothing_is_claimed() -> None:
    forecast = Forecaster(H).forecast()
    assert math.isnan(forecast.value)
    assert math.isnan(forecast.step)
    assert forecast.time_to(10.0) == math.inf


@pytest.mark.parametrize("horizon", [0, 1, 121, True, 3.0])
def test_a_horizon_out_of_range_is_refused(horizon: int) -> None:
    with pytest.raises(ConfigurationError, match="horizon"):
        Forecaster(horizon)


@pytest.mark.parametrize("period", [0.0, -1.0, math.nan, math.inf])
def test_a_period_out_of_range_is_refused(period: float) -> None:
    with pytest.raises(ConfigurationError, match="period"):
        Forecaster(H, period)


def test_questions_that_have_no_answer_are_refused() -> None:
    forecast = fed([1.0] * 20).forecast()
    with pytest.raises(ConfigurationError, match="coverage"):
        forecast.interval(1.0)
    with pytest.raises(ConfigurationError, match="persistence"):
        forecast.breach_probability(1.0, 3)


@pytest.mark.parametrize("horizon", [2, 3, 5, 24, 120])
def test_every_horizon_is_answered_in_full(horizon: int) -> None:
    forecast = fed(noisy(float, 300, 1.0), horizon=horizon).forecast()
    assert len(forecast.mean) == len(forecast.interval(0.5)[0]) == horizon
