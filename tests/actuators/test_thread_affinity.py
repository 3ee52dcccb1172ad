"""Threads of pools on fewer processors: only those, read back, and put back if still ours."""

from __future__ import annotations

import _thread
import ctypes.util
import errno
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators import thread_affinity
from amptalk.actuators.kernel import affinity
from amptalk.actuators.kernel.affinity import some_of
from amptalk.actuators.thread_affinity import LOOKED_AT, ThreadAffinity, spinning
from amptalk.clock import VirtualClock
from amptalk.model.errors import ActionError
from amptalk.sensors.files import SensorFault
from amptalk.sensors.roots import Roots
from tests.helpers import environment, eventually

MAIN = 100
CLOCK = VirtualClock()


class Kernel:
    """A process of made-up threads on eight processors, in the place of `os`."""

    def __init__(self, folder: Path) -> None:
        self.proc = folder
        self.roots = Roots(str(folder))
        self.whole = set(range(8))
        self.masks: dict[int, set[int]] = {}
        self.policy: dict[int, int] = {}
        self.faults: dict[int, Callable[[], object]] = {}
        """By thread: called instead of setting its affinity."""
        for thread in range(MAIN, MAIN + 6):
            self.begin(thread)
        (folder / "self/maps").write_text("7f00-7f01 r-xp 0 0:0 1  /usr/lib/libc.so.6\n")

    def begin(self, thread: int, mask: set[int] | None = None) -> None:
        (self.proc / f"self/task/{thread}").mkdir(parents=True)
        self.masks[thread] = set(self.whole if mask is None else mask)

    def end(self, thread: int) -> None:
        (self.proc / f"self/task/{thread}").rmdir()
        del self.masks[thread]

    # -- in the place of `os` -----------------------------------------------

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def getpid(self) -> int:
        return MAIN

    def _known(self, thread: int) -> int:
        if thread not in self.masks:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        return thread

    def sched_getscheduler(self, thread: int) -> int:
        return self.policy.get(self._known(thread), os.SCHED_OTHER)

    def sched_getaffinity(self, thread: int) -> set[int]:
        return set(self.masks[self._known(thread)])

    def sched_setaffinity(self, thread: int, mask: set[int]) -> None:
        fault = self.faults.get(self._known(thread))
        if fault is None or fault() is None:
            self._known(thread)
            self.masks[thread] = set(mask)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel(tmp_path)
    for module in (affinity, thread_affinity):
        monkeypatch.setattr(module, "os", made)
    return made


@pytest.fixture
def step(kernel: Kernel) -> ThreadAffinity:
    return ThreadAffinity(CLOCK, lambda: 8.0, 50.0, kernel.roots)


def pools(kernel: Kernel) -> dict[int, set[int]]:
    return {thread: mask for thread, mask in kernel.masks.items() if thread != MAIN}


@given(st.sets(st.integers(0, 63), min_size=1), st.integers(1, 64), st.integers(1, 10**6))
def test_some_of_the_processors_and_as_many_as_asked(
    allowed: set[int], count: int, pid: int
) -> None:
    some = some_of(allowed, count, pid)
    assert some <= allowed
    assert len(some) == min(count, len(allowed))


def test_pools_get_one_less_than_the_limit_and_all_is_put_back(
    kernel: Kernel, step: ThreadAffinity
) -> None:
    assert step.available() is None
    step.apply(10.0)
    ours = some_of(kernel.whole, 3, MAIN)
    assert all(mask == ours for mask in pools(kernel).values())
    assert kernel.masks[MAIN] == kernel.whole, "it may begin programs, which inherit its own"
    assert step.detail == "5 threads of pools on 3 of 8 processors"
    assert step.available() == "no thread of a pool may use more than 3 processors"
    step.undo()
    assert all(mask == kernel.whole for mask in kernel.masks.values())
    assert step.available() is None


def test_what_has_a_place_of_its_own_keeps_it(kernel: Kernel, step: ThreadAffinity) -> None:
    kernel.masks[101] = {7}
    kernel.policy[102] = os.SCHED_FIFO
    kernel.policy[103] = os.SCHED_BATCH | os.SCHED_RESET_ON_FORK
    step.apply(0.0)
    assert kernel.masks[101] == {7}
    assert kernel.masks[102] == kernel.whole
    assert len(kernel.masks[103]) == 3
    kernel.masks[104] = {0}
    step.undo()
    assert (kernel.masks[101], kernel.masks[104]) == ({7}, {0}), "set meanwhile by the program"


def test_threads_that_begin_later_are_moved_and_put_back(
    kernel: Kernel, step: ThreadAffinity
) -> None:
    kernel.faults[103] = lambda: kernel.begin(200) if 200 not in kernel.masks else None
    step.apply(0.0)
    assert len(kernel.masks[200]) == 3, "begun while the others were moved"
    assert "no thread of a pool" in (step.available() or "")
    kernel.begin(201)
    CLOCK.advance(LOOKED_AT)
    assert step.available() is None, "a pool was begun after that"
    step.apply(0.0)
    kernel.begin(202, kernel.masks[200])
    step.undo()
    assert all(mask == kernel.whole for mask in kernel.masks.values())


def test_a_thread_that_vanishes_is_left_out(kernel: Kernel, step: ThreadAffinity) -> None:
    kernel.faults[103] = lambda: kernel.end(103)
    step.apply(0.0)
    assert sum(len(mask) == 3 for mask in kernel.masks.values()) == 4
    kernel.faults[104] = lambda: kernel.end(104)
    step.undo()
    assert all(mask == kernel.whole for mask in kernel.masks.values())


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EINVAL, errno.EAGAIN])
def test_what_is_refused_hinders_no_other_and_nothing_stays(
    kernel: Kernel, step: ThreadAffinity, number: int
) -> None:
    def refuse() -> None:
        raise OSError(number, os.strerror(number))

    kernel.faults[103] = refuse
    with pytest.raises(ActionError, match=f"1 threads .* thread 103: {os.strerror(number)}"):
        step.apply(0.0)
    assert all(mask == kernel.whole for mask in kernel.masks.values())
    kernel.faults.clear()
    step.apply(0.0)
    kernel.faults[102] = refuse
    with pytest.raises(ActionError, match="1 threads"):
        step.undo()
    assert [thread for thread, mask in kernel.masks.items() if mask != kernel.whole] == [102]
    kernel.faults.clear()
    step.undo()
    assert kernel.masks[102] == kernel.whole


def test_a_wrong_read_back_is_told_and_nothing_stays(kernel: Kernel, step: ThreadAffinity) -> None:
    kernel.faults[102] = lambda: "taken and not done"
    with pytest.raises(ActionError, match=r"thread 102 is on \[0, 1, .* after"):
        step.apply(0.0)
    assert all(mask == kernel.whole for mask in kernel.masks.values())


@pytest.mark.parametrize(
    ("cores", "percent", "said"), [(math.nan, 50.0, "not known"), (16.0, 90.0, "there are 8")]
)
def test_where_it_gives_nothing_it_says_so(
    kernel: Kernel, cores: float, percent: float, said: str
) -> None:
    step = ThreadAffinity(CLOCK, lambda: cores, percent, kernel.roots)
    assert said in (step.available() or "")
    with pytest.raises(ActionError, match=said):
        step.apply(0.0)


def test_without_a_pool_there_is_nothing_to_do(kernel: Kernel, step: ThreadAffinity) -> None:
    for thread in list(pools(kernel)):
        kernel.end(thread)
    assert "no thread of a pool" in (step.available() or "")
    step.undo()


def test_the_least_is_one_processor(kernel: Kernel) -> None:
    step = ThreadAffinity(CLOCK, lambda: 8.0, 5.0, kernel.roots)
    step.apply(0.0)
    assert all(len(mask) == 1 for mask in pools(kernel).values())


@pytest.mark.parametrize("name", ["libgomp-a34b3233.so.1", "libiomp5.so", "libomp.so.5"])
def test_a_pool_that_spins_is_left_alone_and_not_asked_again(
    kernel: Kernel, step: ThreadAffinity, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    maps = kernel.proc / "self/maps"
    maps.write_text(f"7f00-7f01 r-xp 0 0:0 1  /x/torch.libs/{name}\n")
    with pytest.raises(ActionError, match="OMP_WAIT_POLICY=passive"):
        step.apply(0.0)
    assert all(mask == kernel.whole for mask in kernel.masks.values())
    assert name in (step.available() or "")
    for passive in ({"OMP_WAIT_POLICY": "PASSIVE"}, {"GOMP_SPINCOUNT": "0"}):
        assert spinning([name], passive) == ""


def test_without_a_list_of_what_is_loaded_nothing_is_moved(
    kernel: Kernel, step: ThreadAffinity
) -> None:
    (kernel.proc / "self/maps").unlink()
    with pytest.raises(SensorFault, match="maps"):
        step.apply(0.0)
    assert all(mask == kernel.whole for mask in kernel.masks.values())


@pytest.fixture
def pool() -> Iterator[list[int]]:
    """Two real threads that `threading` does not know, until the test is over."""
    found: list[int] = []
    over = threading.Event()

    def work() -> None:
        found.append(threading.get_native_id())
        over.wait()

    for _ in range(2):
        _thread.start_new_thread(work, ())
    eventually(lambda: len(found) == 2, "both run")
    yield found
    over.set()
    eventually(lambda: not any(Path(f"/proc/self/task/{one}").exists() for one in found), "ended")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
def test_real_threads_of_a_pool_move_and_programs_inherit_nothing(
    pool: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    whole = os.sched_getaffinity(0)
    step = ThreadAffinity(CLOCK, lambda: 2.0, 50.0)
    assert step.available() is None
    step.apply(0.0)
    try:
        assert all(len(os.sched_getaffinity(one)) == 1 for one in pool)
        assert os.sched_getaffinity(0) == whole
        said = subprocess.run(
            [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        assert int(said.stdout) == len(whole)
    finally:
        step.undo()
    assert all(os.sched_getaffinity(one) == whole for one in pool)


GOMP = ctypes.util.find_library("gomp")


@pytest.mark.skipif(GOMP is None, reason="no libgomp here")
@pytest.mark.parametrize("policy", ["", "passive"])
def test_a_real_library_is_found_in_the_process(policy: str) -> None:
    code = (
        f"import ctypes, os; ctypes.CDLL({GOMP!r})\n"
        "from amptalk.actuators.thread_affinity import spinning\n"
        "from amptalk.sensors.libraries import loaded_libraries\n"
        "from amptalk.sensors.roots import Roots\n"
        "print(spinning(loaded_libraries(Roots()), os.environ))\n"
    )
    told = {key: text for key, text in environment().items() if not key.startswith("OMP_")}
    if policy:
        told["OMP_WAIT_POLICY"] = policy
    said = subprocess.run(
        [sys.executable, "-c", code], env=told, capture_output=True, text=True, check=True,
        timeout=60,
    ).stdout  # fmt: skip
    assert ("libgomp" in said) is not bool(policy)
