"""Whether the kernel could hold memory and CPU: read from the group's own files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from amptalk.sensors.diagnosis.control import kernel_control
from tests.sensors.diagnosis.machines import machine
from tests.sensors.trees import PID, Tree

V2 = "30 20 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


def group(tree: Tree, **files: str) -> Path:
    tree.cgroups("0::/own\n", V2)
    for name, text in {"cgroup.events": "", "memory.max": "max\n", **files}.items():
        tree.put(f"sys/fs/cgroup/own/{name}", text)
    return tree.root / "sys/fs/cgroup/own"


def allow(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Only paths that end so may be written: tests run as root too, who may write all."""
    real = os.access

    def access(path: str, mode: int) -> bool:
        return real(path, mode) and (mode != os.W_OK or str(path).endswith(names))

    monkeypatch.setattr("amptalk.sensors.diagnosis.control.os.access", access)


def test_a_limit_file_that_may_be_written_is_named_and_left_alone(tree: Tree) -> None:
    folder = group(tree)
    found = kernel_control(machine(tree), PID, "memory")
    assert found.writable
    assert found.text == f"{folder}/memory.max may be written (no limit now)"
    assert (folder / "memory.max").read_text() == "max\n"


def test_a_limit_that_is_set_is_told_with_the_command_for_another_one(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    group(tree, **{"memory.max": "1073741824\n"})
    tree.put("run/systemd/system/x", "")
    allow(monkeypatch, "nothing")
    found = kernel_control(machine(tree), PID, "memory")
    assert not found.writable
    assert "may not be written (now 1073741824)" in found.text
    assert found.remedy == "systemd-run --user --scope -p MemoryMax=1G COMMAND"


def test_a_delegated_group_can_hold_what_it_was_handed(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"cpu.max": "max 100000\n", "cgroup.subtree_control": "", "cgroup.procs": "",
             "cgroup.controllers": "cpu pids\n"}  # fmt: skip
    group(tree, **files)
    allow(monkeypatch, "/own", "cgroup.subtree_control", "cgroup.procs")
    assert "is delegated" in kernel_control(machine(tree), PID, "cpu").text
    assert not kernel_control(machine(tree), PID, "memory").writable, "it was not handed memory"


def test_outside_of_a_group_it_says_how_to_get_one(tree: Tree) -> None:
    found = kernel_control(machine(tree), PID, "cpu")
    assert not found.writable
    assert "counts cpu" in found.text
    assert "cgroup.subtree_control" in found.remedy


def test_other_systems_have_none(tree: Tree) -> None:
    elsewhere = machine(tree)._replace(system="Darwin")
    assert kernel_control(elsewhere, PID, "memory").text.startswith("there are no control groups")
