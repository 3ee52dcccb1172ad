"""What `amptalk doctor` says of made-up machines: text for people, names, JSON for programs."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.cli import doctor_text
from amptalk.cli.doctor_needs import NAMES, asked, check_names
from amptalk.cli.doctor_view import as_json
from amptalk.model.errors import ConfigurationError
from tests.cli.support import seen, strict
from tests.sensors.diagnosis.machines import ROOT, docker, jetson, laptop, raspberry_pi_5
from tests.sensors.gpu.cards import amd
from tests.sensors.trees import Tree, tree

__all__ = ["tree"]

MACHINES = (raspberry_pi_5, laptop, jetson, docker)


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


WORDS = st.lists(st.text("abcd'$/=", min_size=1, max_size=30), min_size=1, max_size=8)


@given(st.lists(WORDS, min_size=1, max_size=6), st.sampled_from([" && ", " | "]))
def test_a_broken_command_is_the_same_command(parts: list[list[str]], joint: str) -> None:
    command = joint.join(" ".join(words) for words in parts)
    lines = doctor_text._command(command)
    assert " ".join(line.strip(" →") for line in lines) == command
    assert all(line.endswith(joint.rstrip()) for line in lines[:-1])


@given(WORDS)
def test_a_wrapped_text_loses_no_word(words: list[str]) -> None:
    lines = doctor_text._row("name", " ".join(words))
    assert "".join(lines).replace(" ", "") == "name" + "".join(words)
    assert all(len(line) <= 100 for line in lines)


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
    assert re.search(r"/proc/meminfo, ?(under 1|[1-9]\d*) µs", text)


# -- limits -------------------------------------------------------------------


def test_each_limit_says_what_sees_and_what_can_hold_it(tree: Tree) -> None:
    rows = {row.name: row for row in seen(tree).limits}
    assert list(rows) == [
        "max_memory_mb", "max_cpu_percent", "max_gpu_percent", "max_gpu_memory_mb",
        "max_power_watts", "max_temp_celsius",
    ]  # fmt: skip
    memory = rows["max_memory_mb"]
    assert (memory.state, memory.field) == ("works", "application.memory_mb")
    assert memory.held_by == ("knob", "admission", "hook", "ladder", "component", "trim")
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
    assert "none is set" in text
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


# -- JSON ---------------------------------------------------------------------


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
