"""What one run is to do, checked as a whole."""

from __future__ import annotations

import signal
from math import nan

import pytest

from amptalk.model.errors import ConfigurationError
from amptalk.model.resource import CPU, MEMORY, TEMPERATURE
from amptalk.run.options import RunOptions, options_of
from amptalk.run.settings import from_flags


def options(*flags: tuple[str, str], variants: bool = False) -> RunOptions:
    return options_of([["true"]], [from_flags(flags)], variants=variants)


def test_limits_come_in_the_units_of_their_resources() -> None:
    found = options(("memory", "1.5G"), ("cpus", "1"), ("temp", "80"), ("wall_time", "1h"))
    assert found.resources(4.0) == [(MEMORY, 1536.0), (CPU, 25.0), (TEMPERATURE, 80.0)]
    assert found.budgets() == {"wall_time": 3600.0}


def test_a_share_of_the_cpu_needs_no_number_of_cores() -> None:
    assert options(("cpus", "50%")).resources(nan) == [(CPU, 50.0)]
    with pytest.raises(ConfigurationError, match="--cpus 1: how many cores there are is not known"):
        options(("cpus", "1")).resources(nan)


def test_more_cores_than_there_are_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="--cpus 3: only 2 can be used here; give 2 or"):
        options(("cpus", "3")).resources(2.0)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ([("max_cpu_percent", "101")], "up to 100 %"),
        ([("cpus", "150%")], "up to 100 %"),
        ([("temp", "200")], "up to 150"),
        ([("pace", "yes")], "--pace holds a limit of CPU, and none is given: add --cpus"),
        ([("json", "yes"), ("quiet", "yes")], "--json and --quiet contradict each other"),
        ([("strategy", "magic")], "'magic' is unknown"),
        ([("interval", "0")], "allowed are 0.05 to 3600 seconds"),
        ([("interval", "soon")], "allowed are 0.05 to 3600 seconds"),
        ([("ask_signal", "NOPE")], "no such signal"),
        ([("ask_signal", "KILL")], "a program cannot listen to it"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_started(
    flags: list[tuple[str, str]], why: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        options(*flags)
    assert why in str(caught.value)


def test_without_a_command_there_is_nothing_to_run() -> None:
    nothing: list[list[list[str]]] = [[], [[]]]
    for commands in nothing:
        with pytest.raises(ConfigurationError, match="there is no command"):
            options_of(commands, [])


def test_variants_make_room_for_each_other_so_nothing_else_may_be_done_on_a_breach() -> None:
    with pytest.raises(ConfigurationError, match="--try and --on-breach restart contradict"):
        options(("on_breach", "restart"), variants=True)


@pytest.mark.parametrize("text", ["USR1", "sigusr1", "SIGUSR1", str(int(signal.SIGUSR1))])
def test_a_signal_has_several_names(text: str) -> None:
    assert options(("ask_signal", text)).ask_signal == signal.SIGUSR1
