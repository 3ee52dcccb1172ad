"""`amptalk watch --recommend`: what follows from what was seen."""

from __future__ import annotations

import math

import pytest

from amptalk.cli import watch
from amptalk.cli.main import main
from amptalk.limits.recommendation import Recommendation
from amptalk.model.sample import FIELDS, Columns, Field, Sample
from tests.cli.support import strict

MADE = (
    Recommendation(
        "memory", "max_memory_mb", "MB", 1200.0, 900.0, None, 7200.0, 0.056,
        "99 % of the ten-second peaks were up to 903 MB",
    ),
    Recommendation(
        "power", "max_power_watts", "W", None, None, 15.0, 40.0, 0.0003,
        "watched for 40 s: 10 min are needed at least",
    ),
)  # fmt: skip


@pytest.fixture
def recommending(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(_self: object) -> tuple[Recommendation, ...]:
        return MADE

    monkeypatch.setattr("amptalk.recommendations.Recommendations.__call__", made)


@pytest.mark.usefixtures("recommending")
def test_people_see_a_table_with_the_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--recommend", "--duration", "0"]) == 0
    _, heading, memory, power = capsys.readouterr().out.split("\n")[1:5]
    assert heading.split() == ["set", "reserve", "confidence", "because"]
    assert memory.split()[:4] == ["max_memory_mb", "1200", "900", "6%"]
    assert memory.endswith("were up to 903 MB")
    assert power.split()[:4] == ["max_power_watts", "-", "-", "0%"]


@pytest.mark.usefixtures("recommending")
def test_programs_get_one_more_strict_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--recommend", "--json", "--duration", "0"]) == 0
    sample, told = [strict(line) for line in capsys.readouterr().out.splitlines()]
    assert sample["device.memory_used_mb"] > 0
    memory, power = told["recommendations"]
    assert (memory["limit"], memory["reservation"]) == (1200.0, 900.0)
    assert power["limit"] is None


@pytest.mark.usefixtures("recommending")
def test_an_interrupt_ends_the_watch_and_still_tells(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("amptalk.cli.watch.time.sleep", interrupted)
    assert main(["watch", "--recommend"]) == 0
    assert "max_memory_mb" in capsys.readouterr().out
    assert main(["watch"]) == 130
    assert "max_memory_mb" not in capsys.readouterr().out


def test_at_once_there_is_nothing_to_recommend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--recommend", "--duration", "0"]) == 0
    assert "nothing recommended: ten seconds of values are needed" in capsys.readouterr().out


def test_signals_are_shown_beside_the_short_names() -> None:
    columns = Columns((Field("latency_ms", "ms"), Field("queue", "1")))
    row = (12.0, *(math.nan,) * (len(FIELDS) - 1), 41.5, math.nan)
    sample = Sample(0.0, 0.0, row, columns=columns)
    assert watch.known_values(sample) == "memory_used_mb 12.0 MB  latency_ms 41.5 ms"
    assert watch.as_plain(sample)["queue"] is None
