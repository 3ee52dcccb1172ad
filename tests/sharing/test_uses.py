"""Blocks that hold more for a while: in the order they came, all or nothing, given back."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from amptalk.model.errors import AdmissionTimeoutError, NestedAdmissionError, NeverFitsError
from amptalk.sharing.components import Component
from amptalk.sharing.pressure import Request
from amptalk.sharing.use import Use
from tests.helpers import DEADLINE, eventually
from tests.sharing.worlds import World


@pytest.fixture
def world() -> World:
    return World()


def entering(use: Use) -> threading.Thread:
    thread = threading.Thread(target=use.__enter__, daemon=True)
    thread.start()
    return thread


def waiting(component: Component, count: int) -> None:
    eventually(lambda: len(component.uses) == count, f"{count} wait or hold")


def test_what_is_free_is_granted_at_once_and_given_back(world: World) -> None:
    part = world.book.register("part", memory_mb=(100, 900))
    part.demand(memory_mb=100)
    world.divide()
    with part.hold(memory_mb=400, timeout=0):
        assert part.grant("memory") == 500
        with part.hold(memory_mb=100, timeout=0):
            assert part.grant("memory") == 600
        assert part.grant("memory") == 500
    assert part.grant("memory") == 100


def test_it_waits_until_others_have_shrunk(world: World) -> None:
    b = world.lent()
    world.used = 900.0
    thread = entering(b.hold(memory_mb=300))
    waiting(b, 1)
    world.sync()
    assert b.grant("memory") == 100
    assert thread.is_alive()
    world.used = 500.0
    world.sync()
    thread.join(DEADLINE)
    assert not thread.is_alive()
    assert b.grant("memory") == 400


def test_who_came_first_is_served_first(world: World) -> None:
    b = world.lent()
    world.used = 900.0
    large = entering(b.hold(memory_mb=350))
    waiting(b, 1)
    small = b.hold(memory_mb=50, timeout=0)
    world.sync()
    with pytest.raises(AdmissionTimeoutError, match="500 of memory wanted, 100 granted"):
        small.__enter__()
    assert large.is_alive()
    world.used = 300.0
    world.sync()
    large.join(DEADLINE)
    assert not large.is_alive()
    assert b.grant("memory") == 450


def test_a_time_out_gives_up_what_was_asked_and_says_why(world: World) -> None:
    b = world.lent()
    world.used = 900.0
    with pytest.raises(AdmissionTimeoutError, match=r"'b' was not granted enough within 0 s: 400"):
        b.hold(memory_mb=300, timeout=0).__enter__()
    assert b.uses == ()
    assert b.wants("memory") == 100


def test_several_resources_are_held_together(world: World) -> None:
    part = world.book.register("part", memory_mb=(100, 500), cpu_percent=(10, 60))
    part.demand(memory_mb=100, cpu_percent=10)
    world.divide()
    with part.hold(memory_mb=200, cpu_percent=30, timeout=0):
        assert (part.grant("memory"), part.grant("cpu")) == (300, 40)
    assert (part.grant("memory"), part.grant("cpu")) == (100, 10)
    rows = {share.resource: share.charged for share in world.book.shares()}
    assert rows["cpu"] == 10, "what it gave back itself is free at once"


def test_more_than_the_maximum_leaves_never_fits(world: World) -> None:
    part = world.book.register("part", memory_mb=(100, 500))
    with pytest.raises(NeverFitsError, match=r"450 of memory beyond the minimum of 100"):
        part.hold(memory_mb=450)


def test_many_tasks_may_wait_whatever_threads_the_event_loop_has(world: World) -> None:
    part = world.book.register("part", memory_mb=(0, 500))
    part.demand(memory_mb=0)
    world.divide()
    inside = []

    async def use() -> None:
        async with part.hold(memory_mb=500, timeout=DEADLINE):
            inside.append(len(part.uses))
            await asyncio.sleep(0)

    async def all_of_them() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        await asyncio.gather(*[use() for _ in range(5)])

    asyncio.run(all_of_them())
    assert len(inside) == 5
    assert part.uses == ()


def test_a_callback_may_not_ask_for_more(world: World) -> None:
    caught: list[Exception] = []

    def shrink(request: Request) -> None:
        try:
            with a.hold(memory_mb=10, timeout=0):
                pass
        except NestedAdmissionError as error:
            caught.append(error)

    b = world.lent(on_shrink=shrink)
    a = world.book._components["a"]
    b.demand(memory_mb=500)
    world.sync()
    assert "it would wait for itself" in str(caught[0])
