"""`amptalk doctor`: text for people, strict JSON for programs, exit status for scripts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from amptalk.cli import doctor, doctor_text
from amptalk.cli.doctor_needs import NAMES, asked, check_names
from amptalk.cli.doctor_view import View, as_json, view
from amptalk.cli.main import main
from amptalk.model.errors import ConfigurationError
from tests.sensors.diagnosis.machines import (
    ROOT,
    USER,
    docker,
    jetson,
    laptop,
    machine,
    raspberry_pi_5,
)
from tests.sensors.gpu.cards import amd
from tests.sensors.trees import PID, Tree, opened, tree

__all__ = ["tree"]

MACHINES = (raspberry_pi_5, laptop, jetson, docker)


def seen(tree: Tree, scope: str = "application", user: object = USER) -> View:
    assert isinstance(user, type(USER))
    with opened(tree.suite(scope)) as suite:
        for _ in range(2):
            tree.clock.advance(6)
            suite.read()
        return view(suite, machine(tree, user), PID)


def strict(text: str) -> dict[str, Any]:
    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    whole: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return whole


# -- text ---------------------------------------------------------------------


@pytest.mark.parametrize("make", MACHINES)
@pytest.mark.parametrize("scope", ["application", "device"])
def test_the_text_is_grouped_and_at_most_100_columns(
    tree: Tree, make: Callable[[Tree], None], scope: str
) -> None:
    make(tree)
    text = doctor_text.whole(seen(tree, scope), ())
    headings = [line for line in text.splitlines() if line.isupper() or line.startswith("LIMITS")]
    assert headings == [
        "WORKS", "MISSING, CAN BE ENABLED", "NOT AVAILABLE HERE", f"LIMITS, scope {scope}",
    ]  # fmt: skip
    for line in text.splitlines():
        assert len(line) <= 100 or line.startswith(("    → ", "      ")), line
        assert not re.search(r"\b(nan|inf)\b", line)


def test_a_command_is_broken_only_where_the_shell_goes_on(tree: Tree) -> None:
    raspberry_pi_5(tree)
    lines = doctor_text.whole(seen(tree), ()).splitlines()
    psi = "    → sudo sed -i '1s/$/ psi=1/' /boot/firmware/cmdline.txt && sudo reboot"
    assert lines.count(psi) == 1, "once for all three kinds of pressure"
    (at,) = [number for number, line in enumerate(lines) if "cgroup_memory=1/'" in line]
    assert lines[at].startswith("    → sudo sed")
    broken = [line for line in lines if line.startswith("      ") and line[6] != " "]
    for line in broken:
        before = lines[lines.index(line) - 1]
        assert before.endswith(("&&", "|"))


def test_no_limit_is_none_and_a_unit_is_said_once(tree: Tree) -> None:
    tree.cgroups("0::/own\n", "30 20 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    for name, text in {"cgroup.events": "", "memory.current": "1048576\n", "memory.max": "max\n",
                       "memory.stat": "inactive_file 0\n", "cpu.stat": "usage_usec 1\n",
                       "memory.events": "oom_kill 0\n"}.items():  # fmt: skip
        tree.put(f"sys/fs/cgroup/own/{name}", text)
    text = doctor_text.whole(seen(tree), ())
    assert "memory limit none" in text
    assert "memory usage 1.0 MB" in text
    assert "_mb" not in text.partition("LIMITS")[0]


def test_the_machine_is_told_and_root_is_warned(tree: Tree) -> None:
    laptop(tree)
    text = doctor_text.whole(seen(tree), ())
    assert "LENOVO 20XW, Ubuntu 24.04 LTS, Linux 6.8.0-40-generic" in text
    assert "not in a container, not on a virtual machine" in text
    assert "root" not in text.partition("capacity")[0]
    assert "run it again as the user" in doctor_text.whole(seen(tree, user=ROOT), ())


def test_what_a_value_covers_and_how_it_came_about_is_told(tree: Tree) -> None:
    laptop(tree)
    tree.put("sys/class/power_supply/AC/online", "0\n")
    for name, value in {"status": "Discharging", "power_now": "9000000"}.items():
        tree.put(f"sys/class/power_supply/BAT0/{name}", value)
    text = re.sub(r"\s+", " ", doctor_text.whole(seen(tree), ()))
    assert "power 9.0 W measured, discharging battery BAT0: whole device; " in text
    (power,) = [one for one in as_json(seen(tree))["sensors"] if one["name"] == "device power"]
    assert (power["method"], power["values"]) == ("measured", {"device.power_watts": 9.0})


def test_costs_are_in_microseconds(tree: Tree) -> None:
    text = re.sub(r"\n +", "", doctor_text.whole(seen(tree), ()))
    assert re.search(r"/proc/meminfo, ?\d+ µs", text)


# -- limits -------------------------------------------------------------------


def test_each_limit_says_what_sees_and_what_can_hold_it(tree: Tree) -> None:
    rows = {row.name: row for row in seen(tree).limits}
    assert list(rows) == [
        "max_memory_mb", "max_cpu_percent", "max_gpu_percent", "max_gpu_memory_mb",
        "max_power_watts", "max_temp_celsius",
    ]  # fmt: skip
    memory = rows["max_memory_mb"]
    assert (memory.state, memory.field) == ("works", "application.memory_mb")
    assert memory.held_by == ("knob", "admission", "hook", "component", "trim")
    assert memory.kernel is not None
    power = rows["max_power_watts"]
    assert math.isnan(power.value)
    assert (power.held_by, power.kernel) == ((), None)
    assert rows["max_gpu_memory_mb"].held_by == ("admission",)


def test_the_device_is_no_control_group(tree: Tree) -> None:
    rows = {row.name: row for row in seen(tree, "device").limits}
    assert rows["max_memory_mb"].field == "device.memory_used_mb"
    assert rows["max_memory_mb"].kernel is None


def test_what_a_manager_says_at_start_is_said_here_too(tree: Tree) -> None:
    text = re.sub(r"\s+", " ", doctor_text.whole(seen(tree), ()))
    assert "are not set by this version" in text
    assert "watched, but nothing holds yet: memory" in text


# -- what is asked for --------------------------------------------------------


def answers(tree: Tree, *names: str) -> dict[str, bool]:
    return {one.name: one.works for one in asked(names, seen(tree))}


def test_topics_fields_and_limits_may_be_asked_for(tree: Tree) -> None:
    raspberry_pi_5(tree)
    assert answers(
        tree, "temperature", "memory", "psi", "memory_used_mb", "device.power_watts",
        "max_memory_mb", "max_power_watts", "throttling", "container",
    ) == {
        "temperature": True, "memory": True, "psi": False, "memory_used_mb": True,
        "device.power_watts": False, "max_memory_mb": True, "max_power_watts": False,
        "throttling": True, "container": False,
    }  # fmt: skip


def test_a_gpu_works_with_some_of_its_values_and_asleep(tree: Tree) -> None:
    laptop(tree)
    assert answers(tree, "gpu") == {"gpu": False}
    device = amd(tree)
    assert answers(tree, "gpu", "max_gpu_percent") == {"gpu": True, "max_gpu_percent": True}
    (tree.root / device / "gpu_busy_percent").unlink()
    assert answers(tree, "gpu", "gpu_utilization") == {"gpu": True, "gpu_utilization": False}
    tree.put(f"{device}/power/runtime_status", "suspended\n")
    assert answers(tree, "gpu", "gpu_utilization", "max_gpu_percent") == {
        "gpu": True, "gpu_utilization": True, "max_gpu_percent": True,
    }  # fmt: skip


def test_every_name_has_an_answer(tree: Tree) -> None:
    everything = asked(NAMES, seen(tree))
    assert [one.name for one in everything] == list(dict.fromkeys(NAMES))
    for one in everything:
        assert one.works or one.findings


def test_an_unknown_name_is_answered_with_close_ones() -> None:
    with pytest.raises(ConfigurationError, match="did you mean power"):
        check_names(["powr"])
    with pytest.raises(ConfigurationError, match="there are memory, swap"):
        check_names(["zzzz"])


# -- the command --------------------------------------------------------------


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


@pytest.mark.parametrize("make", MACHINES)
def test_json_of_every_machine_is_strict(tree: Tree, make: Callable[[Tree], None]) -> None:
    make(tree)
    whole = strict(json.dumps(as_json(seen(tree)), allow_nan=False))
    for one in whole["sensors"]:
        assert one["state"] == "works" or one["because"]
        assert bool(one["missing"]) is (one["state"] != "works")
    assert len(whole["limits"]) == 6


def test_what_is_not_known_is_null(tree: Tree) -> None:
    tree.remove("proc/meminfo")
    whole = as_json(seen(tree))
    assert whole["capacity"]["memory_mb"] is None
    assert whole["machine"]["model"] is None
