"""`amptalk doctor` as it is run: exit status, what the environment asks for, JSON."""

from __future__ import annotations

import re

import pytest

from amptalk.cli import doctor
from amptalk.cli.main import main
from amptalk.sensors.suite import SensorSuite
from tests.cli.support import seen, strict
from tests.sensors.gpu.cards import amd
from tests.sensors.trees import PID, Tree, tree

__all__ = ["tree"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "RATE_SECONDS", 0.06)
    for name in ("AMPTALK_GPU", "AMPTALK_TEMPERATURE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("quick")
def test_without_names_nothing_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "WORKS" in text
    assert "ASKED FOR" not in text


@pytest.mark.usefixtures("quick")
def test_what_works_gives_0_and_shows_that_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "memory", "--need", "max_memory_mb"]) == 0
    text = capsys.readouterr().out
    assert "device memory" in text
    assert "max_memory_mb" in text
    assert "load average" not in text
    assert text.count("works") == 2


@pytest.mark.usefixtures("quick")
def test_what_is_missing_gives_1(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "view", lambda *_: seen(tree))
    assert main(["doctor", "memory", "power"]) == 1
    text = capsys.readouterr().out
    assert re.search(r"memory +works\n +power +missing", text)


@pytest.mark.usefixtures("quick")
def test_an_unknown_name_gives_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "temprature"]) == 2
    assert "did you mean temperature" in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("choice", ["99", "0000:ff:1f.7"])
def test_a_gpu_that_was_chosen_and_is_not_there_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], choice: str
) -> None:
    monkeypatch.setenv("AMPTALK_GPU", choice)
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert re.search(r"AMPTALK_GPU +missing", text)
    assert "names no GPU here" in re.sub(r"\s+", " ", text)
    assert "device memory" in text, "the rest is shown all the same"


@pytest.mark.usefixtures("quick")
def test_where_there_are_others_the_wrong_choice_names_them(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    amd(tree, gpu_busy_percent="22")

    def made(scope: str, gpu: int | None) -> SensorSuite:
        return SensorSuite(scope, tree.clock, tree.roots, pid=PID, threads=False, gpu=gpu)

    monkeypatch.setattr(doctor, "SensorSuite", made)
    monkeypatch.setenv("AMPTALK_GPU", "99")
    assert main(["doctor", "gpu"]) == 1
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "AMPTALK_GPU missing" in text
    assert "there are: 0 = AMD GPU" in text
    assert "gpu works" in text, "the first one is shown in its place"
    assert main(["doctor", "gpu", "--json"]) == 1
    monkeypatch.setenv("AMPTALK_GPU", "0")
    assert main(["doctor", "gpu"]) == 0


@pytest.mark.usefixtures("quick")
def test_a_thermometer_that_was_chosen_and_is_not_there_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AMPTALK_TEMPERATURE", "the moon")
    assert main(["doctor"]) == 1
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "temperature missing" in text
    assert "AMPTALK_TEMPERATURE='the moon' names no temperature sensor" in text


@pytest.mark.usefixtures("quick")
def test_a_scope_that_is_not_there_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from amptalk.sensors.container import Container

    monkeypatch.setattr(Container, "inside", property(lambda _: False))
    assert main(["doctor", "--scope", "container"]) == 1
    text = capsys.readouterr().out
    assert re.search(r"--scope container +missing", text)
    assert "LIMITS, scope application" in text


# -- JSON ---------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_json_is_strict_and_carries_the_answers(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["doctor", "--json", "memory", "gpu"])
    whole = strict(capsys.readouterr().out)
    assert whole["ok"] is (status == 0)
    assert [one["name"] for one in whole["asked"]] == ["memory", "gpu"]
    assert whole["asked"][0]["works"] is True
    assert whole["capacity"]["cpu_cores"] > 0
    (memory,) = [one for one in whole["sensors"] if one["name"] == "device memory"]
    assert memory["cost_us"] > 0
    assert memory["values"]["device.memory_used_mb"] > 0
