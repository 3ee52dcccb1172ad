"""Each step and limit of the kernel: what it writes, when it is of use, that it is undone."""

from __future__ import annotations

import errno
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.cpu import (
    PERIOD,
    SMALLEST_QUOTA,
    CpuQuota,
    CpuWeight,
    quota_of,
    within,
)
from amptalk.actuators.kernel.memory import MemoryBrake, MemoryCap, MemoryReclaim, cap_bytes
from amptalk.actuators.kernel.processes import BackgroundPause, PauseBackground, ProcessCap
from amptalk.model.errors import ActionError
from tests.actuators.kernel.machine import PID, Fault, Machine

CHILD = 77
MB = 2**20
NAME = f"amptalk-{PID}-1000"


def own(machine: Machine, controller: str, file: str) -> Path:
    """A file of our group with a controller."""
    home = machine.home if machine.version == 2 else machine.top / controller / "unit"
    return home / NAME / file


def text(path: Path) -> str:
    return path.read_text().strip()


# -- memory -----------------------------------------------------------------


def test_memory_is_capped_a_little_above_the_limit(machine: Machine, hold: Hold) -> None:
    cap = MemoryCap()
    cap.hold(hold)
    file = "memory.max" if machine.version == 2 else "memory.limit_in_bytes"
    assert text(own(machine, "memory", file)) == str(1050 * MB)
    assert cap.held == 1050.0
    assert cap.lost() == ""
    own(machine, "memory", file).write_text("1\n")
    assert "was changed to '1'" in cap.lost()


@given(st.floats(1, 1e6))
def test_a_cap_leaves_room_for_what_the_kernel_needs_itself(limit: float) -> None:
    cap = cap_bytes(limit)
    assert cap % 4096 == 0
    assert limit * MB + 15 * MB < cap <= limit * MB * 1.05 + 16 * MB


def test_a_group_that_holds_more_already_is_not_capped(machine: Machine, hold: Hold) -> None:
    hold.groups.enter("memory")
    file = "memory.current" if machine.version == 2 else "memory.usage_in_bytes"
    own(machine, "memory", file).write_text(f"{2000 * MB}\n")
    with pytest.raises(ActionError, match="holds 2000 MB already, more than the cap of 1050 MB"):
        MemoryCap().hold(hold)
    key = "inactive_file" if machine.version == 2 else "total_inactive_file"
    own(machine, "memory", "memory.stat").write_text(f"{key} {1500 * MB}\n")
    MemoryCap().hold(hold)  # most of it is file cache


def test_reclaiming_needs_swap_and_version_2(machine: Machine, hold: Hold) -> None:
    step = MemoryReclaim()
    assert step.available() == "enforcement is not on"
    step.begin(hold)
    assert ("no swap" if machine.version == 2 else "version 1") in (step.available() or "")
    machine.swap(500)
    step.begin(hold)
    assert (step.available() is None) is (machine.version == 2)


def test_reclaiming_asks_for_what_is_needed(machine: Machine, hold: Hold) -> None:
    if machine.version == 1:
        return
    machine.swap(500)
    step = MemoryReclaim()
    step.begin(hold)
    step.apply(100.0)
    path = str(own(machine, "memory", "memory.reclaim").relative_to(machine.root))
    assert (path, str(100 * MB)) in machine.log
    machine.faults["memory.reclaim"] = Fault(errno.EAGAIN)
    step.apply(100.0)
    assert "could not be done in full" in step.detail
    assert step.available() is None, "it may be used again"


class Braked:
    """A brake on a group of 800 MB with swap."""

    def __init__(self, machine: Machine, hold: Hold) -> None:
        self.machine = machine
        machine.swap(2000)
        self.brake = MemoryBrake()
        self.brake.begin(hold)
        hold.groups.enter("memory")
        own(machine, "memory", "memory.current").write_text(f"{800 * MB}\n")

    def stat(self, looked: int, found: int, waiting: float) -> None:
        stat = f"inactive_file 0\nactive_file 0\npgscan {looked}\npgsteal {found}\n"
        own(self.machine, "memory", "memory.stat").write_text(stat)
        pressure = f"full avg10={waiting} avg60=0.00 avg300=0.00 total=0\n"
        own(self.machine, "memory", "memory.pressure").write_text(pressure)


def test_the_brake_is_set_only_where_something_can_be_taken_back(
    machine: Machine, hold: Hold
) -> None:
    if machine.version == 1:
        return
    braked = Braked(machine, hold)
    machine.swap(100)
    with pytest.raises(ActionError, match="it would stand still"):
        braked.brake.apply(100.0)
    assert not braked.brake.applied
    machine.swap(2000)
    braked.brake.apply(100.0)
    assert text(own(machine, "memory", "memory.high")) == str(700 * MB)
    braked.brake.undo()
    assert text(own(machine, "memory", "memory.high")) == "max"


@pytest.mark.parametrize(
    ("waiting", "found", "lifted"), [(90.0, 1, True), (90.0, 90, False), (20.0, 1, False)]
)
def test_a_brake_that_brings_everything_to_a_standstill_is_lifted(
    machine: Machine, hold: Hold, waiting: float, found: int, lifted: bool
) -> None:
    if machine.version == 1:
        return
    braked = Braked(machine, hold)
    braked.brake.apply(100.0)
    for second in range(12):
        braked.stat(100 * (second + 1), found * (second + 1), waiting)
        braked.brake.watch(float(second))
    assert braked.brake.applied is not lifted
    assert (text(own(machine, "memory", "memory.high")) == "max") is lifted


def test_a_brake_that_cannot_be_watched_is_lifted(machine: Machine, hold: Hold) -> None:
    if machine.version == 1:
        return
    braked = Braked(machine, hold)
    braked.brake.apply(100.0)
    own(machine, "memory", "memory.pressure").unlink()
    braked.brake.watch(0.0)
    assert not braked.brake.applied


# -- CPU ----------------------------------------------------------------------


def quota(machine: Machine) -> str:
    return text(own(machine, "cpu", "cpu.max" if machine.version == 2 else "cpu.cfs_quota_us"))


def expected(machine: Machine, microseconds: int) -> str:
    return f"{microseconds} {PERIOD}" if machine.version == 2 else str(microseconds)


def test_a_quota_holds_the_limit_and_follows_shares_below_it(machine: Machine, hold: Hold) -> None:
    cpu = CpuQuota()
    cpu.hold(hold)
    assert quota(machine) == expected(machine, int(4 * 0.485 * PERIOD))
    assert cpu.held == pytest.approx(48.5)
    cpu.follow(0.2)
    assert quota(machine) == expected(machine, int(4 * 0.2 * PERIOD))
    cpu.follow(0.9)
    assert quota(machine) == expected(machine, int(4 * 0.485 * PERIOD)), "the limit is less"


def test_without_a_limit_on_cpu_there_is_a_quota_only_while_a_share_asks_for_it(
    machine: Machine, hold: Hold, folder: JournalFolder
) -> None:
    cpu = CpuQuota()
    cpu.hold(hold._replace(limits=()))
    assert machine.groups() == []
    assert cpu.held is None
    cpu.follow(0.5)
    assert quota(machine) == expected(machine, 2 * PERIOD)
    cpu.follow(1.0)
    assert machine.groups() == []
    assert folder.names() == []


def test_cores_that_are_not_known_make_no_quota(machine: Machine, hold: Hold) -> None:
    with pytest.raises(ActionError, match="how many cores"):
        CpuQuota().hold(hold._replace(cores=lambda: math.nan))
    assert machine.groups() == []


@given(st.floats(0.1, 100), st.floats(0.1, 256), st.floats(0.05, 1))
def test_a_quota_is_within_the_limit_and_never_too_small(
    percent: float, cores: float, share: float
) -> None:
    quota = quota_of(percent, cores, share)
    assert quota >= SMALLEST_QUOTA
    assert quota <= max(SMALLEST_QUOTA, cores * PERIOD * min(percent / 100, share))


@given(st.floats(0.1, 100), st.floats(0.1, 100))
def test_what_a_limit_gives_out_is_a_little_less_and_grows_with_it(
    one: float, other: float
) -> None:
    assert 0 < one - within(one) <= min(0.0301 * one, 1.501)
    assert within(min(one, other)) <= within(max(one, other))


def test_weight_gives_way_to_others(machine: Machine, hold: Hold) -> None:
    step = CpuWeight()
    step.begin(hold)
    step.apply(1.0)
    file, before, after = (
        ("cpu.weight", "100", "25") if machine.version == 2 else ("cpu.shares", "1024", "256")
    )
    assert text(own(machine, "cpu", file)) == after
    assert "is applied already" in (step.available() or "")
    step.undo()
    assert text(own(machine, "cpu", file)) == before


# -- processes ----------------------------------------------------------------


def test_processes_are_capped_only_in_a_storm(machine: Machine, hold: Hold) -> None:
    step = ProcessCap()
    step.begin(hold)
    assert "1 processes are no storm" in (step.available() or "")
    machine.family += range(100, 117)
    assert step.available() is None
    step.apply(0.0)
    assert text(own(machine, "pids", "pids.max")) == "17"
    step.undo()
    assert text(own(machine, "pids", "pids.max")) == "max"


class Background:
    """Two limits that may pause one background process."""

    def __init__(self, machine: Machine, hold: Hold) -> None:
        machine.process(CHILD, parent=PID)
        self.pids = [CHILD]
        pause = BackgroundPause(lambda: self.pids)
        self.steps = [PauseBackground("cpu", pause), PauseBackground("power", pause)]
        for step in self.steps:
            step.begin(hold)
        home = machine.home if machine.version == 2 else machine.top / "freezer/unit"
        self.folder = home / f"{NAME}-background"
        self.file = self.folder / ("cgroup.freeze" if machine.version == 2 else "freezer.state")
        self.paused, self.going = ("1", "0") if machine.version == 2 else ("FROZEN", "THAWED")


def test_the_background_is_paused_until_the_last_limit_lets_go(
    machine: Machine, hold: Hold
) -> None:
    background = Background(machine, hold)
    cpu, power = background.steps
    cpu.apply(0.0)
    power.apply(0.0)
    assert machine.members(background.folder) == [str(CHILD)]
    assert text(background.file) == background.paused
    cpu.undo()
    assert text(background.file) == background.paused, "power still asks for it"
    power.undo()
    assert text(background.file) == background.going


def test_without_a_background_there_is_nothing_to_pause(machine: Machine, hold: Hold) -> None:
    background = Background(machine, hold)
    background.pids.clear()
    assert "priority below 0" in (background.steps[0].available() or "")


def test_a_kernel_that_freezes_in_steps_is_waited_for(machine: Machine, hold: Hold) -> None:
    if machine.version == 2:
        return
    background = Background(machine, hold)
    real, reads = machine.read, 0

    def read(fd: int, size: int) -> bytes:
        nonlocal reads
        data = real(fd, size)
        if data == b"FROZEN\n":
            reads += 1
            return b"FREEZING\n" if reads < 3 else data
        return data

    machine.read = read  # type: ignore[method-assign]
    background.steps[0].apply(0.0)
    assert reads == 3
