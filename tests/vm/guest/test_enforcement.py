"""What the kernel holds by control groups of version 2: set, seen to bite, and undone."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.journal.restore import restore
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.cpu import CpuQuota, CpuWeight
from amptalk.actuators.kernel.memory import MemoryBrake, MemoryCap, MemoryReclaim, cap_bytes
from amptalk.actuators.kernel.own_groups import OwnGroups
from amptalk.actuators.kernel.processes import BackgroundPause, PauseBackground, ProcessCap
from amptalk.actuators.kernel.protected import SCORE, Protected
from amptalk.actuators.kernel.wakeups import Wakeups
from amptalk.model.resource import CPU, MEMORY
from amptalk.sensors.identity import identity_of
from amptalk.sensors.roots import Roots
from tests.helpers import eventually
from tests.integration.killing import ACTUATORS, CAPABLE, VERSION_2, Bystander, killed_after
from tests.vm.guest.groups import Group, Workers, busy, growing, holding, idle

MB = 2**20
KILLED = ("memory_cap", "pause_background", "guardian's group", *VERSION_2, *CAPABLE)
"""What version 2 does otherwise than version 1, where the ordinary tests kill after every step, and
what only this machine's root may do."""
LIMIT_MB, PERCENT, CORES = 100.0, 20.0, 2.0


class Unit:
    """A group such as a service manager gives, with an application of one process in it."""

    def __init__(self, workers: Workers, path: Path) -> None:
        self.workers = workers
        self.group = workers.group("unit")
        self.pid = workers.start(idle, self.group)
        self.family = [self.pid]
        self.folder = JournalFolder(str(path / "run"), create=True)
        roots = Roots()
        self.owner = identity_of(roots.proc, self.pid)
        journal = Journal(self.folder, self.owner)
        groups = OwnGroups(roots, journal, lambda: self.family)
        self.hold = Hold(
            roots, journal, groups, lambda: self.family, ((MEMORY, LIMIT_MB), (CPU, PERCENT)),
            lambda: CORES,
        )  # fmt: skip

    @property
    def own(self) -> Path:
        """The group that is made."""
        return self.group.folder / f"amptalk-{self.pid}-{self.owner.start}"

    def text(self, file: str) -> str:
        return (self.own / file).read_text().strip()

    def number(self, file: str, key: str = "") -> int:
        words = self.text(file).split()
        return int(words[words.index(key) + 1] if key else words[0])

    def start(self, work: Callable[[], object]) -> int:
        """Start a process of the application, born in its group."""

        def within() -> None:
            (self.own / "cgroup.procs").write_text(str(os.getpid()))
            work()

        pid = self.workers.start(within)
        eventually(lambda: str(pid) in self.text("cgroup.procs").split(), "it is in the group")
        self.family.append(pid)
        return pid

    def undone(self) -> None:
        """Undo everything and see that nothing is left."""
        results = restore(self.folder, "/proc", owner=self.owner, deadline=5.0)
        assert not [result for result in results if result.remains]
        assert not self.own.exists()
        assert self.folder.names() == []
        assert (self.group.folder / "cgroup.subtree_control").read_text().split() == []
        assert str(self.pid) in (self.group.folder / "cgroup.procs").read_text().split()


@pytest.fixture
def unit(workers: Workers, tmp_path: Path) -> Iterator[Unit]:
    made = Unit(workers, tmp_path)
    yield made
    restore(made.folder, "/proc", owner=made.owner, deadline=5.0)


@pytest.fixture
def zram() -> Iterator[None]:
    device = Path("/sys/block/zram0")
    (device / "disksize").write_text(str(128 * MB))
    subprocess.run(["mkswap", "/dev/zram0"], check=True, capture_output=True)
    subprocess.run(["swapon", "/dev/zram0"], check=True)
    yield
    subprocess.run(["swapoff", "/dev/zram0"], check=True)
    (device / "reset").write_text("1")


def test_the_cap_kills_within_the_group_and_is_undone(unit: Unit) -> None:
    cap = MemoryCap()
    cap.hold(unit.hold)
    assert unit.number("memory.max") == cap_bytes(LIMIT_MB)
    assert cap.lost() == ""
    hog = unit.start(growing(200))
    eventually(lambda: unit.workers.ended(hog), "the hog is killed")
    assert unit.number("memory.events", "oom_kill") == 1
    assert not unit.workers.ended(unit.pid)
    unit.undone()


def test_a_group_that_meets_its_limit_wakes_whoever_listens(unit: Unit) -> None:
    MemoryCap().hold(unit.hold)
    woken = threading.Event()
    wakeups = Wakeups(woken.set)
    wakeups.begin(unit.hold)
    try:
        assert wakeups.names == [f"{unit.own}/memory.events", "pressure"]
        hog = unit.start(growing(200))
        eventually(lambda: unit.workers.ended(hog), "the hog is killed")
        eventually(woken.is_set, "it was told")
    finally:
        wakeups.end()
    unit.undone()


def test_what_must_live_is_killed_last_and_put_back(unit: Unit) -> None:
    name = Path(f"/proc/{unit.pid}/comm").read_text().strip()
    score = Path(f"/proc/{unit.pid}/oom_score_adj")
    protected = Protected("/proc")
    protected.begin(unit.hold)
    protected.add(name)
    protected.order()
    assert int(score.read_text()) == SCORE
    assert restore(unit.folder, "/proc", owner=unit.owner, deadline=5.0)
    assert int(score.read_text()) == 0


def test_the_quota_bites_and_follows_and_is_undone(unit: Unit) -> None:
    quota = CpuQuota()
    quota.hold(unit.hold)
    for _ in range(3):
        unit.start(busy)
    for share, most in ((1.0, PERCENT / 100), (0.05, 0.05)):
        quota.follow(share)
        before, began = unit.number("cpu.stat", "usage_usec"), time.monotonic()
        time.sleep(2)
        used = (unit.number("cpu.stat", "usage_usec") - before) / 1e6
        assert used / (time.monotonic() - began) <= most * CORES * 1.3 + 0.02
    assert unit.number("cpu.stat", "nr_throttled") > 0
    unit.undone()


def test_the_weight_is_lowered_and_put_back(unit: Unit) -> None:
    step = CpuWeight()
    step.begin(unit.hold)
    assert step.available() is None
    step.apply(1.0)
    assert unit.number("cpu.weight") == 25
    step.undo()
    assert unit.number("cpu.weight") == 100
    unit.undone()


def test_processes_are_capped_and_let_go_again(unit: Unit) -> None:
    step = ProcessCap()
    step.begin(unit.hold)
    step.apply(0.0)
    assert unit.number("pids.max") == unit.number("pids.current") + 16

    def storm() -> None:
        for _ in range(30):
            try:
                if os.fork() == 0:
                    signal.pause()
            except OSError:
                break
        signal.pause()

    unit.start(storm)
    eventually(lambda: unit.number("pids.events", "max") >= 1, "the kernel refuses one more")
    assert unit.number("pids.current") <= unit.number("pids.max")
    (unit.own / "cgroup.kill").write_text("1")
    step.undo()
    assert unit.text("pids.max") == "max"

    def gone() -> bool:
        restore(unit.folder, "/proc", owner=unit.owner, deadline=5.0)
        return not unit.own.exists()

    eventually(gone, "its processes have ended and the group is removed")


def test_cold_memory_is_taken_back_to_compressed_swap(unit: Unit, zram: None) -> None:
    step = MemoryReclaim()
    step.begin(unit.hold)
    assert step.available() is None
    unit.hold.groups.enter("memory")
    unit.start(holding(60))
    eventually(lambda: unit.number("memory.current") > 60 * MB, "60 MB are held")
    before = unit.number("memory.current")
    step.apply(30.0)
    assert before - unit.number("memory.current") >= 20 * MB
    assert unit.number("memory.swap.current") >= 20 * MB
    unit.undone()


def test_the_brake_slows_growth_down_and_is_lifted(unit: Unit, zram: None) -> None:
    step = MemoryBrake()
    step.begin(unit.hold)
    assert step.available() is None
    unit.hold.groups.enter("memory")
    unit.start(holding(60))
    eventually(lambda: unit.number("memory.current") > 60 * MB, "60 MB are held")
    step.apply(10.0)
    assert step.applied
    high = unit.number("memory.high")
    eventually(lambda: unit.number("memory.current") <= high + 2 * MB, "it is below")
    assert not step.stalled(time.monotonic())
    step.undo()
    assert unit.text("memory.high") == "max"
    unit.undone()


def test_the_background_is_frozen_and_goes_on(unit: Unit) -> None:
    pid = unit.workers.start(busy, unit.group)
    step = PauseBackground("cpu", BackgroundPause(lambda: [pid]))
    step.begin(unit.hold)
    step.apply(0.0)
    assert step.detail.endswith("cgroup.freeze")

    def ticks() -> int:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])

    still = ticks()
    time.sleep(0.5)
    assert ticks() == still
    step.undo()
    eventually(lambda: ticks() > still, "it goes on")
    unit.undone()


def test_a_group_that_others_live_in_is_not_divided(unit: Unit) -> None:
    other = unit.workers.start(idle, unit.group)
    with pytest.raises(Exception, match=f"holds other processes too .*{other}"):
        MemoryCap().hold(unit.hold)
    unit.undone()


@pytest.mark.parametrize("name", KILLED)
def test_what_a_killed_owner_leaves_is_undone(
    name: str, workers: Workers, tmp_path: Path, zram: None
) -> None:
    act = {**ACTUATORS, **VERSION_2, **CAPABLE}[name]
    group, run = workers.group("unit"), tmp_path / "run"
    bystander = Bystander(within=str(group.folder))
    try:
        for step in range(4, 60, 7):
            _, status, _ = killed_after(
                step, act, bystander.pid, str(run), guarded=step > 30, within=str(group.folder)
            )
            if status == 0:
                break
            assert status == -signal.SIGKILL
            eventually(lambda: all_undone(run), "all is undone")
            assert own_groups(group) == []
            assert bystander.state() == bystander.before
    finally:
        bystander.end()
        all_undone(run)


def all_undone(run: Path) -> bool:
    """Whether nothing remains in the journal, undoing it if no guardian does."""
    folder = JournalFolder(str(run), create=False)
    try:
        restore(folder, "/proc", deadline=5.0)
        return folder.names() == []
    finally:
        folder.close()


def own_groups(group: Group) -> list[str]:
    return [str(path) for path in group.folder.iterdir() if path.is_dir()]
