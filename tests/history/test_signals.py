"""Signals in the history: series that come later, in every tier, in files and in recordings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.history.document import document_of
from amptalk.history.files import load_metrics, save_metrics
from amptalk.history.history import History
from amptalk.history.recorder import Recorder
from amptalk.history.ringfile import COLUMNS as MOST_COLUMNS
from amptalk.history.ringhead import SIGNALS_AT, pack_signals
from amptalk.model.sample import FIELDS, INDEX, Columns, Field, Sample
from amptalk.sensors.signals import MOST_SIGNALS
from tests.history.samples import EPOCH

MEMORY = "memory_used_mb"
ONE = Columns((Field("latency_ms", "ms"),))
TWO = Columns((Field("latency_ms", "ms"), Field("queue", "1")))
SWAPPED = Columns((Field("queue", "1"), Field("latency_ms", "ms")))
PLAIN = Columns()


def sample(at: float, columns: Columns, values: Mapping[str, float]) -> Sample:
    row = [math.nan] * len(columns.fields)
    for name, value in values.items():
        row[columns.index[name]] = value
    return Sample(EPOCH + at, at, tuple(row), columns=columns)


def test_a_signal_declared_during_the_run_has_a_series_from_then_on() -> None:
    history = History()
    for at in range(5):
        history.append(sample(at, PLAIN, {MEMORY: 100.0 + at}))
    for at in range(5, 9):
        history.append(sample(at, ONE, {MEMORY: 100.0 + at, "latency_ms": float(at)}))
    for at in range(9, 12):
        history.append(sample(at, TWO, {MEMORY: 100.0 + at, "queue": 3.0}))
    assert history.window(MEMORY, 60).values == tuple(100.0 + at for at in range(12))
    assert history.window("latency_ms", 60).values == (5.0, 6.0, 7.0, 8.0)
    assert history.window("latency_ms", 60).gaps
    assert history.values("queue", 60) == [(9.0, 3.0), (10.0, 3.0), (11.0, 3.0)]
    assert history.slope("latency_ms", 60) == pytest.approx(1.0)
    samples = history.samples()
    assert samples["latency_ms"] == [None] * 5 + [5.0, 6.0, 7.0, 8.0] + [None] * 3
    assert history.fields[-2:] == ("latency_ms", "queue")


def test_fast_extremes_of_a_signal_count_and_those_before_it_do_not_break() -> None:
    history = History(1.0)
    history.append(sample(0.0, PLAIN, {MEMORY: 1.0}))
    history.append(sample(0.3, PLAIN, {MEMORY: 9.0}))
    history.append(sample(0.5, ONE, {MEMORY: 1.0, "latency_ms": 50.0}))
    history.append(sample(1.0, ONE, {MEMORY: 1.0, "latency_ms": 10.0}))
    history.append(sample(1.4, ONE, {MEMORY: 1.0, "latency_ms": 80.0}))
    history.append(sample(2.0, TWO, {MEMORY: 1.0, "latency_ms": 20.0, "queue": 4.0}))
    assert history.window(MEMORY, 60).maximum == 9.0
    latency = history.window("latency_ms", 60)
    assert (latency.minimum, latency.maximum) == (10.0, 80.0)
    assert history.window("queue", 60).maximum == 4.0


@given(st.lists(st.sampled_from([PLAIN, ONE, TWO]), min_size=3, max_size=3), st.integers(15, 60))
@settings(max_examples=40, deadline=None)
def test_every_tier_tells_of_a_signal_what_a_list_would(stages: list[Columns], each: int) -> None:
    stages.sort(key=lambda columns: len(columns.fields))
    history, seen = History(30.0), []
    for number, columns in enumerate(column for column in stages for _ in range(each)):
        at = 30.0 * number
        values = {MEMORY: 5.0}
        if "latency_ms" in columns.index:
            values["latency_ms"] = float(number)
            seen.append((at, float(number)))
        history.append(sample(at, columns, values))
    if "latency_ms" not in history.fields:
        return
    window = history.window("latency_ms", 1e6)
    assert list(zip(window.monotonic, window.values, strict=True)) == seen
    closed = history.closed_buckets("latency_ms", 0)
    assert [(b.number * 10.0, b.high) for b in closed] == seen[: len(closed)]
    assert len(closed) >= len(seen) - 1


def test_a_signal_costs_memory_only_where_it_is() -> None:
    without, with_one = History(), History()
    for at in range(5000):
        without.append(sample(at, PLAIN, {MEMORY: 1.0}))
        with_one.append(sample(at, ONE, {MEMORY: 1.0, "latency_ms": 1.0}))
    more = with_one.memory_bytes() - without.memory_bytes()
    assert 0 < more <= 8 * 3601 + 14 * 600 * 2


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "sqlite"])
def test_every_format_gives_a_signal_back(tmp_path: Path, suffix: str) -> None:
    history = History()
    history.append(sample(0.0, PLAIN, {MEMORY: 1.0}))
    history.append(sample(1.0, ONE, {MEMORY: 2.0, "latency_ms": 41.5}))
    path = tmp_path / f"run.{suffix}"
    save_metrics(path, document_of(history, config={}))
    document = load_metrics(path)
    assert document.samples["latency_ms"] == [None, 41.5]
    if suffix != "csv":  # which has no place for units
        assert document.units["latency_ms"] == "ms"


# -- recordings ---------------------------------------------------------------------


def recorded(path: Path, *runs: list[Sample]) -> None:
    for run in runs:
        recorder = Recorder(path, 1.0)
        for one in run:
            recorder.record(one)
        recorder.close()


def test_a_recording_keeps_signals_of_any_size_exactly_enough(tmp_path: Path) -> None:
    values = [0.000123, 41.5, 1e9, math.nan, 7.0, 7.0]
    run = [sample(at, ONE, {MEMORY: 5.0, "latency_ms": v}) for at, v in enumerate(values)]
    recorded(tmp_path / "run.ring", run)
    document = load_metrics(tmp_path / "run.ring")
    expected = [None if math.isnan(v) else pytest.approx(v, rel=1e-7) for v in values]
    assert document.samples["latency_ms"] == expected
    assert document.units["latency_ms"] == "ms"
    assert document.warnings == []


def test_runs_with_other_signals_share_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "run.ring"
    recorded(
        path,
        [sample(0, PLAIN, {MEMORY: 1.0}), sample(1, ONE, {"latency_ms": 10.0})],
        [sample(2, SWAPPED, {"queue": 2.0, "latency_ms": 20.0})],
        [sample(3, PLAIN, {MEMORY: 1.0})],
        [sample(4, Columns((Field("queue", "1"),)), {"queue": 4.0})],
        [sample(5, TWO, {"queue": 5.0, "latency_ms": 50.0})],
    )
    samples = load_metrics(path).samples
    assert samples["latency_ms"] == [None, 10.0, 20.0, None, None, 50.0]
    assert samples["queue"] == [None, None, 2.0, None, 4.0, 5.0]
    assert samples[MEMORY] == [1.0, None, None, 1.0, None, None]


def test_damaged_names_of_signals_lose_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "run.ring"
    recorded(path, [sample(at, ONE, {MEMORY: at, "latency_ms": 1.0}) for at in range(3)])
    content = bytearray(path.read_bytes())
    content[SIGNALS_AT + 9] ^= 1
    path.write_bytes(content)
    document = load_metrics(path)
    assert document.samples[MEMORY] == [0.0, 1.0, 2.0]
    assert "latency_ms" not in document.samples
    assert document.warnings == [
        "the names of the signals are damaged, so their values are left out"
    ]


def test_names_without_room_are_told_and_the_rest_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "run.ring"
    long = Columns(tuple(Field(f"{'x' * 60}{number}", "ms") for number in range(64)))
    recorded(path, [sample(0, long, {MEMORY: 1.0, long.signals[0].name: 3.0})])
    document = load_metrics(path)
    assert document.samples[long.signals[0].name] == [3.0]
    texts = [event["text"] for event in document.events if event["kind"] == "notice"]
    assert texts
    assert all("is not recorded" in text for text in texts)


def test_as_many_signals_as_a_manager_may_have_fit_a_recording() -> None:
    assert len(FIELDS) + MOST_SIGNALS <= MOST_COLUMNS
    table = tuple(Field(f"latency_{number}_ms", "ms") for number in range(MOST_SIGNALS))
    assert pack_signals(table[:60]) is not None  # names of 13 letters; longer ones are told


def test_the_built_in_columns_come_first() -> None:
    assert dict(list(TWO.index.items())[: len(INDEX)]) == INDEX
