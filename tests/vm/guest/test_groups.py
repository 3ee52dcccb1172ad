"""Control groups of version 2: limits of ancestors, quotas that bite, kills by the kernel."""

from __future__ import annotations

import time

import pytest

from tests.helpers import eventually
from tests.vm.guest.groups import Workers, busy, growing, holding, idle
from tests.vm.guest.looking import SLOW, looking, watch_until, watching

MB = 2**20


def test_limits_of_an_ancestor_are_the_capacity(workers: Workers) -> None:
    above = workers.group("above", branch=True)
    group = workers.group("below", above)
    pid = workers.start(idle, group)
    with looking("container", pid) as look:
        assert look.anew().container.memory_limit_mb == float("inf")
        assert look.suite.capacity.cpu_cores == 2
        above.set("memory.max", 200 * MB)
        above.set("cpu.max", "50000 100000")
        sample = look.anew()
        assert sample.container.memory_limit_mb == 200
        assert sample.container.cpu_limit_cores == 0.5
        capacity = look.suite.capacity
        assert (capacity.cpu_cores, capacity.memory_mb) == (0.5, 200)
        assert capacity.cpu_reason == f"{above.folder}/cpu.max"
        assert capacity.memory_reason == f"{above.folder}/memory.max"
        group.set("memory.max", 100 * MB)
        group.set("cpu.max", "20000 100000")
        assert look.anew().container.memory_limit_mb == 100
        assert look.suite.capacity.cpu_cores == 0.2
        above.set("memory.max", "max")
        group.set("memory.max", "max")
        assert look.anew().container.memory_limit_mb == float("inf")


def test_memory_of_a_group_is_what_its_processes_hold(workers: Workers) -> None:
    above = workers.group("above", branch=True)
    above.set("memory.max", 200 * MB)
    group, sibling = workers.group("below", above), workers.group("beside", above)
    pid = workers.start(idle, group)
    with looking("container", pid) as look:
        before = look.anew()
        workers.start(holding(40), group)
        workers.start(holding(30), sibling)
        eventually(lambda: group.number("memory.current") > 40 * MB, "40 MB are held")
        eventually(lambda: sibling.number("memory.current") > 30 * MB, "30 MB are held beside")
        sample = look.after(SLOW)
    counted = group.number("memory.current") / MB
    assert sample.container.memory_usage_mb == pytest.approx(counted, abs=2)
    more = sample.container.memory_usage_mb - before.container.memory_usage_mb
    assert 39 < more < 60  # the kernel charges in batches of 64 pages
    whole = above.number("memory.current") - above.number("memory.stat", "inactive_file")
    assert sample.container.memory_percent == pytest.approx(whole / MB / 2, abs=2)


def test_a_quota_that_holds_a_busy_process_back_is_throttling(workers: Workers) -> None:
    above = workers.group("above", branch=True)
    above.set("cpu.max", "30000 100000")
    pid = workers.start(busy, workers.group("below", above))
    with watching("container", pid) as suite:
        watch_until(suite, lambda _: bool(suite.throttling().slower), "the verdict says so", 20)
        time.sleep(3)  # the rates of the next reading are over these seconds
        sample = suite.read()
        verdict = suite.throttling()
    # One process on 0.3 cores runs 30 ms of each 100 ms and is held back for the rest.
    assert sample.container.cpu_cores == pytest.approx(0.3, abs=0.1)
    assert sample.container.cpu_percent == pytest.approx(100, abs=34)
    assert sample.container.throttled_percent == pytest.approx(70, abs=15)
    assert [text for text in verdict.reasons if "cgroup quota: a quota of 0.3 cores" in text]


def test_kills_of_the_kernel_are_counted(workers: Workers) -> None:
    group = workers.group("small")
    group.set("memory.max", 60 * MB)
    group.set("memory.swap.max", 0)
    pid = workers.start(idle, group)
    with looking("container", pid) as look:
        assert look.anew().container.oom_kills == 0
        for kills in (1, 2):
            hog = workers.start(growing(200), group)
            eventually(lambda hog=hog: workers.ended(hog), "the kernel kills the hog")  # type: ignore[misc]
            assert look.anew().container.oom_kills == kills
    assert group.number("memory.events", "oom_kill") == 2
