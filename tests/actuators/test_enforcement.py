"""With `enforce` the kernel holds the limits from start to stop, and what it does not is told."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from amptalk.actuators.enforcement import LOOKED_AT, Enforcement
from amptalk.actuators.guardian.guardian import GuardianProcess
from amptalk.actuators.guardian.guarding import STARTS
from amptalk.actuators.guardian.orders import Order, Told
from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.restore import restore
from amptalk.actuators.kernel.cpu import PERIOD
from amptalk.clock import VirtualClock
from amptalk.model.action import Verdict
from amptalk.model.errors import ActionError
from amptalk.model.level import Level
from amptalk.model.resource import CPU, GPU_MEMORY, MEMORY, POWER, TEMPERATURE, Resource
from amptalk.sensors.identity import Identity
from tests.actuators.kernel.machine import PID, Fault, Machine, machine
from tests.actuators.support import decision

__all__ = ["machine"]

CHILD = 77
BOTH = ((MEMORY, 1000.0), (CPU, 50.0))


class FakeGuardian(GuardianProcess):
    """A guardian that is told things, and tells what a test puts there."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.orders: list[Order] = []
        self.done: list[Told] = []
        self.stopped = self.closed = False

    def tell(self, order: Order) -> None:
        self.orders.append(order)

    def take(self) -> list[Told]:
        taken, self.done = self.done, []
        return taken

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.closed = True


class World:
    """Enforcement on the made-up kernel; calls run at once."""

    def __init__(
        self, machine: Machine, path: Path, limits: tuple[tuple[Resource, float], ...] = BOTH
    ) -> None:
        self.machine = machine
        self.clock = VirtualClock()
        machine.process(CHILD, parent=PID)
        self.listing((CHILD,))
        self.path = str(path / "run")
        self.calls: list[str] = []
        self.limits = limits
        self.excluded: list[int] = []
        self.guardians: list[FakeGuardian] = []
        self.guarded = False
        self.enforcement = self.another()

    def another(self) -> Enforcement:
        made = Enforcement(
            self.clock, self.limits, cores=lambda: 4.0, exclude=self.excluded.append,
            guardian=self.guardian, roots=self.machine.roots, pid=PID, folder=self.path,
        )  # fmt: skip
        made.wanted = True
        return made

    def guardian(self, owner: Identity, folder: str) -> GuardianProcess:
        if not self.guarded:
            raise ActionError("no guardian here")
        made = FakeGuardian(900 + len(self.guardians))
        self.machine.process(made.pid)
        self.guardians.append(made)
        return made

    def listing(self, children: tuple[int, ...]) -> None:
        listed = "".join(f"{child} " for child in children)
        self.machine.put(f"proc/{PID}/task/{PID}/children", listed)

    def tick(self, **shares: float) -> None:
        self.clock.advance(1.0)
        self.enforcement.tick(self.clock.monotonic(), decision(**shares), self.run)

    def run(self, key: str, function: object, _deadline: float) -> None:
        self.calls.append(key)
        assert callable(function)
        function()

    def grant(self, percent: float) -> None:
        self.enforcement.grant(percent, self.run)

    def verdicts(self) -> dict[str, Verdict]:
        return {report.action: report.verdict for report in self.enforcement.reports()}

    def file(self, controller: str, v1: str, v2: str) -> Path:
        two = self.machine.version == 2
        home = self.machine.home if two else self.machine.top / controller / "unit"
        return home / f"amptalk-{PID}-1000" / (v2 if two else v1)

    def cap(self) -> float:
        file = self.file("memory", "memory.limit_in_bytes", "memory.max")
        return int(file.read_text()) / 2**20

    def quota(self) -> str:
        return self.file("cpu", "cpu.cfs_quota_us", "cpu.max").read_text().split()[0]


@pytest.fixture
def world(machine: Machine, tmp_path: Path) -> Iterator[World]:
    made = World(machine, tmp_path)
    yield made
    made.enforcement.forget()


def test_from_start_to_stop_the_kernel_holds_the_limits(world: World) -> None:
    assert (
        "from start to stop the kernel is asked to hold: memory, cpu"
        in (world.enforcement.sentences()[0])
    )
    world.enforcement.begin()
    memory, cpu, guardian = world.enforcement.sentences()
    assert "the kernel holds memory: " in memory
    assert "the kernel holds cpu: " in cpu
    assert guardian == (
        "what is enforced is undone by `amptalk restore` or the next start: no guardian here"
    )
    assert world.enforcement.holds("memory")
    assert world.enforcement.holds("cpu")
    assert world.verdicts() == {"memory_cap": Verdict.WORKED, "cpu_quota": Verdict.WORKED}
    members = world.file("memory", "cgroup.procs", "cgroup.procs").read_text().split()
    assert members == [str(PID), str(CHILD)]
    world.enforcement.end()
    assert not world.enforcement.holds("memory")
    assert world.machine.groups() == []
    assert JournalFolder(world.path, create=False).names() == []
    world.enforcement.end()


def test_it_may_begin_again(world: World) -> None:
    for _ in range(2):
        world.enforcement.begin()
        world.enforcement.begin()
        assert world.enforcement.holds("memory")
        assert world.quota() == str(int(0.97 * 0.5 * 4 * PERIOD))
        assert world.cap() == 1050
        world.enforcement.end()
        assert world.machine.groups() == []


def test_a_start_that_comes_back_after_the_stop_undoes_itself(world: World) -> None:
    world.enforcement.wanted = False
    world.enforcement.begin()
    assert not world.enforcement.active
    assert world.machine.groups() == []


def test_of_two_managers_of_a_process_the_most_restrictive_limits_are_held(world: World) -> None:
    world.limits = ((MEMORY, 1000.0),)
    first = world.enforcement = world.another()
    first.begin()
    assert world.cap() == 1050
    world.limits = ((MEMORY, 500.0), (CPU, 50.0))
    second = world.another()
    second.begin()
    assert "the most restrictive limits of all managers" in second.sentences()[0]
    assert world.cap() == 525
    assert world.quota() == str(int(0.97 * 0.5 * 4 * PERIOD))
    assert second.holds("memory")
    assert second.holds("cpu")
    second.end()
    assert world.cap() == 1050
    assert not first.holds("cpu")
    assert first.holds("memory")
    assert not second.holds("memory")
    first.end()
    assert world.machine.groups() == []
    assert JournalFolder(world.path, create=False).names() == []


def test_when_the_first_of_two_managers_ends_the_other_takes_over(world: World) -> None:
    world.limits = ((MEMORY, 1000.0),)
    second = world.another()
    world.enforcement.begin()
    second.begin()
    world.enforcement.end()
    assert world.cap() == 1050
    assert second.active
    assert second.holds("memory")
    assert not second.holds("cpu")
    second.end()
    assert world.machine.groups() == []
    assert JournalFolder(world.path, create=False).names() == []


def test_the_quota_follows_the_least_share_of_all_managers(world: World) -> None:
    world.limits = ((POWER, 10.0),)
    second = world.another()
    world.enforcement.begin()
    second.begin()
    second.tick(1.0, decision(power=0.3), lambda *_: None)
    world.tick(power=1.0)
    assert int(world.quota()) == int(0.3 * 4 * 20_000)
    second.end()
    world.tick(power=1.0)
    assert int(world.quota()) > int(0.3 * 4 * 20_000)


def test_what_one_limit_is_refused_the_other_gets(world: World) -> None:
    world.machine.faults["memory.max" if world.machine.version == 2 else "limit_in_bytes"] = Fault(
        errno.EACCES
    )
    world.enforcement.begin()
    refused, held, _ = world.enforcement.sentences()
    assert "the kernel does not hold memory: " in refused
    assert "may not be written by this user" in refused
    assert "holds cpu" in held
    assert world.verdicts() == {"memory_cap": Verdict.DENIED, "cpu_quota": Verdict.WORKED}
    assert not world.enforcement.holds("memory")


def test_without_a_journal_nothing_is_changed(world: World) -> None:
    Path(world.path).mkdir()
    Path(world.path).chmod(0o777)
    before = list(world.machine.log)
    world.enforcement.begin()
    (sentence,) = world.enforcement.sentences()
    assert "the kernel holds no limit: " in sentence
    assert "chmod go-w" in sentence
    assert world.machine.log == before


def test_what_an_ended_owner_left_is_undone_at_the_start(world: World) -> None:
    world.enforcement.begin()
    world.enforcement.forget()  # killed
    world.machine.end(PID)
    world.machine.process(PID, 5000)
    world.listing((CHILD,))
    second = world.another()
    second.begin()
    text = "\n".join(second.sentences())
    assert "undone what was left behind: " in text
    assert set(world.machine.groups()) == {f"amptalk-{PID}-5000"}
    second.end()
    assert world.machine.groups() == []


def test_a_program_that_was_replaced_by_exec_finds_what_it_left(world: World) -> None:
    world.enforcement.begin()
    world.enforcement.forget()
    second = world.another()  # the same process, which knows of nothing
    second.begin()
    assert second.holds("memory")
    second.end()
    assert world.machine.groups() == []
    assert JournalFolder(world.path, create=False).names() == []


def test_a_limit_that_somebody_else_changed_is_told_and_left(world: World) -> None:
    world.enforcement.begin()
    world.enforcement.reports()
    file = world.file("memory", "memory.limit_in_bytes", "memory.max")
    file.write_text("1\n")
    for _ in range(int(LOOKED_AT) + 1):
        world.tick()
    assert world.verdicts() == {"memory_cap": Verdict.NO_EFFECT}
    assert not world.enforcement.holds("memory")
    assert file.read_text() == "1\n"


def test_the_quota_follows_power_and_temperature_down_and_back(world: World) -> None:
    world.enforcement.begin()
    full = world.quota()
    world.tick(power=0.3, temperature=0.2, cpu=0.1)
    assert int(world.quota()) == int(0.2 * 4 * 20_000)
    world.tick(power=0.3, temperature=0.23)
    assert int(world.quota()) == int(0.2 * 4 * 20_000), "too small a step to be followed"
    world.tick(power=1.0, temperature=1.0)
    assert world.quota() == full


def test_with_power_alone_there_is_a_quota_only_while_it_is_needed(world: World) -> None:
    world.limits = ((POWER, 10.0),)
    world.enforcement = world.another()
    world.enforcement.begin()
    assert world.machine.groups() == []
    world.tick(power=0.5)
    assert int(world.quota()) == 40_000
    assert world.verdicts() == {"cpu_quota": Verdict.WORKED}
    world.tick(power=1.0)
    assert world.machine.groups() == []
    assert not world.enforcement.holds("power"), "what it comes to is for measurement to tell"


def test_a_share_that_cannot_be_followed_is_told_once(world: World) -> None:
    world.limits = ((TEMPERATURE, 80.0),)
    world.enforcement = world.another()
    world.enforcement.begin()
    machine = world.machine
    machine.faults["cpu.max" if machine.version == 2 else "cpu.cfs_quota_us"] = Fault(errno.EACCES)
    world.tick(temperature=0.5)
    assert world.verdicts() == {"cpu_quota": Verdict.DENIED}
    world.tick(temperature=0.5)
    assert world.verdicts() == {}


def test_a_limit_of_nothing_that_the_kernel_knows_asks_for_nothing(world: World) -> None:
    world.limits = ((GPU_MEMORY, 500.0),)
    world.enforcement = world.another()
    world.enforcement.begin()
    world.tick()
    assert world.machine.groups() == []
    assert not world.enforcement.steps


def test_children_are_ordered_from_the_start_on(world: World) -> None:
    world.enforcement.children.declare(CHILD, priority=3)
    world.enforcement.begin()
    score = Path(world.machine.roots.proc) / str(CHILD) / "oom_score_adj"
    assert int(score.read_text()) == 500
    world.enforcement.end()
    assert int(score.read_text()) == 0


def test_steps_are_for_the_time_between(world: World) -> None:
    assert all(step.available() for step in world.enforcement.steps)
    world.enforcement.begin()
    weight = next(step for step in world.enforcement.steps if step.name == "cpu_weight")
    assert weight.available() is None
    weight.apply(1.0)
    world.enforcement.end()
    assert weight.available() == "enforcement is not on"
    weight.undo()


def test_a_forks_child_undoes_nothing(world: World) -> None:
    world.enforcement.begin()
    world.enforcement.forget()
    world.enforcement.end()
    world.tick(power=0.1)
    assert world.machine.groups()
    assert world.calls == []


def test_a_kernel_that_hangs_at_the_end_leaves_it_in_the_journal(world: World) -> None:
    world.enforcement.begin()
    answer = threading.Event()
    name = "memory.max" if world.machine.version == 2 else "memory.limit_in_bytes"
    world.machine.faults[name] = Fault(hangs=answer)
    world.enforcement.end()
    assert "the kernel does not answer" in "\n".join(world.enforcement.sentences())
    folder = JournalFolder(world.path, create=False)
    assert len(folder.names()) == 1
    answer.set()
    world.machine.faults.clear()
    for thread in threading.enumerate():
        if thread.name == "amptalk-restore":
            thread.join(20.0)
    world.machine.end(PID)
    restore(folder, world.machine.roots.proc)
    assert folder.names() == []


# -- the guardian -------------------------------------------------------------


def guarded(world: World) -> FakeGuardian:
    """Begin with a guardian."""
    world.guarded = True
    world.enforcement.begin()
    return world.guardians[0]


def test_a_guardian_is_started_first_in_a_group_of_its_own_and_not_counted(world: World) -> None:
    guardian = guarded(world)
    assert world.enforcement.sentences()[-1].startswith("a guardian (process 900, in ")
    folder = world.machine.home / f"amptalk-{PID}-1000-guardian"
    assert world.machine.members(folder) == [str(guardian.pid)]
    assert world.excluded == [900]
    assert world.enforcement.excluded == {900}
    assert world.enforcement.holds("memory")
    world.enforcement.end()
    assert guardian.stopped
    assert world.machine.groups() == []
    assert JournalFolder(world.path, create=False).names() == []


def test_the_guardian_watches_the_groups_memory_and_the_children_that_may_be_stopped(
    world: World,
) -> None:
    guardian = guarded(world)
    (order,) = guardian.orders
    assert (order.limit, order.cap) == (1000 * 2**20, 1050 * 2**20)
    assert Path(order.usage.total).exists()
    assert order.children == ()
    world.enforcement.children.declare(CHILD, priority=1)
    world.enforcement.declared()
    assert len(guardian.orders) == 1, "it may not be touched"
    world.enforcement.children.declare(CHILD, priority=1, may_end=True)
    world.enforcement.declared()
    ((pid, start, priority, may_end),) = guardian.orders[-1].children
    assert (pid, start, priority, may_end) == (CHILD, 1000, 1, True)
    stopped = [e for e in entries(world) if '"stopped"' in e]
    assert len(stopped) == 1, "noted before it may be stopped"
    world.machine.end(CHILD)
    world.listing(())
    world.enforcement.declared()
    assert guardian.orders[-1].children == ()
    assert not [e for e in entries(world) if '"stopped"' in e]


def entries(world: World) -> list[str]:
    return [path.read_text() for path in Path(world.path).glob("*.json")]


def test_a_child_that_was_stopped_goes_on_when_owner_and_guardian_are_killed(world: World) -> None:
    guarded(world)
    world.enforcement.children.declare(CHILD, priority=-1)
    world.enforcement.declared()
    world.enforcement.forget()
    stat = Path(world.machine.roots.proc) / str(CHILD) / "stat"
    stat.write_text(stat.read_text().replace(" S ", " T ", 1))
    world.machine.end(PID)
    restore(JournalFolder(world.path, create=False), world.machine.roots.proc)
    assert " S " in stat.read_text()
    assert (f"proc/{CHILD}", "SIGCONT") in world.machine.log
    assert entries(world) == []


def test_what_the_guardian_did_is_reported_as_an_action(world: World) -> None:
    guardian = guarded(world)
    world.enforcement.reports()
    guardian.done.append(Told(world.clock.monotonic() - 3.0, 2.0, 990.0, 300.0, True, "stopped"))
    (report,) = world.enforcement.reports()
    assert (report.action, report.resource, report.level) == ("guardian", "memory", Level.EMERGENCY)
    assert (report.before, report.after, report.detail) == (990.0, 300.0, "stopped")
    assert report.verdict is Verdict.WORKED
    assert report.started == world.clock.time() - 3.0


def test_a_guardian_that_ends_is_replaced_a_few_times(world: World) -> None:
    guarded(world)
    for _ in range(STARTS):
        world.machine.end(world.guardians[-1].pid)
        world.enforcement.check()
    assert len(world.guardians) == STARTS
    assert f"{STARTS} guardians have ended" in world.enforcement.sentences()[-1]
    assert all(guardian.closed for guardian in world.guardians)
    world.enforcement.end()
    assert world.machine.groups() == []


def test_a_forks_child_lets_go_of_the_guardian_without_a_word(world: World) -> None:
    guardian = guarded(world)
    world.enforcement.forget()
    assert guardian.closed
    assert not guardian.stopped
