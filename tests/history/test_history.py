"""The history keeps rows and coarser tiers that say what a plain list would say."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.history.history import EVENTS_KEPT, History
from amptalk.history.rows import Rows
from amptalk.model.errors import ConfigurationError
from amptalk.model.sample import FIELDS, Sample
from tests.history.samples import EPOCH, fed, rows_of, sample

FIELD = "memory_used_mb"
Train = list[tuple[float, float]]

values = st.one_of(st.just(math.nan), st.floats(0, 1e5).map(lambda v: round(v, 3)))
pauses = st.one_of(st.sampled_from([0.1, 0.3, 1.0, 1.0, 1.0]), st.floats(0.05, 400))


@st.composite
def trains(draw: st.DrawFn, most: int = 120) -> Train:
    at = draw(st.floats(0, 5000))
    train = []
    for pause, value in draw(st.lists(st.tuples(pauses, values), min_size=1, max_size=most)):
        at += pause
        train.append((at, value))
    return train


def known(numbers: list[float]) -> list[float]:
    return [number for number in numbers if not math.isnan(number)]


@given(trains(), st.floats(0.5, 2000))
@settings(max_examples=150, deadline=None)
def test_a_window_says_what_the_plain_list_says(train: Train, seconds: float) -> None:
    window = fed(train).window(FIELD, seconds)
    newest = train[-1]
    start = newest[0] - seconds
    rows = [row for row in rows_of(train) if row[0] >= start]
    points = [(at, value) for at, value, _ in rows]
    if (not points or points[-1][0] < newest[0]) and not (points and math.isnan(newest[1])):
        points.append(newest)
    expected = [value for _, value in points if not math.isnan(value)]
    assert list(window.values) == expected
    assert list(window.monotonic) == [at for at, value in points if not math.isnan(value)]
    assert window.count == len(expected)
    assert window.times == pytest.approx([EPOCH + at for at in window.monotonic])
    if not expected:
        assert math.isnan(window.minimum) and math.isnan(window.mean)
        return
    assert window.mean == pytest.approx(sum(expected) / len(expected))
    inside = known([value for at, value in train if at >= start])
    # A fast sample counts with the others since the row before it.
    around = known(
        [v for at, _, fast in rows_of(train) if at >= start - 1 for v in fast] + expected
    )
    assert window.maximum >= max(inside) * (1 - 1e-6)
    assert window.maximum <= max(around) * (1 + 1e-6)
    assert window.minimum <= min(inside) * (1 + 1e-6)
    assert window.minimum >= min(around) * (1 - 1e-6)


@given(st.integers(0, 2**32), st.sampled_from([10, 600]))
@settings(max_examples=6, deadline=None)
def test_the_coarser_tiers_say_what_brute_force_over_the_rows_says(seed: int, length: int) -> None:
    import random

    draw = random.Random(seed)
    at, train = draw.uniform(0, 1000), []
    # Far apart rows fill the 10 s tier beyond its day, so that the 10 min tier answers.
    pause = 1.0 if length == 10 else 30.0
    for _ in range(5000):
        at += draw.choice(
            [pause, pause, pause, pause / 4, pause * 40 if draw.random() < 0.02 else 1]
        )
        train.append((at, math.nan if draw.random() < 0.1 else draw.uniform(0, 1000)))
    window = fed(train).window(FIELD, at)
    assert window.resolution == length
    buckets: dict[int, list[tuple[float, list[float]]]] = defaultdict(list)
    for row_at, value, fast in rows_of(train):
        buckets[int(row_at // length)].append((value, fast))
    expected = {}
    for number, rows in buckets.items():
        seen = known([value for value, _ in rows])
        if seen:
            expected[number * length] = sum(seen) / len(seen)
    assert list(window.monotonic) == list(expected)
    assert list(window.values) == pytest.approx(list(expected.values()), rel=1e-5)
    assert window.count == sum(
        not math.isnan(value) for rows in buckets.values() for value, _ in rows
    )
    assert window.maximum == pytest.approx(max(known([value for _, value in train])), rel=1e-6)
    assert window.minimum == pytest.approx(min(known([value for _, value in train])), rel=1e-5)
    assert window.times == pytest.approx([EPOCH + m for m in window.monotonic], abs=0.01)


@given(trains(60), st.floats(0.5, 500))
@settings(max_examples=100, deadline=None)
def test_the_slope_is_the_least_squares_slope_in_closed_form(train: Train, seconds: float) -> None:
    history = fed(train)
    points = history.values(FIELD, seconds)
    slope = history.slope(FIELD, seconds)
    n = len(points)
    if n < 3:
        assert math.isnan(slope)
        return
    origin = points[0][0]
    sum_t = math.fsum(t - origin for t, _ in points)
    sum_v = math.fsum(v for _, v in points)
    sum_tt = math.fsum((t - origin) ** 2 for t, _ in points)
    sum_tv = math.fsum((t - origin) * v for t, v in points)
    expected = (n * sum_tv - sum_t * sum_v) / (n * sum_tt - sum_t**2)
    assert slope == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert history.window(FIELD, seconds).slope == pytest.approx(slope, rel=1e-9, abs=1e-9)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0, 100), st.floats(0, 100)
)
@settings(max_examples=80, deadline=None)
def test_a_percentile_leaves_the_right_share_of_the_sorted_values_below(
    numbers: list[float], percent: float, other: float
) -> None:
    history = fed([(float(at), value) for at, value in enumerate(numbers)])
    got = history.percentile(FIELD, percent, 1000)
    ordered = sorted(numbers)
    place = (len(ordered) - 1) * percent / 100
    assert ordered[math.floor(place)] - 1e-6 <= got <= ordered[math.ceil(place)] + 1e-6
    assert history.percentile(FIELD, 0, 1000) == ordered[0]
    assert history.percentile(FIELD, 100, 1000) == ordered[-1]
    low, high = sorted((percent, other))
    assert history.percentile(FIELD, low, 1000) <= history.percentile(FIELD, high, 1000) + 1e-6


def test_a_fast_peak_is_in_the_window_at_once_and_in_the_coarse_tier_an_hour_later() -> None:
    train = [(float(at), 100.0) for at in range(20)]
    train += [(19.2, 900.0), (19.4, 50.0), (19.6, 100.0)]
    history = fed(train)
    assert history.window(FIELD, 3).maximum == 900.0
    assert history.window(FIELD, 3).minimum == 50.0
    assert history.latest is not None
    assert history.latest.monotonic == 19.6
    assert len(history) == 20
    for at in range(20, 4000):
        history.append(sample(float(at), {FIELD: 100.0}))
    assert history.window(FIELD, 3).maximum == 100.0
    old = history.window(FIELD, 3995)
    assert (old.resolution, old.maximum, old.minimum) == (10.0, 900.0, 50.0)


def test_more_fast_peaks_than_are_kept_singly_are_found_in_their_buckets() -> None:
    history = History(1.0)
    for second in range(1000):
        history.append(sample(float(second), {FIELD: 10.0}))
        history.append(sample(second + 0.5, {FIELD: 5000.0 if second == 105 else 20.0}))
    assert history.window(FIELD, 950).maximum == 5000.0
    assert history.window(FIELD, 100).maximum == 20.0


def test_hundreds_of_fast_samples_after_one_row_keep_their_extremes() -> None:
    history = History(10.0)
    history.append(sample(0.0, {FIELD: 10.0}))
    for step in range(1, 800):
        history.append(sample(step / 100, {FIELD: 77.0 if step == 3 else 11.0}))
    assert history.window(FIELD, 60).maximum == 77.0
    assert len(history) == 1


def test_a_sample_a_little_early_is_a_row() -> None:
    history = fed([(0.0, 1.0), (0.91, 2.0), (1.5, 3.0), (1.82, 4.0)])
    assert history.values(FIELD, 10) == [(0.0, 1.0), (0.91, 2.0), (1.82, 4.0)]


def test_the_slope_follows_a_fast_sample_that_is_no_row_yet() -> None:
    history = fed([(0.0, 0.0), (1.0, 10.0), (1.5, 15.0)])
    assert history.slope(FIELD, 10) == pytest.approx(10.0)
    assert history.values(FIELD, 10)[-1] == (1.5, 15.0)


def test_a_missing_value_and_a_pause_are_gaps_and_nothing_is_made_up_between() -> None:
    train = [(float(at), 1.0) for at in range(10)]
    train[4] = (4.0, math.nan)
    train += [(60.0, 2.0), (61.0, 2.0)]
    window = fed(train).window(FIELD, 300)
    assert window.gaps == ((EPOCH + 3, EPOCH + 5), (EPOCH + 9, EPOCH + 60))
    assert set(window.values) == {1.0, 2.0}
    assert window.count == 11


def test_a_series_that_went_missing_ends_in_a_gap() -> None:
    window = fed([(0.0, 1.0), (1.0, 1.0), (2.0, math.nan), (3.0, math.nan)]).window(FIELD, 60)
    assert window.gaps == ((EPOCH + 1, EPOCH + 3),)


def test_a_pause_is_a_gap_in_the_coarse_tier_too() -> None:
    train = [(float(at), 1.0) for at in range(4000)] + [(5000.0 + at, 2.0) for at in range(600)]
    window = fed(train).window(FIELD, 5500)
    assert window.resolution == 10
    assert window.gaps == ((EPOCH + 3990, EPOCH + 5000),)


def test_after_a_pause_longer_than_a_tier_only_what_came_later_is_left_in_it() -> None:
    history = fed([(float(at), 1.0) for at in range(0, 40_000, 10)])
    later = 40 * 86_400.0
    for at in range(4000):
        history.append(sample(later + 10 * at, {FIELD: 2.0}))
    window = history.window(FIELD, 60_000)
    assert window.resolution == 10
    assert set(window.values) == {2.0}
    assert history.window(FIELD, 50 * 86_400).resolution == 600


def test_wall_time_is_kept_by_row_when_the_clock_is_set() -> None:
    history = History(1.0)
    history.append(sample(0.0, {FIELD: 1.0}, epoch=0.0))
    history.append(sample(1.0, {FIELD: 1.0}))
    assert history.window(FIELD, 60).times == (0.0, EPOCH + 1)


def test_an_empty_history_answers_with_nothing() -> None:
    history = History()
    assert history.latest is None
    assert len(history) == 0
    assert math.isnan(history.slope(FIELD, 60))
    assert math.isnan(history.percentile(FIELD, 50, 60))
    window = history.window(FIELD, 60)
    assert (window.count, window.values, window.gaps) == (0, (), ())
    assert all(column == [] for column in history.samples().values())


def test_infinite_values_do_not_spoil_a_window() -> None:
    name = "container.memory_limit_mb"
    history = History(1.0)
    for at in range(5000):
        history.append(sample(float(at), {name: math.inf}))
    assert history.window(name, 60).maximum == math.inf
    assert history.window(name, 4900).mean == math.inf
    assert math.isnan(history.slope(name, 10))


@pytest.mark.parametrize("interval", [0, -1, math.nan, math.inf])
def test_an_interval_that_is_no_duration_is_refused(interval: float) -> None:
    with pytest.raises(ConfigurationError, match="give seconds greater than 0"):
        History(interval)


def test_an_unknown_field_is_answered_with_its_neighbours() -> None:
    with pytest.raises(ConfigurationError, match="did you mean memory_used_mb"):
        History().window("memory_use_mb", 60)
    with pytest.raises(ConfigurationError, match=r"known are memory_used_mb, .*device\."):
        History().slope("?", 60)


@pytest.mark.parametrize("seconds", [0, -5, math.nan])
def test_a_span_that_is_no_duration_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="give more than 0"):
        History().window(FIELD, seconds)


@pytest.mark.parametrize("percent", [-1, 100.1, math.nan])
def test_a_percentage_outside_0_to_100_is_refused(percent: float) -> None:
    with pytest.raises(ConfigurationError, match="from 0 to 100"):
        History().percentile(FIELD, percent, 60)


def test_events_are_the_newest_and_the_rest_is_counted() -> None:
    history = History()
    for number in range(EVENTS_KEPT + 3):
        history.note("level", EPOCH + number, number=number)
    assert len(history.events) == EVENTS_KEPT
    assert history.events_dropped == 3
    assert history.events[0] == {"kind": "level", "time": EPOCH + 3, "number": 3}


def full(live: int, pause: float, seconds: float, start: float, history: History) -> float:
    numbers = tuple(float(i) if i < live else math.nan for i in range(len(FIELDS)))
    at = start
    while at < start + seconds:
        history.append(Sample(EPOCH + at, at, numbers))
        at += pause
    return at


def test_30_live_series_stay_below_7_mib_when_every_tier_is_full() -> None:
    history = History(1.0)
    at = full(30, 600.0, 32 * 86_400, 0.0, history)
    at = full(30, 10.0, 87_000, at, history)
    at = full(30, 1.0, 3700, at, history)
    at = full(30, 0.5, 300.0, at, history)  # fast peaks after more rows than are kept singly
    assert history.window(FIELD, 25 * 86_400).resolution == 600
    filled = history.memory_bytes()
    assert 6 * 2**20 < filled <= 7 * 2**20
    full(30, 1.0, 2000, at, history)
    assert history.memory_bytes() == filled


def test_the_memory_told_is_the_memory_taken() -> None:
    import tracemalloc

    tracemalloc.start()
    try:
        history = History(1.0)
        full(30, 10.0, 6000, 0.0, history)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert history.memory_bytes() == pytest.approx(taken, rel=0.1)


def test_series_that_never_had_a_value_take_nothing_in_the_coarser_tiers() -> None:
    one, ten = History(1.0), History(1.0)
    full(1, 10.0, 40_000, 0.0, one)
    full(10, 10.0, 40_000, 0.0, ten)
    each = (ten.memory_bytes() - one.memory_bytes()) / 9
    assert 0 < each < 14 * 8641
    assert one.memory_bytes() < 2 * 2**20


def test_samples_for_a_file_hold_every_tier_once_and_in_order() -> None:
    history = History(1.0)
    at = full(2, 600.0, 40 * 86_400, 0.0, history)
    at = full(2, 10.0, 90_000, at, history)
    full(2, 1.0, 4000, at, history)
    columns = history.samples()
    assert len({len(column) for column in columns.values()}) == 1
    assert list(columns)[:3] == ["time", "monotonic", "resolution"]
    order = columns["monotonic"]
    assert order == sorted(order, key=float)  # type: ignore[arg-type]
    assert columns["resolution"].count(1.0) == 3600
    assert set(columns["resolution"]) == {1.0, 10.0, 600.0}
    assert set(columns["memory_percent"]) == {1.0}
    assert columns["temperature_celsius"] == [None] * len(order)
    assert "device.swap_used_mb" not in columns


def test_readers_in_other_threads_never_see_a_torn_or_foreign_row() -> None:
    history = History(0.01)
    stop = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not stop.is_set():
            for seconds in (5.0, 30.0, 100.0):
                window = history.window(FIELD, seconds)
                # Each value is written as its own time; a torn row would not say so.
                if window.resolution == 0.01 and window.values != window.monotonic:
                    wrong.append(window)
                if list(window.monotonic) != sorted(window.monotonic):
                    wrong.append(window)
            history.slope(FIELD, 0.2)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for step in range(20_000):
            history.append(sample(step / 100, {FIELD: step / 100}))
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert not wrong


@pytest.mark.parametrize("ask", [History.window, History.values])
def test_a_sample_that_comes_while_one_reads_lends_its_value_to_no_other_time(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[History, str, float], Any]
) -> None:
    history = History(1.0)
    for second in (0.0, 1.0, 2.0, 2.1):  # the newest is no row of its own
        history.append(sample(second, {FIELD: second}))
    read = Rows.since

    def meanwhile(rows: Rows, *arguments: Any) -> Any:
        found = read(rows, *arguments)
        history.append(sample(3.0, {FIELD: 3.0}))
        return found

    monkeypatch.setattr(Rows, "since", meanwhile)
    told = ask(history, FIELD, 10.0)
    points = told if isinstance(told, list) else list(zip(told.monotonic, told.values, strict=True))
    assert points == [(t, t) for t in (0.0, 1.0, 2.0, 2.1)]
