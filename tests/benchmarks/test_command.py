"""The command: which traces it takes, and what its report says of where it comes from."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks import forecast
from benchmarks.forecasting import traces


def options(**given: object) -> argparse.Namespace:
    return argparse.Namespace(
        **{"traces": None, "only": "", "quick": False, "ablation": False, **given}
    )


def test_without_a_folder_it_takes_our_recordings_and_generated_traces() -> None:
    found = forecast.chosen(options())
    assert {trace.generated for trace in found} == {True, False}


def test_a_quick_run_takes_few_and_short_traces_of_both_classes() -> None:
    found = forecast.chosen(options(quick=True))
    assert [trace.name for trace in found] == ["model_server_app_memory", "gen_daily", "gen_bursts"]
    for trace in found:
        taken = forecast.shortened(trace, options(quick=True))
        assert len(taken.values) == len(taken.seconds) == forecast.QUICK_SAMPLES


def test_only_some_traces_or_a_sentence_when_none_is_left() -> None:
    assert [trace.name for trace in forecast.chosen(options(only="leak"))] == ["gen_leak"]
    with pytest.raises(SystemExit, match="'nothing like it' leaves no trace"):
        forecast.chosen(options(only="nothing like it"))


def test_the_report_names_the_command_but_not_the_folder(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(
        "seconds,watts\n" + "\n".join(f"{i},{i % 5}" for i in range(200)), encoding="utf-8"
    )
    given = options(traces=tmp_path)
    text = forecast.title(traces.load(tmp_path), given)
    assert "`python benchmarks/forecast.py --traces DIR`" in text
    assert str(tmp_path) not in text
    assert "1 traces: 1 recorded, 0 generated" in text
