"""Admission as the application meets it: threads and tasks that wait, give up and nest."""

from __future__ import annotations

import asyncio
import gc
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import pytest

from amptalk.actuators.admission import AdmissionGate
from amptalk.actuators.jobs.ledger import Jobs
from amptalk.clock import SystemClock
from amptalk.model.errors import (
    AdmissionTimeoutError,
    ConfigurationError,
    NestedAdmissionError,
    NeverFitsError,
)
from amptalk.model.level import Level
from amptalk.model.resource import CPU, MEMORY
from tests.actuators.support import decision, state
from tests.helpers import eventually

CLOCK = SystemClock()


def made(*, enabled: bool = True) -> AdmissionGate:
    return AdmissionGate(CLOCK, ((MEMORY, 1000.0), (CPU, 100.0)), enabled=enabled)


def tick(
    gate: AdmissionGate, memory: float = 100.0, level: Level = Level.NORMAL, **shares: float
) -> None:
    limits = (state(memory, level), state(50.0, resource=CPU, limit=100.0))
    gate.update(limits, decision(**shares))


class Holder:
    """A thread that holds an admission until told to let go."""

    def __init__(
        self,
        gate: AdmissionGate,
        *,
        job: str | None = None,
        memory_mb: float | None = None,
        timeout: float | None = None,
    ) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self._admit = partial(gate.admit, job, memory_mb=memory_mb, timeout=timeout)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            with self._admit():
                self.entered.set()
                self.go.wait(20)
        except Exception as error:
            self.error = error

    def leave(self) -> None:
        self.go.set()
        self.thread.join(20)
        assert not self.thread.is_alive()


@contextmanager
def holding(gate: AdmissionGate, memory_mb: float) -> Iterator[None]:
    """Somebody else holds an admission meanwhile."""
    holder = Holder(gate, memory_mb=memory_mb)
    assert holder.entered.wait(20)
    yield
    holder.leave()


class Hold(Protocol):
    """Starts a holder that lets go at the end of the test."""

    def __call__(self, *, memory_mb: float | None = None) -> Holder: ...


@pytest.fixture
def gate() -> AdmissionGate:
    return made()


@pytest.fixture
def hold(gate: AdmissionGate) -> Iterator[Hold]:
    holders: list[Holder] = []

    def start(*, memory_mb: float | None = None) -> Holder:
        holders.append(Holder(gate, memory_mb=memory_mb))
        return holders[-1]

    yield start
    for holder in holders:
        holder.leave()


def waiting(gate: AdmissionGate) -> int:
    return sum(request.wake is not None for request in gate.room._queue._waiting)


def test_threads_wait_in_order_and_are_let_in_when_it_fits(gate: AdmissionGate, hold: Hold) -> None:
    tick(gate)
    first = hold(memory_mb=800)
    assert first.entered.wait(20)
    large = hold(memory_mb=500)
    eventually(lambda: waiting(gate) == 1, "the large one waits")
    small = hold(memory_mb=10)
    eventually(lambda: waiting(gate) == 2, "the small one waits behind it")
    assert not large.entered.is_set()
    assert not small.entered.is_set()
    first.leave()
    assert large.entered.wait(20)
    assert small.entered.wait(20)
    counts = gate.counts
    assert (counts.admitted, counts.waited, counts.refused) == (3, 2, 0)
    assert counts.seconds_waited > 0


def test_a_tick_lets_waiters_in(gate: AdmissionGate, hold: Hold) -> None:
    hold().entered.wait(20)
    tick(gate, memory=950)
    waiter = hold(memory_mb=300)
    eventually(lambda: waiting(gate) == 1, "it waits")
    tick(gate, memory=200)
    assert waiter.entered.wait(20)


def test_what_can_never_fit_is_refused_at_once_with_both_numbers(gate: AdmissionGate) -> None:
    with pytest.raises(NeverFitsError, match=r"1200 MB of memory.*limit of 1000 MB"):
        gate.admit(memory_mb=1200)
    with pytest.raises(NeverFitsError):
        gate.admit(cpu_percent=101)
    assert gate.counts.refused == 2


def test_a_timeout_says_what_was_in_the_way(gate: AdmissionGate, hold: Hold) -> None:
    tick(gate)
    hold(memory_mb=800).entered.wait(20)
    with (
        pytest.raises(AdmissionTimeoutError, match=r"500 MB of memory do not fit: 900 of 1000"),
        gate.admit(memory_mb=500, timeout=0.02),
    ):
        raise AssertionError
    with pytest.raises(TimeoutError), gate.admit(memory_mb=500, timeout=0):
        raise AssertionError
    assert gate.counts.refused == 2
    with gate.admit(memory_mb=50, timeout=0):
        pass


def test_one_that_gave_up_does_not_hold_up_those_behind_it(gate: AdmissionGate, hold: Hold) -> None:
    tick(gate)
    hold(memory_mb=800).entered.wait(20)
    impatient = Holder(gate, memory_mb=500, timeout=0.1)
    eventually(lambda: waiting(gate) == 1, "it waits")
    behind = hold(memory_mb=10)
    assert behind.entered.wait(20)
    impatient.thread.join(20)
    assert isinstance(impatient.error, AdmissionTimeoutError)


def test_nesting_is_refused_and_the_outer_one_stays(gate: AdmissionGate) -> None:
    with gate.admit(memory_mb=100):
        with pytest.raises(NestedAdmissionError), gate.admit(memory_mb=100):
            raise AssertionError
        tick(gate)
    with gate.admit(memory_mb=100):
        pass
    assert not gate.room.busy


def test_an_error_in_the_work_gives_everything_back(gate: AdmissionGate) -> None:
    with pytest.raises(ZeroDivisionError), gate.admit(memory_mb=900):
        raise ZeroDivisionError
    with gate.admit(memory_mb=900, timeout=0):
        pass


def test_work_is_paced_by_the_allocation_of_rates(gate: AdmissionGate) -> None:
    tick(gate, cpu=0.5, memory=0.01)
    with gate.admit():
        time.sleep(0.1)
    started = time.monotonic()
    with gate.admit():
        rested = time.monotonic() - started
    assert 0.09 <= rested < 2
    assert gate.counts.waited == 1


def test_a_waiter_sees_a_rest_that_began_while_it_waited_without_any_tick(
    gate: AdmissionGate, hold: Hold
) -> None:
    tick(gate, cpu=0.5)
    first = hold(memory_mb=800)
    assert first.entered.wait(20)
    second = hold(memory_mb=500)
    eventually(lambda: waiting(gate) == 1, "it waits for room")
    first.leave()
    assert second.entered.wait(20)


def test_a_limit_lowered_while_waiting_refuses_the_waiter(gate: AdmissionGate, hold: Hold) -> None:
    tick(gate)
    hold(memory_mb=800).entered.wait(20)
    waiter = Holder(gate, memory_mb=600)
    eventually(lambda: waiting(gate) == 1, "it waits")
    gate.update((state(100, limit=500.0),), None)
    waiter.thread.join(20)
    assert isinstance(waiter.error, NeverFitsError)


def test_a_named_job_is_admitted_by_what_was_learned_unless_it_says_amounts() -> None:
    memory = [100.0]
    jobs = Jobs(CLOCK, lambda: memory[0])
    jobs.begin(1, "transcribe", math.nan, {})
    memory[0] = 400.0
    jobs.end(1)
    learned = jobs.table()["transcribe"].memory_mb
    assert learned is not None
    reserve = learned.reserve
    assert reserve >= 300
    gate = AdmissionGate(CLOCK, ((MEMORY, 1000.0),), jobs)
    tick(gate, memory=400)
    with (
        holding(gate, memory_mb=350),
        pytest.raises(AdmissionTimeoutError, match=f"{reserve:.0f} MB of memory"),
        gate.admit("transcribe", timeout=0),
    ):
        raise AssertionError
    with holding(gate, memory_mb=350), gate.admit("transcribe", memory_mb=10, timeout=0):
        pass


def test_when_only_observing_everything_passes_and_is_learned_from() -> None:
    jobs = Jobs(CLOCK, lambda: 100.0)
    gate = AdmissionGate(CLOCK, ((MEMORY, 1000.0),), jobs, enabled=False)
    tick(gate, memory=400, level=Level.EMERGENCY, cpu=0.05)
    with gate.admit("job", memory_mb=99999), gate.admit("inner", memory_mb=99999):
        pass
    with gate.admit("job"):
        pass
    assert jobs.table()["job"].runs == 2
    assert gate.counts.admitted == 3


@pytest.mark.parametrize(
    "options", [{"job": "a", "size": 0}, {"size": 3}, {"job": "a", "size": -1}]
)
def test_a_size_is_above_zero_and_belongs_to_a_named_job(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="size="):
        made().admit(**options)


def test_without_limits_everything_passes_and_admitted_amounts_are_told() -> None:
    told = []
    gate = AdmissionGate(CLOCK, (), on_admit=lambda *what: told.append(what))
    with gate.admit("job", memory_mb=1e9, cpu_percent=500):
        pass
    assert told == [("memory", 1e9), ("cpu", 500)]


@pytest.mark.parametrize(
    "options",
    [
        {"memory_mb": -1},
        {"memory_mb": math.nan},
        {"gpu_memory_mb": math.inf},
        {"cpu_percent": True},
        {"memory_mb": "300"},
        {"timeout": -1},
        {"timeout": "1"},
        {"job": ""},
        {"job": 3},
    ],
)
def test_what_cannot_be_is_refused(gate: AdmissionGate, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        gate.admit(**options)


def test_a_release_lets_waiters_in_that_fit_by_amount(gate: AdmissionGate, hold: Hold) -> None:
    tick(gate, memory=990, level=Level.EMERGENCY)
    waiter = hold(memory_mb=300)
    eventually(lambda: waiting(gate) == 1, "it waits")
    gate.release()
    assert waiter.entered.wait(20)


def test_in_a_forked_child_everything_passes_with_one_warning(
    gate: AdmissionGate, hold: Hold
) -> None:
    tick(gate)
    hold(memory_mb=900).entered.wait(20)
    gate.freeze()
    with pytest.warns(RuntimeWarning, match="forked"), gate.admit(memory_mb=900), gate.admit():
        pass
    with gate.admit(memory_mb=900):
        pass


def test_many_threads_never_hold_more_than_the_limit(gate: AdmissionGate) -> None:
    tick(gate, memory=0)
    lock, held, peak = threading.Lock(), [0], [0]

    def work(number: int) -> None:
        for turn in range(15):
            amount = 100 + (number * 37 + turn * 53) % 500
            with gate.admit(memory_mb=amount):
                with lock:
                    held[0] += amount
                    peak[0] = max(peak[0], held[0])
                time.sleep(0.0005)
                with lock:
                    held[0] -= amount

    workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert not worker.is_alive()
    assert 500 < peak[0] <= 1000
    assert gate.counts.admitted == 120
    assert not gate.room.busy


# -- asyncio ------------------------------------------------------------------------------


def test_tasks_wait_in_order_and_the_loop_goes_on_meanwhile(gate: AdmissionGate) -> None:
    tick(gate)
    order: list[str] = []

    async def work(name: str, amount: float, release: asyncio.Event) -> None:
        async with gate.admit(memory_mb=amount):
            order.append(name)
            await release.wait()

    async def main() -> None:
        release = asyncio.Event()
        tasks = [asyncio.create_task(work(n, a, release)) for n, a in
                 (("a", 800), ("b", 500), ("c", 10))]  # fmt: skip
        while waiting(gate) < 2:
            await asyncio.sleep(0)
        assert order == ["a"]
        release.set()
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert order == ["a", "b", "c"]


def test_a_cancelled_task_neither_keeps_a_slot_nor_blocks_the_queue(gate: AdmissionGate) -> None:
    tick(gate)

    async def wait_for(amount: float) -> str:
        async with gate.admit(memory_mb=amount):
            return "in"

    async def main() -> None:
        async with gate.admit(memory_mb=800):
            doomed = asyncio.create_task(wait_for(500))
            while waiting(gate) < 1:
                await asyncio.sleep(0)
            behind = asyncio.create_task(wait_for(10))
            while waiting(gate) < 2:
                await asyncio.sleep(0)
            doomed.cancel()
            assert await asyncio.wait_for(behind, 20) == "in"
            with pytest.raises(asyncio.CancelledError):
                await doomed

    asyncio.run(main())
    assert not gate.room.busy
    assert not gate._holders


def test_a_task_cancelled_just_as_it_is_let_in_gives_its_slot_back(gate: AdmissionGate) -> None:
    tick(gate)

    async def wait_for(amount: float) -> None:
        async with gate.admit(memory_mb=amount):
            await asyncio.Event().wait()

    async def main() -> None:
        for _ in range(50):
            async with gate.admit(memory_mb=800):
                task = asyncio.create_task(wait_for(500))
                while waiting(gate) < 1:
                    await asyncio.sleep(0)
            task.cancel()  # it was let in by leaving the block above
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not gate.room.busy

    asyncio.run(main())


def test_a_task_is_let_in_by_a_thread_and_a_thread_by_a_task(
    gate: AdmissionGate, hold: Hold
) -> None:
    tick(gate)
    first = hold(memory_mb=800)
    assert first.entered.wait(20)

    async def main() -> Holder:
        task = asyncio.create_task(enter())
        while waiting(gate) < 1:
            await asyncio.sleep(0)
        first.go.set()
        return await asyncio.wait_for(task, 20)

    async def enter() -> Holder:
        async with gate.admit(memory_mb=700):
            other = hold(memory_mb=700)
            while waiting(gate) < 1:
                await asyncio.sleep(0.001)
            return other

    assert asyncio.run(main()).entered.wait(20)


def test_tasks_of_one_thread_are_not_nested_but_one_task_is(gate: AdmissionGate) -> None:
    async def hold_one() -> None:
        async with gate.admit(memory_mb=10):
            await asyncio.sleep(0.01)

    async def nest() -> None:
        async with gate.admit(memory_mb=10):
            with pytest.raises(NestedAdmissionError):
                async with gate.admit(memory_mb=10):
                    raise AssertionError

    async def main() -> None:
        await asyncio.gather(hold_one(), hold_one(), nest())

    asyncio.run(main())
    assert gate.counts.admitted == 3


def test_async_timeout(gate: AdmissionGate, hold: Hold) -> None:
    tick(gate)
    hold(memory_mb=800).entered.wait(20)

    async def main() -> None:
        with pytest.raises(AdmissionTimeoutError):
            async with gate.admit(memory_mb=500, timeout=0.02):
                raise AssertionError

    asyncio.run(main())


def test_blocking_in_a_task_is_refused_when_it_would_stop_the_loop_it_waits_for(
    gate: AdmissionGate,
) -> None:
    tick(gate)

    async def hold_on(entered: asyncio.Event, release: asyncio.Event) -> None:
        async with gate.admit(memory_mb=800):
            entered.set()
            await release.wait()

    async def main() -> None:
        entered, release = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(hold_on(entered, release))
        await entered.wait()
        with pytest.raises(NestedAdmissionError, match="async with"), gate.admit(memory_mb=500):
            raise AssertionError
        with gate.admit(memory_mb=10):  # does not have to wait
            pass
        release.set()
        await task

    asyncio.run(main())
    assert not gate.room.busy


def test_a_task_whose_loop_was_closed_does_not_block_the_queue(
    gate: AdmissionGate, hold: Hold
) -> None:
    tick(gate)
    first = hold(memory_mb=800)
    assert first.entered.wait(20)
    loop = asyncio.new_event_loop()

    async def wait_for_ever() -> None:
        async with gate.admit(memory_mb=500):
            raise AssertionError

    task: Any = loop.create_task(wait_for_ever())
    while waiting(gate) < 1:
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    behind = hold(memory_mb=900)
    eventually(lambda: waiting(gate) == 2, "it waits behind the lost one")
    first.leave()
    assert behind.entered.wait(20)
    task._log_destroy_pending = False
    del task
    gc.collect()


def test_work_of_several_sizes_is_told_which_one_it_may_have(gate: AdmissionGate) -> None:
    tick(gate, memory=100.0)
    with gate.admit("batch", size=(2, 8)) as first:
        assert first.size == 2  # nothing is known yet
    with gate.admit("batch", size=3) as fixed:
        assert fixed.size == 3
    with gate.admit("other") as undeclared:
        assert math.isnan(undeclared.size)


def test_when_only_observing_work_has_its_largest_size() -> None:
    watching = made(enabled=False)
    with watching.admit("batch", size=(2, 8)) as admitted:
        assert admitted.size == 8


def test_work_of_listed_sizes_has_the_largest_that_fits(gate: AdmissionGate) -> None:
    tick(gate, memory=100.0)
    with gate.admit("batch", size=[0.7, 2.2, 4.9]) as first:
        assert first.size == 0.7  # nothing is known yet
    with made(enabled=False).admit("batch", size=[0.7, 2.2, 4.9]) as watched:
        assert watched.size == 4.9


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"size": (8, 2)}, "two whole numbers, the least first"),
        ({"size": (1.5, 2)}, "two whole numbers, the least first"),
        ({"size": (1, 2, 3)}, "two whole numbers, the least first"),
        ({"size": (1, 4), "memory_mb": 10}, "leave out memory"),
        ({"size": [1.5, 4], "memory_mb": 10}, "leave out memory"),
        ({"size": [2.0, 2.0]}, "the least first"),
        ({"size": [4.0, 2.0]}, "the least first"),
        ({"size": []}, "above 0"),
        ({"size": [0.0, 2.0]}, "above 0"),
    ],
)
def test_several_sizes_are_in_order_above_0_and_learned(
    gate: AdmissionGate, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        gate.admit("batch", **options)
