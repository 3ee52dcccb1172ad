"""Every lever of the kernel with every fault of its file: told, nothing left, others unhindered."""

from __future__ import annotations

import errno
import math
import threading
from collections.abc import Callable

import pytest

from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.restore import restore
from amptalk.actuators.kernel.contract import GroupStep, Hold, Standing
from amptalk.actuators.kernel.cpu import CpuQuota, CpuWeight
from amptalk.actuators.kernel.memory import MemoryBrake, MemoryCap, MemoryReclaim
from amptalk.actuators.kernel.processes import BackgroundPause, PauseBackground, ProcessCap
from amptalk.actuators.kernel.protected import Protected
from amptalk.actuators.kernel.victims import Children
from amptalk.actuators.runner import ActionRunner
from amptalk.actuators.verdicts import Measurement
from amptalk.clock import VirtualClock
from amptalk.model.action import Verdict
from amptalk.model.errors import ActionError
from amptalk.model.level import Level
from tests.actuators.kernel.machine import PID, Fault, Machine
from tests.actuators.support import Step, state
from tests.helpers import eventually

CHILD, OTHER = 77, 88
FAULTS = {
    "EACCES": Fault(errno.EACCES),
    "EACCES when opened": Fault(errno.EACCES, at="open"),
    "EBUSY": Fault(errno.EBUSY),
    "EAGAIN": Fault(errno.EAGAIN),
    "EINVAL": Fault(errno.EINVAL),
    "short write": Fault(short=True),
    "wrong read-back": Fault(lies=True),
    "short read": Fault(short=True, at="read"),
    "EIO when read": Fault(errno.EIO, at="read"),
    "vanishing": Fault(vanishes=True),
}
KINDS = pytest.mark.parametrize("kind", FAULTS)


def all_is_undone(machine: Machine, hold: Hold, folder: JournalFolder) -> bool:
    """Undo what is in the journal as a stop does, and look that nothing is left."""
    results = restore(folder, machine.roots.proc, owner=hold.journal.owner)
    left = any(one.remains for one in results)
    return not left and machine.groups() == [] and folder.names() == []


# -- steps of the ladder ----------------------------------------------------------

Make = Callable[[Machine], tuple[GroupStep, str]]


def _swapping(machine: Machine, step: GroupStep, file: str) -> tuple[GroupStep, str]:
    if machine.version == 1:
        pytest.skip(f"version 1 has no {file}")
    machine.swap(2000)
    return step, file


def _pause(machine: Machine) -> tuple[GroupStep, str]:
    machine.process(CHILD, parent=PID)
    step = PauseBackground("cpu", BackgroundPause(lambda: [CHILD]))
    return step, "cgroup.freeze" if machine.version == 2 else "freezer.state"


STEPS: dict[str, Make] = {
    "reclaim": lambda machine: _swapping(machine, MemoryReclaim(), "memory.reclaim"),
    "brake": lambda machine: _swapping(machine, MemoryBrake(), "memory.high"),
    "weight": lambda machine: (
        CpuWeight(), "cpu.weight" if machine.version == 2 else "cpu.shares",
    ),
    "processes": lambda _machine: (ProcessCap(), "pids.max"),
    "pause": _pause,
}  # fmt: skip
MEASURED = {"EAGAIN", "wrong read-back", "short read", "EIO when read"}
"""Faults of which reclaiming is told by measurement alone: nothing is read, less may be had."""


@KINDS
@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_fails_says_why_and_leaves_nothing(
    machine: Machine, hold: Hold, folder: JournalFolder, name: str, kind: str
) -> None:
    step, file = STEPS[name](machine)
    step.begin(hold)
    machine.faults[file] = FAULTS[kind]
    if name == "reclaim" and kind in MEASURED:
        step.apply(100.0)
    else:
        with pytest.raises(ActionError, match=file.replace(".", r"\.")):
            step.apply(100.0)
    machine.faults.clear()
    step.undo()
    for controller in ("memory", "cpu", "pids", "freezer"):
        hold.groups.leave(controller)
    assert machine.groups() == []
    assert folder.names() == []


@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_the_kernel_lets_hang_is_recorded_and_the_ladder_moves_on(
    machine: Machine, hold: Hold, folder: JournalFolder, name: str
) -> None:
    step, file = STEPS[name](machine)
    step.begin(hold)
    answer = threading.Event()
    machine.faults[file] = Fault(hangs=answer)
    clock = VirtualClock()
    runner = ActionRunner(clock)
    high = state(1200.0, Level.EMERGENCY)
    assert runner.start(step, 100.0, high, clock.monotonic(), 0.0)
    eventually(lambda: not math.isnan(runner.threads._calls[step.name].started), "it has begun")
    clock.advance(step.deadline + 0.1)
    (report,) = runner.poll(clock.monotonic(), lambda _: Measurement(1200.0, clock.monotonic()))
    assert report.verdict is Verdict.DENIED
    assert "missed its deadline" in report.detail
    assert runner.in_flight == set(), "others may be started"
    assert not runner.start(step, 100.0, high, clock.monotonic(), 0.0)
    other = Step("other", resource=step.resource)
    assert runner.start(other, 100.0, high, clock.monotonic(), 0.0)
    eventually(lambda: bool(other.calls), "another step is carried out")
    answer.set()
    eventually(lambda: not runner.threads.busy(step.name), "it has come back")
    step.undo()
    for controller in ("memory", "cpu", "pids", "freezer"):
        hold.groups.leave(controller)
    assert machine.groups() == []
    assert folder.names() == []


# -- limits that stand from start to stop -------------------------------------------

STANDING: dict[str, tuple[Callable[[], Standing], dict[int, str]]] = {
    "memory_cap": (MemoryCap, {1: "memory.limit_in_bytes", 2: "memory.max"}),
    "cpu_quota": (CpuQuota, {1: "cpu.cfs_quota_us", 2: "cpu.max"}),
    "its period": (CpuQuota, {1: "cpu.cfs_period_us", 2: "cpu.max"}),
}


@KINDS
@pytest.mark.parametrize("name", STANDING)
def test_a_limit_that_is_refused_is_not_held_and_may_be_later(
    machine: Machine, hold: Hold, folder: JournalFolder, name: str, kind: str
) -> None:
    make, files = STANDING[name]
    limit, file = make(), files[machine.version]
    machine.faults[file] = FAULTS[kind]
    with pytest.raises(ActionError, match=file.replace(".", r"\.")):
        limit.hold(hold)
    assert limit.held is None
    machine.faults.clear()
    if kind != "vanishing":
        limit.hold(hold)
        assert limit.held is not None
        assert limit.lost() == ""
    assert all_is_undone(machine, hold, folder)


@pytest.mark.parametrize("name", STANDING)
def test_a_limit_that_the_kernel_lets_hang_is_in_the_journal_meanwhile(
    machine: Machine, hold: Hold, folder: JournalFolder, name: str
) -> None:
    make, files = STANDING[name]
    limit, answer = make(), threading.Event()
    machine.faults[files[machine.version]] = Fault(hangs=answer)
    written = f'/{files[machine.version]}"'.encode()
    thread = threading.Thread(target=limit.hold, args=(hold,))
    thread.start()
    try:
        eventually(
            lambda: any(written in (folder.read(one) or b"") for one in folder.names()),
            "it is in the journal",
        )
    finally:
        answer.set()
        thread.join(20.0)
    assert limit.held is not None
    assert all_is_undone(machine, hold, folder)


# -- scores of processes ------------------------------------------------------------


def _ordered(machine: Machine, hold: Hold) -> Callable[[], None]:
    made = Children(machine.roots.proc, PID)
    for pid in (CHILD, OTHER):
        machine.process(pid, parent=PID)
        made.declare(pid, priority=pid)
    made.begin(hold)
    return made.order


def _spared(machine: Machine, hold: Hold) -> Callable[[], None]:
    made = Protected(machine.roots.proc)
    for pid in (CHILD, OTHER):
        machine.process(pid)
        machine.put(f"proc/{pid}/comm", "sshd\n")
    made.add("sshd")
    made.begin(hold)
    return made.order


@KINDS
@pytest.mark.parametrize("begun", [_ordered, _spared], ids=["victims", "what must live"])
def test_a_score_that_is_refused_hinders_no_other_and_may_be_given_later(
    machine: Machine, hold: Hold, folder: JournalFolder,
    begun: Callable[[Machine, Hold], Callable[[], None]], kind: str,
) -> None:  # fmt: skip
    order = begun(machine, hold)
    machine.faults[f"{CHILD}/oom_score_adj"] = FAULTS[kind]
    with pytest.raises(ActionError, match=f"{CHILD}/oom_score_adj"):
        order()
    scores = [f"proc/{pid}/oom_score_adj" for pid in (CHILD, OTHER)]
    assert machine.text(scores[1]) != "0"
    machine.faults.clear()
    if kind == "vanishing":
        scores = scores[1:]
    else:
        assert machine.text(scores[0]) == "0"
    order()
    assert all(machine.text(score) != "0" for score in scores)
    assert all_is_undone(machine, hold, folder)
    assert all(machine.text(score) == "0" for score in scores)
