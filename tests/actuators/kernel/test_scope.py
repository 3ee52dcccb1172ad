"""A scope from systemd, as far as a made-up busctl shows: what is asked for, and every refusal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from amptalk.actuators.kernel import scope
from amptalk.actuators.kernel.scope import enter_scope
from amptalk.model.errors import ActionError
from amptalk.sensors.roots import Roots

PID = 4242


class Manager:
    """A machine with systemd: `busctl` is a script that notes its arguments."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.roots = Roots(str(path / "proc"), str(path / "sys"), str(path / "dev"))
        self.groups = path / f"proc/{PID}/cgroup"
        self.groups.parent.mkdir(parents=True)
        self.groups.write_text("0::/user.slice\n")
        (path / "systemd").mkdir()
        monkeypatch.setenv("PATH", f"{path}:{os.environ['PATH']}")

    def answers(self, script: str) -> None:
        file = self.path / "busctl"
        file.write_text(f'#!/bin/sh\necho "$@" > {self.path}/asked\n{script}\n')
        file.chmod(0o755)

    def enter(self, booted: str = "systemd", **environment: str) -> None:
        enter_scope(self.roots, PID, environment, str(self.path / booted))


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manager:
    return Manager(tmp_path, monkeypatch)


def test_a_scope_with_delegation_is_asked_for_and_waited_for(manager: Manager) -> None:
    manager.answers(f"echo 0::/user.slice/amptalk-{PID}.scope > {manager.groups}")
    manager.enter(XDG_RUNTIME_DIR="/run/user/7")
    asked = (manager.path / "asked").read_text()
    assert (
        f"StartTransientUnit ssa(sv)a(sa(sv)) amptalk-{PID}.scope fail 3 PIDs au 1 {PID} " in asked
    )
    assert " Delegate b true " in asked


def test_without_systemd_the_reason_says_so(manager: Manager) -> None:
    with pytest.raises(ActionError, match="there is no systemd here"):
        manager.enter("nothing")


def test_a_user_without_a_session_is_told_what_helps(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    with pytest.raises(ActionError, match="loginctl enable-linger"):
        manager.enter()


def test_what_systemd_refuses_is_told_in_its_words(manager: Manager) -> None:
    manager.answers("echo 'Call failed: Access denied' >&2; exit 1")
    with pytest.raises(ActionError, match="systemd gives no scope: Call failed: Access denied"):
        manager.enter()


def test_a_scope_that_nobody_is_moved_into_is_not_waited_for_long(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scope, "_PATIENCE", 0.3)
    manager.answers("exit 0")
    with pytest.raises(ActionError, match="did not move it into its scope within"):
        manager.enter()
