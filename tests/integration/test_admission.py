"""Admission under a limit on the real memory of a process, from threads and tasks."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from amptalk import (
    AdmissionTimeoutError,
    NestedAdmissionError,
    NeverFitsError,
    ResourceManager,
    create_resource_manager,
)
from tests.helpers import DEADLINE, eventually
from tests.integration.support import ballast, own_process, ticks, used_mb


class Job:
    """Work on a thread of its own that asks first, and holds its memory until it is told."""

    def __init__(
        self, manager: ResourceManager, name: str, memory_mb: float | None, holds: int = 0
    ) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()
        self._manager, self._name, self._memory_mb = manager, name, memory_mb
        self._holds = holds
        self._thread = threading.Thread(target=self._run, name=name)
        self._thread.start()

    def _run(self) -> None:
        with self._manager.admit(self._name, memory_mb=self._memory_mb):
            held = ballast(self._holds)
            self.entered.set()
            self.leave.wait(DEADLINE)
            del held

    def end(self) -> None:
        self.leave.set()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()


def manager_with_room(megabytes: float) -> ResourceManager:
    """A manager whose limit leaves that much; large enough that levels stay normal."""
    limit = used_mb() + megabytes
    return create_resource_manager(max_memory_mb=limit, monitoring_interval=0.05)


@own_process
def test_who_came_first_is_served_first_though_a_smaller_one_would_fit() -> None:
    with manager_with_room(400) as manager:
        first = Job(manager, "first", 250, holds=50)
        assert first.entered.wait(DEADLINE)
        second = Job(manager, "second", 250)
        eventually(lambda: manager.effectiveness()["admission"]["admitted"] == 1, "one runs")
        ticks(manager, 2)
        third = Job(manager, "third", 10)
        ticks(manager, 4)
        assert not second.entered.is_set()
        assert not third.entered.is_set()
        first.end()
        assert second.entered.wait(DEADLINE)
        assert third.entered.wait(DEADLINE)
        second.end()
        third.end()
    counts = manager.effectiveness()["admission"]
    assert (counts["admitted"], counts["waited"], counts["refused"]) == (3, 2, 0)
    assert counts["seconds_waited"] > 0.2


@own_process
def test_memory_that_nobody_asked_for_holds_work_back_until_it_is_given_back() -> None:
    taken = [ballast(150)]
    limit = used_mb() + 100
    with create_resource_manager(max_memory_mb=limit, monitoring_interval=0.05) as manager:
        job = Job(manager, "job", 200)
        ticks(manager, 4)
        assert not job.entered.is_set()
        taken.clear()
        assert job.entered.wait(DEADLINE)
        job.end()


@own_process
def test_more_than_the_limit_is_refused_at_once_and_says_what_fits() -> None:
    with manager_with_room(100) as manager:
        limit = manager.limits.max_memory_mb
        assert limit is not None
        try:
            manager.admit("huge", memory_mb=limit + 1)
        except NeverFitsError as error:
            assert f"{limit:.0f}" in str(error)
        else:
            raise AssertionError("it cannot fit")
        assert manager.effectiveness()["admission"]["refused"] == 1


@own_process
def test_a_named_job_learns_its_cost_and_is_held_to_it_without_amounts() -> None:
    with manager_with_room(400) as manager:
        with manager.admit("load"):
            held = ballast(200)
            ticks(manager, 3)
            del held
        ticks(manager, 2)
        other = Job(manager, "other", 300)
        assert other.entered.wait(DEADLINE)
        with manager.admit("never seen", timeout=5):
            pass  # of unknown cost: nothing speaks against it
        try:
            with manager.admit("load", timeout=0.3):
                raise AssertionError("200 MB do not fit beside 300 of 400")
        except AdmissionTimeoutError as error:
            text = str(error)
        amount = float(text.partition(" MB of memory")[0].rpartition(" ")[2])
        assert 190 < amount < 260, text  # a single run is believed with a quarter to spare
        waiting = Job(manager, "load", None)
        ticks(manager, 3)
        assert not waiting.entered.is_set()
        other.end()
        assert waiting.entered.wait(DEADLINE)
        waiting.end()


@own_process
def test_tasks_wait_for_each_other_without_stopping_the_event_loop() -> None:
    order: list[str] = []

    async def job(manager: ResourceManager, name: str, leave: asyncio.Event) -> None:
        async with manager.admit(name, memory_mb=250):
            order.append(name)
            await leave.wait()
        order.append(f"{name} left")

    async def main() -> None:
        async with manager_with_room(400) as manager:
            leave = asyncio.Event()
            tasks = [asyncio.create_task(job(manager, name, leave)) for name in ("one", "two")]
            await asyncio.to_thread(ticks, manager, 4)  # the loop is free to run this
            assert order == ["one"]
            leave.set()
            await asyncio.gather(*tasks)

    asyncio.run(asyncio.wait_for(main(), DEADLINE))
    assert order == ["one", "one left", "two", "two left"]


@own_process
def test_a_cancelled_task_leaves_no_gap_in_the_queue() -> None:
    async def main() -> None:
        async with manager_with_room(400) as manager:
            first = Job(manager, "first", 300)
            await asyncio.to_thread(first.entered.wait, DEADLINE)

            async def ask() -> str:
                async with manager.admit("task", memory_mb=200):
                    return "admitted"

            impatient, patient = asyncio.create_task(ask()), asyncio.create_task(ask())
            await asyncio.to_thread(ticks, manager, 2)
            impatient.cancel()
            assert isinstance((await asyncio.gather(impatient, return_exceptions=True))[0],
                              asyncio.CancelledError)  # fmt: skip
            await asyncio.to_thread(first.end)
            assert await patient == "admitted"

    asyncio.run(asyncio.wait_for(main(), DEADLINE))


@own_process
def test_asking_twice_from_one_thread_is_refused_instead_of_waiting_for_itself() -> None:
    with manager_with_room(400) as manager, manager.admit("outer", memory_mb=100):
        try:
            with manager.admit("inner", memory_mb=1):
                raise AssertionError("nested")
        except NestedAdmissionError:
            pass
        # The refusal has not touched what is held.
        with ThreadPoolExecutor(1) as pool:
            other: Future[bool] = pool.submit(_admitted, manager, 350)
            assert other.result(DEADLINE) is False
        assert manager.effectiveness()["admission"]["refused"] == 2


def _admitted(manager: ResourceManager, memory_mb: float) -> bool:
    try:
        with manager.admit(memory_mb=memory_mb, timeout=0.2):
            return True
    except AdmissionTimeoutError:
        return False
