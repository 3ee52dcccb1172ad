"""With `enforce` the CPU quota follows what sharing grants this process."""

from __future__ import annotations

import errno
import math

from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.kernel.cpu import PERIOD, SMALLEST_QUOTA, quota_of, regranted
from amptalk.model.action import Verdict
from tests.actuators.kernel.machine import Fault, machine
from tests.actuators.test_enforcement import World, world

__all__ = ["machine", "world"]


def test_the_quota_follows_the_least_grant_of_all_managers_and_never_stands_above_it(
    world: World,
) -> None:
    second = world.another()
    world.enforcement.begin()
    second.begin()
    full = world.quota()
    world.grant(30.0)
    assert int(world.quota()) == quota_of(30, 4), "at once, not with the next tick"
    second.grant(10.0, lambda *_: None)
    world.tick()
    assert int(world.quota()) == quota_of(10, 4)
    second.end()
    world.tick()
    assert int(world.quota()) == quota_of(30, 4)
    world.grant(math.inf)
    assert world.quota() == full, "the own limit, when nothing is shared any more"
    world.enforcement.end()
    assert world.machine.groups() == []
    assert JournalFolder(world.path, create=False).names() == []


def test_a_small_move_of_a_grant_is_no_write_and_the_allocations_go_on_to_count(
    world: World,
) -> None:
    world.enforcement.begin()
    world.grant(40.0)
    assert world.enforcement.held == {"memory", "cpu"}
    writes = len(world.machine.log)
    world.calls.clear()
    world.grant(39.0)
    world.grant(41.0)
    assert (len(world.machine.log), world.calls) == (writes, [])
    world.tick(temperature=0.2)
    assert int(world.quota()) == int(0.2 * 4 * PERIOD)
    world.grant(10.0)
    assert int(world.quota()) == quota_of(10, 4)
    world.tick(temperature=1.0)
    assert int(world.quota()) == quota_of(10, 4), "cooler, but not granted more"


def test_a_grant_from_before_the_start_is_held_from_the_first_tick_on(world: World) -> None:
    world.grant(20.0)
    assert world.calls == []
    world.enforcement.begin()
    world.tick()
    assert int(world.quota()) == quota_of(20, 4)


def test_a_grant_that_the_kernel_refuses_is_told_once(world: World) -> None:
    world.enforcement.begin()
    world.enforcement.reports()
    machine = world.machine
    machine.faults["cpu.max" if machine.version == 2 else "cpu.cfs_quota_us"] = Fault(errno.EACCES)
    world.grant(20.0)
    assert world.verdicts() == {"cpu_quota": Verdict.DENIED}
    world.tick()
    assert world.verdicts() == {}


@given(st.lists(st.floats(0, 100), min_size=1))
def test_whatever_moves_are_left_out_no_quota_is_above_what_is_granted(grants: list[float]) -> None:
    held = math.inf
    for granted in grants:
        if regranted(held, granted):
            held = granted
        assert quota_of(held, 4) <= max(SMALLEST_QUOTA, granted / 100 * 4 * PERIOD)
        assert held >= 0.97 * granted, "and none is far below it"
