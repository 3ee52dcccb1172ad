"""What 100 % means: the least of what is there, allowed and granted."""

import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.clock import VirtualClock
from amptalk.sensors.capacity import Capacity, Limit, effective_capacity
from amptalk.sensors.suite import SensorSuite
from tests.sensors.trees import STAT, Tree, opened

amounts = st.one_of(st.floats(0.01, 1e6), st.just(math.inf), st.just(math.nan))


@given(st.lists(amounts, max_size=6))
def test_the_least_amount_counts_unless_one_is_not_known(given_amounts: list[float]) -> None:
    limits = [Limit(amount, f"limit {at}") for at, amount in enumerate(given_amounts)]
    known = [amount for amount in given_amounts if math.isfinite(amount)]
    unknown = [at for at, amount in enumerate(given_amounts) if math.isnan(amount)]
    capacity = effective_capacity(limits, limits)
    if known and not unknown:
        assert capacity.cpu_cores == capacity.memory_mb == min(known)
        assert capacity.memory_reason == f"limit {given_amounts.index(min(known))}"
    else:
        assert math.isnan(capacity.cpu_cores)
        assert math.isnan(capacity.memory_mb)
    if unknown:
        assert capacity.cpu_reason == f"limit {unknown[0]}"


@given(st.floats(0.1, 256), st.floats(1, 100))
def test_the_text_says_cores_and_quota(cores: float, percent: float) -> None:
    text = Capacity(cores, "", 1.0, "").cpu_text(percent)
    quota = float(text.rpartition("CPUQuota=")[2].rstrip("%"))
    assert math.isclose(quota, cores * percent, rel_tol=1e-3)


def test_the_text_reads_as_an_operator_says_it() -> None:
    text = Capacity(4, "4 online CPUs", 1000, "MemTotal").cpu_text(50)
    assert text == "50 % = 2 of 4 cores = CPUQuota=200%"


def test_the_machine_alone_is_the_capacity_outside_of_groups(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        capacity = suite.capacity
    assert capacity == Capacity(2.0, "2 online CPUs", 8000000 / 1024, "total memory of the device")


def test_the_capacity_changes_with_the_processors_that_are_online(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        tree.put("proc/stat", STAT.replace("cpu1 100 0 50 800 50 0 0 0 25 0\n", ""))
        tree.clock.advance(1)
        assert suite.read().device.cpu_count == 1
        assert suite.capacity[:2] == (1.0, "1 online CPUs")
        tree.put("proc/stat", STAT)
        tree.clock.advance(1)
        assert suite.read().device.cpu_count == 2
        assert suite.capacity[:2] == (2.0, "2 online CPUs")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs affinity")
def test_the_capacity_is_not_worked_out_anew_while_the_processors_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = VirtualClock()
    with opened(SensorSuite("device", clock)) as suite:
        clock.advance(1)
        suite.read()
        asked: list[int] = []
        real = os.sched_getaffinity

        def count(pid: int) -> set[int]:
            asked.append(pid)
            return real(pid)

        monkeypatch.setattr(os, "sched_getaffinity", count)
        for _ in range(4):
            clock.advance(1)
            suite.read()
            assert suite.rates_fresh
        assert not asked
        clock.advance(5)
        suite.read()
        assert asked


def test_affinity_lowers_the_capacity_of_this_process() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        with opened(SensorSuite()) as suite:
            assert suite.capacity.cpu_cores <= 1.0
            if len(allowed) > 1:
                assert "affinity allows 1" in suite.capacity.cpu_reason
    finally:
        os.sched_setaffinity(0, allowed)
