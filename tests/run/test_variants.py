"""The largest command that fits now (about 6 s)."""

from __future__ import annotations

import sys
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.model.errors import ConfigurationError
from amptalk.run.variants import Experience, Need, choose, commands_of
from tests.run.support import Done, amptalk_run
from tests.run.test_held import held

LARGE, MEDIUM, SMALL = ("model", "large"), ("model", "medium"), ("model", "small")
ALL = (LARGE, MEDIUM, SMALL)


def test_the_largest_that_is_known_to_fit_is_taken() -> None:
    known = {"model large": Need((900.0,)), "model medium": Need((400.0, 450.0))}
    (choice,) = choose(ALL, known, 600.0)
    assert choice.command == MEDIUM
    assert choice.reason == (
        "model medium: needs 495 MB by earlier runs, 600 MB may be used: it fits"
    )
    assert choose(ALL, known, inf)[0].command == LARGE


def test_what_is_not_known_is_run_to_find_out() -> None:
    choices = choose(ALL, {"model medium": Need((400.0,))}, 600.0)
    assert [(choice.command, choice.sure) for choice in choices] == [(LARGE, False), (MEDIUM, True)]
    assert [choice.command for choice in choose(ALL, {}, 600.0)] == list(ALL)


def test_when_none_is_known_to_fit_the_smallest_is_run() -> None:
    known = {"model large": Need((900.0,)), "model medium": Need((), 500.0),
             "model small": Need((300.0,))}  # fmt: skip
    (choice,) = choose(ALL, known, 200.0)
    assert choice.command == SMALL
    assert "none fits in 200 MB" in choice.reason


def test_a_limit_that_was_too_small_is_forgotten_when_more_has_fitted() -> None:
    need = Need().failed(500.0)
    assert need.memory_mb == pytest.approx(550.0)
    assert need.failed(400.0) == need
    assert need.fitted(600.0) == Need((600.0,), 0.0)


PEAKS = st.lists(st.floats(1.0, 5000.0), max_size=15)


@given(PEAKS, st.floats(1.0, 5000.0))
def test_a_command_needs_more_than_it_took_lately(peaks: list[float], limit: float) -> None:
    need = Need()
    for peak in peaks:
        need = need.fitted(peak)
    for peak in peaks[-10:]:
        assert (need.memory_mb or 0.0) >= peak
    assert (need.failed(limit).memory_mb or 0.0) >= limit


@given(st.lists(st.tuples(st.booleans(), st.floats(1.0, 5000.0)), min_size=3, max_size=3),
       st.floats(1.0, 5000.0))  # fmt: skip
def test_something_is_always_run_and_nothing_twice(
    needs: list[tuple[bool, float]], room: float
) -> None:
    known = {
        " ".join(command): Need((peak,))
        for command, (is_known, peak) in zip(ALL, needs, strict=True)
        if is_known
    }
    choices = [choice.command for choice in choose(ALL, known, room)]
    assert choices
    assert len(set(choices)) == len(choices)
    assert choices == sorted(choices, key=ALL.index)


@pytest.mark.parametrize(("text", "why"), [("a 'b", "cannot be read"), ("", "is empty")])
def test_a_command_that_cannot_be_read_is_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        commands_of([text])


def test_what_was_learned_is_kept(tmp_path: Path) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    Experience(environment).learn(LARGE, fitted=True, amount=900.0)
    experience = Experience(environment)
    assert experience.known == {"model large": Need((900.0,))}
    tmp_path.joinpath("amptalk/runs.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="its format is None"):
        Experience(environment)


def test_commands_that_ran_last_are_remembered(tmp_path: Path) -> None:
    experience = Experience({"XDG_STATE_HOME": str(tmp_path)})
    experience.known = {f"old {number}": Need((1.0,)) for number in range(200)}
    experience.learn(["old", "0"], fitted=True, amount=2.0)
    experience.learn(LARGE, fitted=True, amount=900.0)
    assert len(experience.known) == 200
    assert list(experience.known)[-2:] == ["old 0", "model large"]
    assert "old 1" not in experience.known


@held
def test_a_variant_that_does_not_fit_makes_room_and_is_remembered(tmp_path: Path) -> None:
    def variant(name: str, mb: int) -> str:
        script = tmp_path / name
        script.write_text(
            f"import time\nk = bytearray({mb} << 20)\ntime.sleep(0.6)\nprint('{name}')"
        )
        return f"{sys.executable} {script}"

    def run() -> Done:
        return amptalk_run(
            tmp_path / "run", "--memory", "100M", "--interval", "0.1", "--try",
            variant("large", 200), "--try", variant("small", 20),
            more={"XDG_STATE_HOME": str(tmp_path / "state")},
        )  # fmt: skip

    first, second = run(), run()
    assert (first.status, second.status) == (0, 0)
    assert (first.out, second.out) == ("small\n", "small\n")
    assert any(line.endswith("large: nothing is known of it, so it is run") for line in first.said)
    assert "it did not fit (killed at its memory limit): the next one" in first.said
    assert not any("large" in line for line in second.said)
    assert "by earlier runs, 100 MB may be used: it fits" in second.said[0]


def test_variants_and_a_command_contradict_each_other(tmp_path: Path) -> None:
    done = amptalk_run(tmp_path / "run", "--try", "true", "--", "false")
    assert done.status == 2
    assert done.said == ["--try and the command 'false': give one of them"]
