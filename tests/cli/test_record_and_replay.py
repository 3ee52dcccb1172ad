"""`amptalk record` and `amptalk replay` as a user meets them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from amptalk.cli.main import main
from tests.recordings.make import HERE


def test_recording_says_what_it_kept_and_what_to_do_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "mine")
    assert main(["record", folder, "--seconds", "0.3", "--interval", "0.1"]) == 0
    said = capsys.readouterr().out
    assert "frames of" in said
    assert f"amptalk replay {folder}" in said
    assert "look through" in said
    assert main(["replay", folder]) == 0
    said = capsys.readouterr().out
    assert "MADE UP" not in said
    assert "device.memory_used_mb" in said


def test_replay_tells_samples_throttling_violations_and_what_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = str(HERE / "raspberry-pi-5")
    assert main(["replay", folder, "--max-temp-celsius", "80", "--strategy", "predictive"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("MADE UP, not recorded on a device: Raspberry Pi 5 Model B")
    assert "slower since 40.0 s: under-voltage" in said
    assert "violation: temperature over 80 °C" in said
    assert re.search(
        r"warning: temperature [67]\d.\d of 80 °C, [78]\d.\d °C expected: over its", said
    )
    assert "values are as recorded" in said
    assert "temperature allocation" in said
    assert "missing: device.power_watts: a recording does not hold" in said
    assert "predictive: temperature over its limit" in said
    assert "temperature: warned of 1 of 1 breaches" in said
    assert "forecasts the 90 % interval held" in said


def test_replay_as_json_is_one_strict_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(HERE / "laptop"), "--json", "--max-temp-celsius", "80"]) == 0

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    out = capsys.readouterr().out
    lines = [json.loads(line, parse_constant=refuse) for line in out.splitlines()]
    assert lines[0]["recording"]["made_up"] is True
    assert lines[1]["sample"]["missing"]["gpu_utilization"]
    assert lines[10]["sample"]["power_watts"] == 24.0
    assert lines[10]["throttling"]["slower"] is False
    assert lines[-1]["summary"]["violations"][0]["resource"] == "temperature"
    outcome = lines[-1]["summary"]["effectiveness"]["limits"]["temperature"]
    assert outcome["seconds_over"] == lines[-1]["summary"]["violations"][0]["seconds_over"]
    assert outcome["forecast"] is None  # `dynamic` makes none
    assert lines[-1]["summary"]["joules"] == pytest.approx(5280.0)
    assert len(lines) == 49 + 2


def test_what_a_strategy_would_have_done_is_told_for_each_strategy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = str(HERE / "raspberry-pi-5")
    assert main(["replay", folder, "--max-temp-celsius", "80", "--strategy", "dynamic"]) == 0
    said = capsys.readouterr().out
    assert "warning:" not in said, "it only reacts"
    assert re.search(
        r"dynamic: temperature over its limit for [34]\d.\d s, work held back [1-9]", said
    )
    assert main(["replay", folder, "--json", "--max-temp-celsius", "80", "--strategy",
                 "predictive"]) == 0  # fmt: skip
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (warned,) = lines[-1]["summary"]["warnings"]
    assert warned["resource"] == "temperature"
    (violation,) = lines[-1]["summary"]["violations"]
    assert warned["at"] < violation["started"] - lines[0]["recording"]["started"] - 10.0
    assert [one for line in lines[1:-1] for one in line["warnings"]] == [warned]
    assert any(line["allocations"][0]["share"] < 0.5 for line in lines[1:-1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay", "nowhere"], "cannot be read"),
        (["replay", str(HERE / "laptop"), "--strategy", "brave"], "brave"),
        (["replay", str(HERE / "laptop"), "--max-temp-celsius", "900"], "out of range"),
        (["replay", str(HERE / "laptop"), "--scope", "application"], "--pid"),
        (["record", str(HERE / "laptop")], "not empty"),
        (["record", "x", "--interval", "0"], "out of range"),
        (["record", "x", "--seconds", "nan"], "above 0"),
        (["record", "x", "--pid", "2147483647"], "no process"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
