"""Components hold what is granted; shrinks come first and growth only into what is free."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest

from amptalk.model.errors import ConfigurationError, LedgerError, NeverFitsError
from amptalk.sharing.pressure import Request
from tests.sharing.worlds import World


@pytest.fixture
def world() -> World:
    return World()


def test_a_component_holds_its_minimum_until_a_strategy_divides(world: World) -> None:
    asr = world.book.register("asr", memory_mb=(200, 800), cpu_percent=(10, 60), weight=2)
    assert (asr.grant("memory"), asr.grant("cpu")) == (200, 10)
    world.sync()
    assert (asr.grant("memory"), asr.grant("cpu")) == (200, 10)
    world.divide()
    assert (asr.grant("memory"), asr.grant("cpu")) == (800, 60)
    assert world.book.granted == {"memory": {"asr": 800}, "cpu": {"asr": 60}}
    assert world.book.limits == {}, "all of the limit is this process's"
    with pytest.raises(ConfigurationError, match="did not ask for 'gpu_memory'"):
        asr.grant("gpu_memory")


def test_without_a_limit_everything_asked_for_is_there() -> None:
    assert World(()).book.register("asr", memory_mb=(200, 800)).grant("memory") == 800


def test_a_new_component_waits_for_its_minimum_while_others_hold_everything(world: World) -> None:
    world.book.register("a", memory_mb=(100, 1000))
    world.divide()
    world.used = 900.0
    late = world.book.register("late", memory_mb=(300, 500))
    assert late.grant("memory") == 0
    world.sync()
    assert late.grant("memory") == 0
    world.used = 600.0
    world.sync()
    assert late.grant("memory") == 500


def test_a_release_frees_what_was_held_and_is_idempotent(world: World) -> None:
    b = world.lent()
    [a] = [one for one in world.book._components.values() if one.name == "a"]
    a.release()
    a.release()
    assert world.charged() == {"b": 100}
    b.demand(memory_mb=900)
    assert b.grant("memory") == 900
    with world.book.register("a", memory_mb=(0, 10)) as again:
        a.release()
        assert again.grant("memory") == 10
    with pytest.raises(ConfigurationError, match="nothing any more"):
        again.grant("memory")


def test_demands_are_kept_until_said_otherwise(world: World) -> None:
    asr = world.book.register("asr", memory_mb=(200, 800), cpu_percent=(10, 60))
    world.divide()
    asr.demand(memory_mb=400)
    asr.demand(cpu_percent=20)
    assert (asr.grant("memory"), asr.grant("cpu")) == (400, 20)
    with pytest.raises(ConfigurationError):
        asr.demand(gpu_memory_mb=1)
    with pytest.raises(ConfigurationError):
        asr.demand(memory_mb=-1)


def test_less_to_divide_takes_from_all_and_never_from_a_minimum(world: World) -> None:
    parts = [world.book.register(name, memory_mb=(300, 900)) for name in "ab"]
    world.divide()
    world.used = 1000.0
    world.divide(memory=800.0)
    world.used = 800.0
    world.sync()
    assert [part.grant("memory") for part in parts] == [400, 400]
    world.divide(memory=500.0)
    assert [part.grant("memory") for part in parts] == [300, 300]


def test_a_cpu_grant_says_how_many_threads_it_keeps_busy(world: World) -> None:
    asr = world.book.register("asr", cpu_percent=(10, 60))
    assert asr.threads == 1
    world.divide()
    assert asr.threads == 2, "60 % of 4 cores"


def test_rows_tell_who_holds_what_lent_and_borrowed(world: World) -> None:
    asr = world.book.register("asr", memory_mb=(200, 800), weight=2, priority=1)
    llm = world.book.register("llm", memory_mb=(100, 900))
    asr.demand(memory_mb=300)
    world.divide()
    asr_row, llm_row = world.book.shares()
    assert asr_row[:8] == ("asr", "memory", "MB", 200, 800, 2, 1, 300)
    assert (asr_row.granted, asr_row.lent, asr_row.borrowed, asr_row.owed) == (300, 500, 0, 0)
    assert math.isnan(llm_row.demand)
    assert (llm_row.granted, llm_row.lent, llm_row.borrowed, llm_row.owed) == (700, 0, 500, 0)
    asr.demand(memory_mb=700)
    asr_row, llm_row = world.book.shares()
    assert (asr_row.granted, asr_row.owed, llm_row.charged) == (300, 400, 700)
    assert llm.reclaim_seconds == pytest.approx(2.1)


async def later(request: Request) -> None:
    """A coroutine function needs a loop."""


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"memory_mb": (5, 4)},
        {"memory_mb": (-1, 4)},
        {"memory_mb": (0, 0)},
        {"memory_mb": (0, math.inf)},
        {"memory_mb": (0, math.nan)},
        {"memory_mb": 800},
        {"memory_mb": (1, 2, 3, 4)},
        {"memory_mb": (1, 2), "shrink_seconds": -1},
        {"memory_mb": (1, 2), "on_grow": later},
        {"memory_mb": ("1", 2)},
        {"memory_mb": (1, 2), "weight": 0},
        {"memory_mb": (1, 2), "weight": True},
        {"memory_mb": (1, 2), "priority": 1.5},
        {"memory_mb": (1, 2), "on_shrink": 3},
        {"memory_mb": (1, 2), "name": ""},
        {"memory_mb": (1, 2), "name": "taken"},
    ],
)
def test_what_cannot_be_is_refused(world: World, options: dict[str, Any]) -> None:
    world.book.register("taken", memory_mb=(1, 2))
    with pytest.raises(ConfigurationError):
        world.book.register(**{"name": "new", **options})
    assert [share.component for share in world.book.shares()] == ["taken"]


def test_minimums_beyond_a_limit_never_fit(world: World) -> None:
    world.book.register("a", memory_mb=(600, 800))
    with pytest.raises(NeverFitsError, match=r"500 of memory.*600 of 1000"):
        world.book.register("b", memory_mb=(500, 600))
    world.book.register("b", memory_mb=(400, 600))


def test_a_ledger_that_fails_at_the_end_hides_no_error_of_the_block(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_name: str) -> None:
        raise LedgerError("the disk is gone")

    monkeypatch.setattr(world.book.ledger, "leave", gone)
    with pytest.raises(KeyError), world.book.register("a", memory_mb=(1, 10)):
        raise KeyError("the block's own")
    with pytest.raises(LedgerError), world.book.register("b", memory_mb=(1, 10)):
        pass


def test_a_component_whose_grant_cannot_be_read_is_in_no_ledger(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_name: str) -> None:
        raise LedgerError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(world.book, "_rows_of", broken)
        with pytest.raises(LedgerError):
            world.book.register("a", memory_mb=(1, 10))
    world.book.register("a", memory_mb=(1, 10))


def test_components_come_and_go_from_many_threads(world: World) -> None:
    def work(number: int) -> None:
        for turn in range(50):
            world.book.register(f"{number}-{turn}", memory_mb=(1, 10)).release()

    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(50):
        world.divide()
    for worker in workers:
        worker.join()
    assert world.book.shares() == ()
