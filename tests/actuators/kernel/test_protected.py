"""What must live: the scores of processes by their names, lowered where that is allowed."""

from __future__ import annotations

import errno
import os

import pytest

from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.restore import restore
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.protected import SCORE, Protected
from amptalk.actuators.kernel.victims import Children
from amptalk.manager import ResourceManager
from amptalk.model.errors import ActionError, ConfigurationError
from tests.actuators.kernel.machine import PID, Fault, Machine

SHELL = 70


@pytest.fixture
def sshd(machine: Machine) -> int:
    return named(machine, SHELL, "sshd")


def named(machine: Machine, pid: int, name: str) -> int:
    machine.process(pid)
    machine.put(f"proc/{pid}/comm", name + "\n")
    return pid


def score(machine: Machine, pid: int) -> int:
    return int(machine.text(f"proc/{pid}/oom_score_adj"))


@pytest.fixture
def protected(machine: Machine, hold: Hold) -> Protected:
    made = Protected(machine.roots.proc)
    made.begin(hold)
    return made


def test_all_of_a_name_are_spared_and_nobody_else(
    machine: Machine, protected: Protected, sshd: int
) -> None:
    second, other = named(machine, 71, "sshd"), named(machine, 72, "hog")
    protected.add("sshd")
    protected.order()
    assert [score(machine, pid) for pid in (sshd, second, other)] == [SCORE, SCORE, 0]


def test_those_that_come_later_are_spared_too_and_ended_ones_forgotten(
    machine: Machine, protected: Protected, sshd: int, folder: JournalFolder
) -> None:
    protected.add("sshd")
    protected.order()
    machine.end(sshd)
    later = named(machine, 73, "sshd")
    protected.order()
    assert score(machine, later) == SCORE
    assert len(folder.names()) == 1, "also in the journal"


def test_a_name_is_told_by_what_the_kernel_keeps_of_it(
    machine: Machine, protected: Protected
) -> None:
    pid = named(machine, SHELL, "a-service-with-")
    protected.add("a-service-with-a-long-name")
    protected.order()
    assert score(machine, pid) == SCORE


def test_what_is_spared_already_is_left(
    machine: Machine, protected: Protected, sshd: int, folder: JournalFolder
) -> None:
    machine.put(f"proc/{sshd}/oom_score_adj", "-1000\n")
    protected.add("sshd")
    protected.order()
    assert score(machine, sshd) == -1000
    assert folder.names() == []


def test_another_user_s_process_does_not_borrow_the_name(
    machine: Machine, protected: Protected, sshd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = os.stat(machine.root / f"proc/{sshd}")
    foreign = os.stat_result((*about[:4], 12345, *about[5:]))
    monkeypatch.setattr("os.stat", lambda path, *_, **__: foreign if path else about)
    protected.add("sshd")
    protected.order()
    assert score(machine, sshd) == 0


def test_the_scores_are_put_back_by_whoever_comes(
    machine: Machine, protected: Protected, sshd: int, folder: JournalFolder, hold: Hold
) -> None:
    protected.add("sshd")
    protected.order()
    results = restore(folder, machine.roots.proc, owner=hold.journal.owner)
    assert not [one for one in results if one.remains]
    assert score(machine, sshd) == 0
    assert folder.names() == []


def test_what_may_not_be_lowered_is_told_and_the_others_are(
    machine: Machine, protected: Protected, sshd: int, folder: JournalFolder
) -> None:
    second = named(machine, 71, "sshd")
    machine.faults[f"{sshd}/oom_score_adj"] = Fault(errno.EACCES)
    protected.add("sshd")
    with pytest.raises(ActionError, match="CAP_SYS_RESOURCE"):
        protected.order()
    assert (score(machine, sshd), score(machine, second)) == (0, SCORE)
    assert len(folder.names()) == 1


def test_without_enforcement_nothing_is_done(machine: Machine, sshd: int) -> None:
    protected = Protected(machine.roots.proc)
    protected.add("sshd")
    protected.order()
    assert score(machine, sshd) == 0


@pytest.mark.parametrize("name", ["", "  ", None, 7])
def test_what_is_no_name_is_refused_whatever_the_handling(name: str) -> None:
    with pytest.raises(ConfigurationError, match="non-empty string"):
        ResourceManager().protect(name)


def test_a_protected_child_is_neither_paused_nor_ended_nor_a_victim(
    machine: Machine, protected: Protected, hold: Hold
) -> None:
    machine.process(SHELL, parent=PID)
    machine.put(f"proc/{SHELL}/comm", "sshd\n")
    children = Children(machine.roots.proc, PID, protected.includes)
    children.begin(hold)
    children.declare(SHELL, priority=-1, may_end=True)
    assert children.background() == [SHELL]
    protected.add("sshd")
    children.order()
    assert children.background() == []
    assert children.living() == []
    assert score(machine, SHELL) == 0
