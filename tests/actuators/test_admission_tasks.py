"""Admission as asyncio tasks meet it: they wait, are cancelled, nest and mix with threads."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from amptalk.actuators.admission import AdmissionGate
from amptalk.model.errors import AdmissionTimeoutError, NestedAdmissionError
from tests.actuators.gates import Hold, Holder, tick, waiting
from tests.helpers import eventually


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
