"""What ended processes left is undone: each change by itself, only where it is still ours."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from amptalk.actuators.journal import restore as restoring
from amptalk.actuators.journal.changes import CONTROLLERS, GROUP, VALUE, Change
from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.journal.restore import Restored, restore
from amptalk.actuators.journal.undo import State
from amptalk.model.errors import JournalError
from amptalk.sensors.identity import identity_of
from tests.actuators.kernel.machine import PID, Fault, Machine

CHILD = 77


class Left:
    """A machine on which a process has made a group, a limit and a score, and was killed."""

    def __init__(self, machine: Machine, folder: JournalFolder) -> None:
        self.machine = machine
        self.folder = folder
        self.proc = machine.roots.proc
        machine.process(CHILD, parent=PID)
        self.owner = identity_of(self.proc, PID)
        self.journal = Journal(folder, self.owner)
        self.home = str(machine.home)
        self.group = f"{self.home}/amptalk-{PID}-1000"
        self.limit = f"{self.group}/" + (
            "memory.max" if machine.version == 2 else "memory.limit_in_bytes"
        )
        self.score = f"{self.proc}/{CHILD}/oom_score_adj"
        self.journal.note(Change(GROUP, self.group, self.home))
        machine.mkdir(self.group, 0o755)
        for pid in (PID, CHILD):
            self.write(f"{self.group}/cgroup.procs", str(pid))
        if machine.version == 2:
            listed = f"{self.home}/cgroup.subtree_control"
            self.journal.note(Change(CONTROLLERS, listed, "", ("memory",)))
            self.write(listed, "+memory")
        self.unlimited = Path(self.limit).read_text().strip()
        self.journal.note(Change(VALUE, self.limit, self.unlimited, ("1048576",)))
        self.write(self.limit, "1048576")
        self.journal.note(Change(VALUE, self.score, "0", ("500",), (CHILD, 1000)))
        self.write(self.score, "500")

    def write(self, path: str, text: str) -> None:
        fd = self.machine.open(path, 1)
        self.machine.write(fd, text.encode())
        self.machine.close(fd)

    def killed(self) -> None:
        self.machine.end(PID)

    def restore(self, *, dry_run: bool = False) -> list[Restored]:
        return restore(self.folder, self.proc, dry_run=dry_run)

    def check_restored(self) -> None:
        assert not Path(self.group).exists()
        assert Path(self.score).read_text().strip() == "0"
        assert str(CHILD) in self.machine.members(self.home)
        if self.machine.version == 2:
            assert not (Path(self.home) / "cgroup.subtree_control").read_text().split()


@pytest.fixture
def left(machine: Machine, folder: JournalFolder) -> Left:
    return Left(machine, folder)


def states(results: list[Restored]) -> list[State]:
    return [result.outcome.state for result in results]


def test_all_that_a_killed_owner_left_is_undone(left: Left) -> None:
    left.killed()
    results = left.restore()
    assert set(states(results)) == {State.UNDONE}
    left.check_restored()
    assert left.folder.names() == []


def test_a_second_time_there_is_nothing_to_do(left: Left) -> None:
    left.killed()
    left.restore()
    assert left.restore() == []
    left.check_restored()


def test_a_dry_run_says_the_same_and_does_nothing(left: Left) -> None:
    left.killed()
    before = len(left.machine.log)
    planned = left.restore(dry_run=True)
    assert len(left.machine.log) == before
    assert len(left.folder.names()) == len(planned)
    assert left.restore() == planned


def test_what_belongs_to_a_living_owner_is_left(left: Left) -> None:
    assert left.restore() == []
    assert Path(left.group).exists()


def test_a_zombie_owns_nothing_any_more(left: Left) -> None:
    stat = Path(f"{left.proc}/{PID}/stat")
    stat.write_text(stat.read_text().replace(" S ", " Z "))
    assert State.UNDONE in states(left.restore())


def test_another_process_with_the_same_pid_is_not_the_owner(left: Left) -> None:
    left.killed()
    left.machine.process(PID, 5000)
    assert set(states(left.restore())) == {State.UNDONE}
    left.check_restored()


def test_the_owner_itself_may_undo_what_it_made(left: Left) -> None:
    results = restore(left.folder, left.proc, owner=left.owner)
    assert set(states(results)) == {State.UNDONE}
    left.check_restored()


def test_entries_of_an_earlier_boot_are_void(left: Left) -> None:
    left.killed()
    left.machine.put("proc/sys/kernel/random/boot_id", "another\n")
    assert set(states(left.restore())) == {State.NOTHING}
    assert left.folder.names() == []
    assert Path(left.group).exists(), "nothing of this boot was touched"


def test_an_owner_in_another_pid_namespace_cannot_be_judged(left: Left) -> None:
    left.killed()
    namespace = Path(f"{left.proc}/self/ns/pid")
    namespace.unlink()
    namespace.symlink_to("pid:[2]")
    results = left.restore()
    assert set(states(results)) == {State.REMAINS}
    assert "pid namespace" in results[0].outcome.text


def test_a_value_that_somebody_else_has_set_is_left_alone(left: Left) -> None:
    left.killed()
    left.write(left.score, "300")
    texts = {result.outcome.state: result.outcome.text for result in left.restore()}
    assert "'300' by somebody else" in texts[State.THEIRS]
    assert Path(left.score).read_text().strip() == "300"
    assert left.folder.names() == [], "nothing of ours is left"


def test_a_value_that_was_not_written_yet_is_no_change(left: Left) -> None:
    left.killed()
    left.write(left.score, "0")
    assert State.NOTHING in states(left.restore())


def test_both_texts_of_a_write_that_was_under_way_are_ours(left: Left) -> None:
    left.journal.note(Change(VALUE, left.limit, left.unlimited, ("1048576", "2097152")))
    left.killed()
    assert states(left.restore())[0] is State.UNDONE


def test_a_score_of_an_ended_process_is_gone_with_it(left: Left) -> None:
    left.killed()
    left.machine.end(CHILD)
    left.machine.process(CHILD, 9000)
    left.write(left.score, "500")
    assert State.NOTHING in states(left.restore())
    assert Path(left.score).read_text().strip() == "500", "another process's own"


def test_a_group_that_is_gone_needs_nothing(left: Left) -> None:
    left.killed()
    left.machine.end(CHILD)
    if left.machine.version == 1:
        left.machine.rmdir(left.group)
        assert set(states(left.restore())) == {State.NOTHING}
        assert left.folder.names() == []


def test_controllers_that_others_use_by_now_stay(left: Left) -> None:
    if left.machine.version == 1:
        return
    left.killed()
    left.machine.make(left.machine.home / "theirs")
    results = left.restore()
    assert State.THEIRS in states(results)
    assert "memory" in (left.machine.home / "cgroup.subtree_control").read_text()


FAULTS = {
    "EACCES": Fault(errno.EACCES),
    "EBUSY": Fault(errno.EBUSY),
    "EAGAIN": Fault(errno.EAGAIN),
    "short write": Fault(short=True),
    "wrong read-back": Fault(lies=True),
}
PLACES = ["oom_score_adj", "memory.limit_in_bytes", "memory.max", "unit/cgroup.procs"]


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("place", PLACES)
def test_one_that_fails_is_told_and_hinders_no_other(left: Left, place: str, kind: str) -> None:
    left.killed()
    left.machine.faults[place] = FAULTS[kind]
    results = left.restore()
    remaining = [result for result in results if result.remains]
    touched = not place.startswith("memory") or left.limit.endswith(place)
    assert len(remaining) == touched
    assert left.folder.names() == [result.name for result in remaining]
    if place != "oom_score_adj":
        assert Path(left.score).read_text().strip() == "0"
    if place != "unit/cgroup.procs":
        assert not Path(left.group).exists(), "with the group its limit is gone"
    left.machine.faults.clear()
    assert not any(result.remains for result in left.restore())
    left.check_restored()
    assert left.folder.names() == []


@pytest.mark.parametrize("place", PLACES)
def test_one_that_hangs_hinders_no_other(
    left: Left, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "_LAST", 0.5)  # only what hangs takes so long
    left.killed()
    answer = threading.Event()
    left.machine.faults[place] = Fault(hangs=answer)
    results = restore(left.folder, left.proc, deadline=0.01)
    touched = not place.startswith("memory") or left.limit.endswith(place)
    assert sum("does not answer" in result.outcome.text for result in results) == touched
    answer.set()
    for thread in threading.enumerate():
        if thread.name == "amptalk-restore":
            thread.join(20.0)
    left.restore()
    left.check_restored()
    assert left.folder.names() == []


def test_a_group_that_vanishes_meanwhile_is_gone(left: Left) -> None:
    left.killed()
    left.machine.faults[left.limit] = Fault(vanishes=True)
    results = left.restore()
    assert not any(result.remains for result in results)
    assert not Path(left.group).exists()


def test_a_broken_entry_remains_and_hinders_no_other(left: Left) -> None:
    left.killed()
    left.folder.write("1-1-000001.json", b"{")
    results = left.restore()
    assert [result.name for result in results if result.remains] == ["1-1-000001.json"]
    left.check_restored()


def test_files_of_a_killed_writer_are_swept(left: Left) -> None:
    mine = f"{PID}-1000-000009.json.new"
    (Path(left.folder.path) / mine).write_text("")
    left.restore()
    assert left.folder.unfinished() == [mine], "its owner may be writing it"
    left.killed()
    left.restore()
    assert left.folder.unfinished() == []


def test_a_change_of_another_kind_is_not_journalled(left: Left) -> None:
    with pytest.raises(JournalError, match="not to be journalled"):
        left.journal.note(Change(VALUE, "/etc/passwd", "", ("x",)))
