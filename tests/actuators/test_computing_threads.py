"""Counts of computing threads: lowered where they count, and put back as they were."""

from __future__ import annotations

import importlib.machinery
import math
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.actuation import Actuation
from amptalk.actuators.computing_threads import GrantedThreads, ThreadCount, threads_of
from amptalk.clock import VirtualClock
from amptalk.model.errors import ActionError
from amptalk.model.resource import CPU
from tests.actuators.doubled_torch import Torch, torch
from tests.helpers import eventually, output_of

__all__ = ["torch"]


def count(percent: float = 50.0, cores: float = 4.0) -> ThreadCount:
    return ThreadCount(lambda: cores, percent)


def elsewhere(function: Callable[[], object]) -> None:
    """Call a function as an action thread does; what it raises is raised here."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20.0)
    assert not thread.is_alive()
    if raised:
        raise raised[0]


@pytest.fixture
def step() -> Iterator[ThreadCount]:
    made = count()
    yield made
    made.undo()


@given(st.floats(0.1, 512.0), st.floats(0.1, 100.0))
def test_whole_cores_within_the_limit_and_never_none(cores: float, percent: float) -> None:
    threads = threads_of(cores, percent)
    assert threads >= 1
    assert threads == 1 or threads <= cores * percent / 100.0 + 1e-6


def test_the_main_thread_sets_its_own_count_and_puts_it_back(
    torch: Torch, step: ThreadCount
) -> None:
    assert step.available() is None
    elsewhere(lambda: step.apply(10.0))
    eventually(lambda: torch.get_num_threads() == 2, "the main thread has set it")
    assert step.detail == "2 threads of 4 cores"
    assert "undone" in (step.available() or "")
    elsewhere(step.undo)
    eventually(lambda: torch.get_num_threads() == 8, "the main thread has put it back")


def test_a_lower_count_is_left_and_so_is_what_the_application_sets(
    torch: Torch, step: ThreadCount
) -> None:
    torch.set_num_threads(1)
    step.apply(0.0)
    assert torch.get_num_threads() == 1
    step.undo()
    torch.set_num_threads(8)
    step.apply(0.0)
    torch.set_num_threads(3)
    step.undo()
    assert torch.get_num_threads() == 3


def test_two_that_ask_get_the_least_until_both_let_go(torch: Torch) -> None:
    one, other = count(75.0), count(25.0)
    one.apply(0.0)
    assert torch.get_num_threads() == 3
    other.apply(0.0)
    assert torch.get_num_threads() == 1
    other.undo()
    assert torch.get_num_threads() == 3
    one.undo()
    one.undo()
    assert torch.get_num_threads() == 8


class Pool:
    """A pool as threadpoolctl shows it."""

    def __init__(self, user_api: str, num_threads: int | None) -> None:
        self.user_api = user_api
        self.num_threads = num_threads

    def set_num_threads(self, count: int) -> None:
        assert self.user_api != "openmp", "that would be this thread's alone"
        self.num_threads = count


def known(monkeypatch: pytest.MonkeyPatch, *pools: Pool) -> None:
    """Have threadpoolctl know these pools, which numpy has brought."""
    double: Any = ModuleType("threadpoolctl")
    double.ThreadpoolController = type("C", (), {"lib_controllers": pools})
    monkeypatch.setitem(sys.modules, "threadpoolctl", double)
    monkeypatch.setitem(sys.modules, "numpy", ModuleType("numpy"))


def test_pools_of_the_process_are_lowered_by_threadpoolctl(
    monkeypatch: pytest.MonkeyPatch, step: ThreadCount
) -> None:
    pools = [Pool("blas", 8), Pool("openmp", 8), Pool("blas", 1), Pool("blas", None)]
    known(monkeypatch, *pools)
    assert step.available() is None
    elsewhere(lambda: step.apply(0.0))
    assert [pool.num_threads for pool in pools] == [2, 8, 1, None]
    elsewhere(step.undo)
    assert [pool.num_threads for pool in pools] == [8, 8, 1, None]


class Broken(Pool):
    """A pool that refuses, or makes something else of a count, while it is told to."""

    does: str = "refuses"

    def set_num_threads(self, count: int) -> None:
        if self.does == "refuses":
            raise OSError("no symbol")
        super().set_num_threads(3 if self.does == "lies" else count)


@pytest.mark.parametrize(
    ("does", "said"),
    [("refuses", "refuses 2 threads: no symbol"), ("lies", "has 3 threads after 2")],
)
def test_a_pool_that_fails_is_told_hinders_no_other_and_is_put_back(
    monkeypatch: pytest.MonkeyPatch, step: ThreadCount, does: str, said: str
) -> None:
    broken, other = Broken("blas", 8), Pool("blas", 8)
    known(monkeypatch, broken, other)
    broken.does = does
    with pytest.raises(ActionError, match=said):
        step.apply(0.0)
    assert other.num_threads == 2
    broken.does = ""
    step.undo()
    assert [broken.num_threads, other.num_threads] == [8, 8]


def test_a_pool_that_cannot_be_put_back_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, step: ThreadCount
) -> None:
    broken, other = Broken("blas", 8), Pool("blas", 8)
    known(monkeypatch, broken, other)
    broken.does = ""
    step.apply(0.0)
    broken.does = "refuses"
    with pytest.raises(ActionError, match="refuses 8 threads"):
        step.undo()
    assert [broken.num_threads, other.num_threads] == [2, 8]
    broken.does = ""
    step.undo()
    assert broken.num_threads == 8


def test_without_a_library_it_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "numpy", "scipy"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert "none of torch, numpy, scipy is loaded" in (count().available() or "")


def test_one_that_is_being_loaded_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, torch: Torch
) -> None:
    for name in ("numpy", "scipy"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    spec: Any = importlib.machinery.ModuleSpec("torch", None)
    spec._initializing = True
    torch.__spec__ = spec
    assert "is loaded" in (count().available() or "")


def test_a_capacity_that_is_not_known_is_denied(torch: Torch) -> None:
    with pytest.raises(ActionError, match="not known"):
        count(cores=math.nan).apply(0.0)
    assert torch.get_num_threads() == 8


def test_a_main_thread_that_is_busy_in_the_kernel_is_not_waited_for() -> None:
    said = output_of(
        "import sys, threading, types\n"
        "torch = sys.modules['torch'] = types.ModuleType('torch')\n"
        "torch.count = 8\n"
        "torch.get_num_threads = lambda: torch.count\n"
        "def set_num_threads(count):\n"
        "    assert threading.current_thread() is threading.main_thread()\n"
        "    torch.count = count\n"
        "torch.set_num_threads = set_num_threads\n"
        "from amptalk.actuators.computing_threads import ThreadCount\n"
        "step = ThreadCount(lambda: 4.0, 50.0)\n"
        "applied = threading.Lock()\n"
        "applied.acquire()\n"
        "def work():\n"
        "    step.apply(0.0)\n"
        "    applied.release()\n"
        "threading.Thread(target=work).start()\n"
        "assert applied.acquire(timeout=20)\n"
        "print(torch.count)\n"
    )
    assert said.strip() == "2"


def test_a_limit_on_cpu_brings_it() -> None:
    made = Actuation(VirtualClock(), "degrade", ((CPU, 50.0),))
    assert [one.name for one in made.ladder._actuators] == ["thread_count", "thread_affinity"]


def test_a_grant_of_cpu_is_held_until_there_is_none(torch: Torch) -> None:
    granted = GrantedThreads(lambda: 4.0)
    for grants, threads in (({"cpu": 60.0}, 2), ({"cpu": 25.0, "memory": 9.0}, 1), ({}, 8)):
        granted.follow(grants)
        assert torch.get_num_threads() == threads
