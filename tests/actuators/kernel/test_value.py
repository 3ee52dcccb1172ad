"""A value is noted before it is written, read back, and put back as it was."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from amptalk.actuators.journal.changes import from_text
from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.value import HeldValue
from amptalk.actuators.kernel.writing import read
from amptalk.model.errors import ActionError
from tests.actuators.kernel.machine import Fault, Machine


@pytest.fixture
def value(machine: Machine, hold: Hold) -> HeldValue:
    folder = hold.groups.enter("pids")
    return hold.value(f"{folder}/pids.max")


def journalled(folder: JournalFolder) -> tuple[str, ...]:
    """Texts that are said to be ours."""
    for name in folder.names():
        data = folder.read(name)
        assert data is not None
        change = from_text(data, name).change
        if change.path.endswith("pids.max"):
            return change.ours
    return ()


def test_it_is_held_and_released(value: HeldValue, folder: JournalFolder) -> None:
    value.hold("10")
    assert read(value.path) == "10"
    assert journalled(folder) == ("10",)
    value.hold("20")
    assert journalled(folder) == ("10", "20")
    assert value.still_held() == ""
    value.release()
    assert read(value.path) == "max"
    assert journalled(folder) == ()
    value.release()


def test_it_is_in_the_journal_before_it_is_written(
    machine: Machine, value: HeldValue, folder: JournalFolder
) -> None:
    seen: list[tuple[str, ...]] = []
    real = machine._take

    def take(path: Path, text: str) -> None:
        seen.append(journalled(folder))
        real(path, text)

    machine._take = take  # type: ignore[method-assign]
    value.hold("10")
    assert seen == [("10",)]
    value.hold("20")
    assert seen[1] == ("10", "20")


def test_what_somebody_else_changed_is_told_and_left(value: HeldValue) -> None:
    value.hold("10")
    Path(value.path).write_text("30\n")
    assert "was changed to '30'" in value.still_held()
    value.release()
    assert read(value.path) == "30"


REFUSED = {
    "EACCES": Fault(errno.EACCES),
    "EBUSY": Fault(errno.EBUSY),
    "EAGAIN": Fault(errno.EAGAIN),
    "EACCES when opened": Fault(errno.EACCES, at="open"),
    "short write": Fault(short=True),
    "wrong read-back": Fault(lies=True),
    "EIO when read": Fault(errno.EIO, at="read"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_is_not_held(
    machine: Machine, value: HeldValue, folder: JournalFolder, kind: str
) -> None:
    machine.faults["pids.max"] = REFUSED[kind]
    with pytest.raises(ActionError, match=r"pids\.max"):
        value.hold("10")
    assert value.text is None
    assert journalled(folder) == (), "nothing was changed"
    machine.faults.clear()
    assert read(value.path) == "max"
    value.hold("10")
    assert read(value.path) == "10"


@pytest.mark.parametrize("kind", REFUSED)
def test_a_second_value_that_is_refused_leaves_the_first_undoable(
    machine: Machine, value: HeldValue, folder: JournalFolder, kind: str
) -> None:
    value.hold("10")
    machine.faults["pids.max"] = REFUSED[kind]
    with pytest.raises(ActionError):
        value.hold("20")
    machine.faults.clear()
    value.release()
    assert read(value.path) == "max"
    assert journalled(folder) == ()


def test_a_value_that_cannot_be_put_back_stays_in_the_journal(
    machine: Machine, value: HeldValue, folder: JournalFolder
) -> None:
    value.hold("10")
    machine.faults["pids.max"] = Fault(errno.EBUSY)
    with pytest.raises(ActionError, match="in use"):
        value.release()
    assert journalled(folder) == ("10",)


def test_a_kernel_that_makes_something_else_of_it_is_put_right(
    machine: Machine, hold: Hold, folder: JournalFolder
) -> None:
    name = "memory.max" if machine.version == 2 else "memory.limit_in_bytes"
    value = hold.value(f"{hold.groups.enter('memory')}/{name}")
    before = read(value.path)
    with pytest.raises(ActionError, match="holds '4096' after '5000' was written"):
        value.hold("5000")
    assert read(value.path) == before


def test_a_group_that_vanishes_is_no_obstacle(
    machine: Machine, value: HeldValue, folder: JournalFolder
) -> None:
    value.hold("10")
    machine.faults["pids.max"] = Fault(vanishes=True)
    with pytest.raises(ActionError, match="gone"):
        value.hold("20")
    value.release()
    assert journalled(folder) == ()


def test_what_hangs_is_in_the_journal_meanwhile(
    machine: Machine, value: HeldValue, folder: JournalFolder
) -> None:
    answer = threading.Event()
    machine.faults["pids.max"] = Fault(hangs=answer)
    thread = threading.Thread(target=value.hold, args=("10",))
    thread.start()
    try:
        while not journalled(folder):
            assert thread.is_alive()
    finally:
        answer.set()
        thread.join(20.0)
    assert read(value.path) == "10"
