"""Settings from flags, environment and file: one table, one order, no contradiction."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.cli.run import help_text, parsed
from amptalk.model.errors import ConfigurationError
from amptalk.run import settings
from amptalk.run.settings import SETTINGS, from_environment, from_file, from_flags, merged


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('[run]\nmemory = "1G"\ncpus = 2\npower = 10\non_breach = "stop"\npace = true\n')
    limits, others = merged([
        from_flags([("memory", "3G")]),
        from_environment({"AMPTALK_MEMORY": "2G", "AMPTALK_CPUS": "1", "AMPTALK_PACE": "no"}),
        from_file(str(file)),
    ])  # fmt: skip
    assert limits["memory"].amount == (3072.0, "MB")
    assert limits["cpu"].amount == (1.0, "cores")
    assert limits["power"].amount == (10.0, "W")
    assert others["on_breach"] == "stop"
    assert others["pace"] == ""


def test_both_names_of_a_limit_may_say_the_same() -> None:
    limits, _ = merged([from_flags([("memory", "1500M"), ("max_memory_mb", "1500")])])
    assert limits["memory"].amount == (1500.0, "MB")


def test_names_of_a_limit_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"--memory 1G and --max-memory-mb 1500 contra"):
        merged([from_flags([("memory", "1G"), ("max_memory_mb", "1500")])])
    with pytest.raises(ConfigurationError, match=r"--cpus 1 and --max-cpu-percent 50 contradict"):
        merged([from_flags([("cpus", "1"), ("max_cpu_percent", "50")])])


def test_a_refusal_says_how_it_was_written() -> None:
    with pytest.raises(ConfigurationError, match=r"^AMPTALK_MEMORY=lots: 'lots' does not begin"):
        merged([from_environment({"AMPTALK_MEMORY": "lots"})])
    with pytest.raises(ConfigurationError, match=r"^--on-breach panic: allowed is warn, stop or r"):
        merged([from_flags([("on_breach", "panic")])])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[run]\nmemroy = '1G'\n", "'memroy' is no setting"),
        ("[run]\npace = 1\n", "it takes true or false"),
        ("[run]\nmemory = true\n", "it takes a text or a number"),
        ("[run]\nmemory = [1]\n", "it takes a text or a number"),
        ("memory = '1G'\n", "has no table [run]"),
        ("[run\n", "is no TOML"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        from_file(str(file))
    assert why in str(caught.value)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml cannot be read: No such file"):
        from_file("nowhere.toml")


def test_without_anything_that_reads_toml_the_remedy_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("tomllib", "tomli"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match=r"needs Python 3\.11, or `pip install tomli`"):
        from_file("run.toml")


def test_the_command_begins_with_the_first_word_that_is_no_setting() -> None:
    flags, tries, config, command = parsed(
        ["--memory", "1G", "--cpus=2", "--pace", "--config", "f", "python", "--memory", "x"]
    )
    assert tries == []
    assert flags == [("memory", "1G"), ("cpus", "2"), ("pace", "yes")]
    assert config == "f"
    assert command == ["python", "--memory", "x"]
    assert parsed(["--", "--odd"])[3] == ["--odd"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--memroy", "1G"], "--memroy is no setting"),
        (["--memory"], "--memory needs a value"),
        (["--pace=1"], "--pace takes no value"),
    ],
)
def test_a_command_line_that_is_wrong_is_refused(words: list[str], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        parsed(words)


def test_the_help_names_every_setting() -> None:
    text = help_text()
    assert all(setting.flag in text and setting.text in text for setting in SETTINGS)
    assert max(map(len, text.splitlines())) <= 110


TEXTS = st.sampled_from(["1G", "2", "50%", "yes", "stop", "5Wh", "1h", "nonsense", "-1", ""])
GIVEN = st.lists(st.tuples(st.sampled_from([s.name for s in SETTINGS]), TEXTS), max_size=5)


@given(st.lists(GIVEN, min_size=1, max_size=3))
def test_whatever_is_given_comes_to_settings_or_to_one_line(
    sources: list[list[tuple[str, str]]],
) -> None:
    try:
        limits, others = merged([from_flags(source) for source in sources])
    except ConfigurationError as error:
        assert "\n" not in str(error)
    else:
        assert all(limit.amount.value > 0 for limit in limits.values())
        assert not limits.keys() & others.keys()
        assert set(others) <= set(settings.BY_NAME)
