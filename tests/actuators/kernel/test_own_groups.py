"""Groups of our own are made beneath the one we live in, filled, and left without a trace."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.kernel.contract import Hold
from amptalk.model.errors import ActionError
from tests.actuators.kernel.machine import PID, Fault, Machine

CHILD, OTHER = 77, 99
NAME = f"amptalk-{PID}-1000"


def test_the_application_lives_in_it_and_goes_back(
    machine: Machine, hold: Hold, folder: JournalFolder
) -> None:
    machine.process(CHILD, parent=PID)
    made = hold.groups.enter("memory")
    assert made == f"{machine.home}/{NAME}"
    assert machine.members(made) == [str(PID), str(CHILD)]
    assert folder.names()
    assert hold.groups.enter("memory") == made
    hold.groups.leave("memory")
    assert machine.groups() == []
    assert machine.members(machine.home) == [str(PID), str(CHILD)]
    assert folder.names() == []


def test_a_second_controller_of_version_2_shares_the_group(machine: Machine, hold: Hold) -> None:
    memory, cpu = hold.groups.enter("memory"), hold.groups.enter("cpu")
    assert (memory == cpu) is (machine.version == 2)
    hold.groups.leave("cpu")
    assert Path(memory).exists()
    assert not Path(f"{memory}/cpu.max").exists() or machine.version == 2
    hold.groups.leave("memory")
    assert machine.groups() == []


def test_a_process_enters_every_group_by_its_door_once(machine: Machine, hold: Hold) -> None:
    assert hold.groups.doors() == []
    memory, cpu = hold.groups.enter("memory"), hold.groups.enter("cpu")
    if machine.version == 1:
        assert hold.groups.doors() == [f"{memory}/tasks", f"{cpu}/tasks"]
    else:
        assert hold.groups.doors() == [f"{memory}/cgroup.procs"]
    hold.groups.leave("memory")
    hold.groups.leave("cpu")
    assert hold.groups.doors() == []


def test_a_group_stays_where_it_was_made_whoever_moves_the_application(
    machine: Machine, hold: Hold
) -> None:
    made = hold.groups.enter("memory")
    machine.put(f"proc/{PID}/cgroup", "1:memory:/elsewhere\n0::/elsewhere\n")
    assert hold.groups.enter("memory") == made
    assert f"{hold.groups.place('memory').home}/{NAME}" == made


def test_controllers_are_handed_down_only_as_long_as_needed(machine: Machine, hold: Hold) -> None:
    if machine.version == 1:
        return
    listed = machine.home / "cgroup.subtree_control"
    hold.groups.enter("memory")
    assert listed.read_text().split() == ["memory"]
    hold.groups.enter("cpu")
    assert listed.read_text().split() == ["cpu", "memory"]
    hold.groups.leave("memory")
    assert listed.read_text().split() == ["cpu"]
    hold.groups.leave("cpu")
    assert listed.read_text().split() == []


def test_processes_that_are_started_meanwhile_are_moved_too(machine: Machine, hold: Hold) -> None:
    real = machine._move
    born: list[int] = []

    def move(path: Path, pid: str) -> None:
        if not born:
            born.append(CHILD)
            machine.process(CHILD, parent=PID)
        real(path, pid)

    machine._move = move  # type: ignore[method-assign]
    made = hold.groups.enter("memory")
    assert str(CHILD) in machine.members(made)


def test_processes_that_end_meanwhile_do_not_matter(machine: Machine, hold: Hold) -> None:
    machine.family.append(CHILD)
    assert machine.members(hold.groups.enter("memory")) == [str(PID)]


def test_others_in_the_group_are_named_where_it_may_then_not_be_divided(
    machine: Machine, hold: Hold, folder: JournalFolder
) -> None:
    if machine.version == 1:
        hold.groups.enter("memory")
        return
    machine.process(OTHER)
    with pytest.raises(ActionError, match=f"holds other processes too .{OTHER}.*systemd-run"):
        hold.groups.enter("memory")
    assert machine.groups() == []
    assert folder.names() == []


def test_a_controller_that_was_not_handed_to_the_group_is_named(
    machine: Machine, hold: Hold
) -> None:
    if machine.version == 1:
        return
    (machine.home / "cgroup.controllers").write_text("cpu pids\n")
    with pytest.raises(ActionError, match=r"has no memory controller \(it has cpu pids\)"):
        hold.groups.place("memory")


def test_without_any_hierarchy_the_reason_says_so(machine: Machine, hold: Hold) -> None:
    machine.put("proc/self/mountinfo", "1 2 0:3 / / rw - ext4 sda rw\n")
    with pytest.raises(ActionError, match="no control group file system with memory is mounted"):
        hold.groups.place("memory")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_where_no_group_can_be_made_nothing_is_left(
    machine: Machine, hold: Hold, folder: JournalFolder, number: int
) -> None:
    machine.faults[NAME] = Fault(number, at="mkdir")
    with pytest.raises(ActionError, match=NAME):
        hold.groups.enter("memory")
    assert machine.groups() == []
    assert folder.names() == []


def test_where_processes_cannot_be_moved_the_group_is_removed_again(
    machine: Machine, hold: Hold, folder: JournalFolder
) -> None:
    machine.faults[f"{NAME}/cgroup.procs"] = Fault(errno.EACCES)
    with pytest.raises(ActionError, match="may not be written by this user"):
        hold.groups.enter("memory")
    assert machine.groups() == []
    assert folder.names() == []


def test_what_could_not_be_left_stays_in_the_journal(
    machine: Machine, hold: Hold, folder: JournalFolder
) -> None:
    hold.groups.enter("memory")
    machine.faults["unit/cgroup.procs"] = Fault(errno.EACCES)
    with pytest.raises(ActionError, match="may not be written by this user"):
        hold.groups.leave("memory")
    assert folder.names()
