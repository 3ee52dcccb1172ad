"""Traces: files read with a sentence for what is wrong, generated ones always the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.forecasting import generated, traces
from benchmarks.forecasting.protocol import LONGEST
from benchmarks.forecasting.traces import Trace


def write(folder: Path, text: str) -> None:
    (folder / "one.csv").write_text(text, encoding="utf-8")


def rows(samples: int, step: float = 1.0) -> str:
    return "\n".join(f"{100.0 + i * step},{i % 7}" for i in range(samples))


def test_a_file_is_a_header_with_the_unit_then_seconds_and_value(tmp_path: Path) -> None:
    write(tmp_path, f"seconds,watts\n{rows(200, 60.0)}\n")
    (trace,) = traces.load(tmp_path)
    assert (trace.name, trace.unit, trace.step, trace.slow) == ("one", "watts", 60.0, True)
    assert trace.seconds[0] == 0.0
    assert trace.values[:8].tolist() == [0, 1, 2, 3, 4, 5, 6, 0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"seconds,watts\n{rows(5)}", "5 samples"),
        ("seconds,watts\n0,zero\n1,one", "seconds,value"),
        (f"seconds,watts,more\n{rows(200)}", "seconds,value"),
        (f"seconds,watts\n{rows(200)}\n0,1", "not go back"),
        (f"seconds,watts\n{rows(200)}\n900,nan", "finite"),
    ],
)
def test_what_is_not_a_trace_is_said_with_the_file(tmp_path: Path, text: str, says: str) -> None:
    write(tmp_path, text)
    with pytest.raises(SystemExit, match=says) as raised:
        traces.load(tmp_path)
    assert "one.csv" in str(raised.value)


def test_a_folder_without_files_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no \.csv file"):
        traces.load(tmp_path)


def made(step: float, samples: int, season: int = 0) -> Trace:
    seconds = np.arange(samples) * np.float64(step)
    random = np.random.default_rng(0)
    values = random.normal(size=samples)
    if season:
        values = values + 5.0 * np.sin(2.0 * np.pi * np.arange(samples) / season)
    return Trace("made", "units", seconds, values)


def test_the_period_is_found_in_the_warm_up() -> None:
    assert abs(made(1.0, 3000, season=100).period() - 100) <= 2


def test_without_a_season_it_is_a_day_where_two_fit_and_none_otherwise() -> None:
    assert made(300.0, 4032).period() == 288
    assert made(1.0, 4032).period() == 0
    assert Trace("constant", "", np.arange(500.0), np.ones(500)).period() == 0


def test_days_of_history_need_minutes_over_four_days() -> None:
    assert made(60.0, 5800).has_days
    assert not made(60.0, 5000).has_days
    assert not made(300.0, 5000).has_days
    assert not made(1.0, 5000).has_days


def test_the_protocol_takes_the_first_samples() -> None:
    assert len(made(60.0, LONGEST + 5).shortened().values) == LONGEST


def test_generated_traces_are_always_the_same_and_say_what_they_are() -> None:
    first, second = generated.all_traces(), generated.all_traces()
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.values, other.values)
        assert np.isfinite(one.values).all()
        assert one.generated
        assert one.name.startswith("gen_")


def test_our_recordings_can_be_read() -> None:
    for trace in traces.load(traces.OWN):
        assert not trace.generated
        assert trace.step == pytest.approx(1.0, abs=0.05)
