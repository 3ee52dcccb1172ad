"""The kernel takes the least important child first, and the application's own process last."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.victims import HIGHEST, Children, scores
from amptalk.model.errors import ActionError, ConfigurationError
from tests.actuators.kernel.machine import PID, Fault, Machine

FIRST, LAST, STRANGER = 77, 88, 99


@pytest.fixture
def children(machine: Machine, hold: Hold) -> Children:
    for pid in (FIRST, LAST):
        machine.process(pid, parent=PID)
    machine.process(STRANGER)
    made = Children(machine.roots.proc, PID)
    made.declare(LAST, priority=5)
    made.declare(FIRST, priority=-1)
    made.begin(hold)
    return made


def score(machine: Machine, pid: int) -> int:
    return int(machine.text(f"proc/{pid}/oom_score_adj"))


@given(st.sets(st.integers(), min_size=1, max_size=20), st.integers(-1000, 1000))
def test_scores_are_in_order_and_never_below_the_parents(priorities: set[int], base: int) -> None:
    given_ = scores(priorities, base)
    assert set(given_) == priorities
    ordered = [given_[priority] for priority in sorted(priorities)]
    assert ordered == sorted(ordered, reverse=True)
    assert all(base <= one <= HIGHEST for one in ordered)
    if base <= HIGHEST - 2 * len(priorities):
        assert len(set(ordered)) == len(ordered), "no two are the same"
        assert min(ordered) > base


def test_children_are_ordered_and_put_back(
    machine: Machine, children: Children, folder: JournalFolder
) -> None:
    children.order()
    assert score(machine, FIRST) == HIGHEST
    assert 0 < score(machine, LAST) < HIGHEST
    assert score(machine, PID) == score(machine, STRANGER) == 0
    assert len(folder.names()) == 2


def test_a_new_child_changes_the_order(machine: Machine, children: Children) -> None:
    children.order()
    before = score(machine, LAST)
    machine.process(66, parent=PID)
    children.declare(66, priority=2)
    children.order()
    assert score(machine, FIRST) == HIGHEST > score(machine, 66) > score(machine, LAST)
    assert score(machine, LAST) != before


def test_one_that_has_ended_is_forgotten(
    machine: Machine, children: Children, folder: JournalFolder
) -> None:
    children.order()
    machine.end(FIRST)
    machine.process(FIRST, 9000)
    assert [child.pid for child in children.living()] == [LAST]
    children.order()
    assert score(machine, FIRST) == 0, "another process with the same pid"
    assert len(folder.names()) == 1, "also in the journal"


def test_one_that_is_refused_hinders_no_other(machine: Machine, children: Children) -> None:
    machine.faults[f"{FIRST}/oom_score_adj"] = Fault(errno.EACCES)
    with pytest.raises(ActionError, match=f"{FIRST}/oom_score_adj"):
        children.order()
    assert score(machine, LAST) > 0


def test_those_below_zero_are_the_background(children: Children) -> None:
    assert children.background() == [FIRST]


def test_a_grandchild_may_be_declared(machine: Machine, children: Children) -> None:
    machine.process(55, parent=FIRST)
    assert children.declare(55).priority == 0


@pytest.mark.parametrize("process", [STRANGER, PID, 12345])
def test_only_living_children_can_be_declared(children: Children, process: int) -> None:
    with pytest.raises(ConfigurationError, match=f"process {process} is no living child"):
        children.declare(process)


@pytest.mark.parametrize("process", ["77", None, -1, True, 7.5])
def test_what_is_no_process_is_refused(children: Children, process: object) -> None:
    with pytest.raises(ConfigurationError, match="is no process: give a pid"):
        children.declare(process)


def test_a_priority_is_a_whole_number(children: Children) -> None:
    with pytest.raises(ConfigurationError, match="is no whole number"):
        children.declare(FIRST, priority=0.5)  # type: ignore[arg-type]
