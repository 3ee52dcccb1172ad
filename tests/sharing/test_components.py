"""Components hold what is granted; shrinks come first and growth only into what is free."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.model.errors import ConfigurationError, NeverFitsError
from amptalk.sharing.holdings import SETTLE_SECONDS
from amptalk.sharing.pressure import Pressure, Request
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


def test_growth_waits_until_the_shrink_is_measured(world: World) -> None:
    heard: list[tuple[str, Request]] = []
    a = world.book.register("a", memory_mb=(100, 900), on_shrink=lambda r: heard.append(("a", r)))
    a.demand(memory_mb=900)
    b = world.book.register("b", memory_mb=(100, 900), on_grow=lambda r: heard.append(("b", r)))
    b.demand(memory_mb=100)
    world.divide()
    assert (a.grant("memory"), b.grant("memory")) == (900, 100)
    world.used = 900.0
    b.demand(memory_mb=700)
    world.sync()
    assert (a.grant("memory"), b.grant("memory")) == (500, 100), "shrinks at once, no growth"
    assert world.charged() == {"a": 900, "b": 100}
    assert heard == [("a", Request(Pressure.SHRINK, "memory", 500.0, 2.0))]
    world.sync()
    assert b.grant("memory") == 100, "what is measured has not dropped"
    world.used = 490.0
    world.sync()
    assert b.grant("memory") == 500
    world.sync()
    assert heard[1:] == [("b", Request(Pressure.NONE, "memory", 500.0, math.inf))]
    assert world.charged() == {"a": 500, "b": 500}


def test_a_single_holder_is_charged_for_all_that_is_measured(world: World) -> None:
    a = world.book.register("a", memory_mb=(100, 900))
    world.divide()
    world.used = 850.0
    a.demand(memory_mb=300)
    for used, charged in ((850.0, 850), (600.0, 600), (700.0, 600), (250.0, 300)):
        world.used = used
        world.sync()
        assert world.charged() == {"a": charged}


def test_a_shrink_of_what_was_never_used_counts_after_the_settle_time(world: World) -> None:
    b = world.lent()
    world.used = 50.0
    b.demand(memory_mb=500)
    world.sync()
    world.sync(SETTLE_SECONDS - 1.5)
    assert b.grant("memory") == 100
    world.sync(2.0)
    assert b.grant("memory") == 500


def test_one_that_lies_gets_others_nothing_that_is_not_there(world: World) -> None:
    b = world.lent(on_shrink=lambda _: "done, freed it")
    world.used = 900.0
    b.demand(memory_mb=500)
    for _ in range(30):
        world.sync()
    assert b.grant("memory") == 200, "900 are measured: 300 more than both were granted"
    world.used = 390.0
    world.sync()
    assert b.grant("memory") == 500


def test_one_that_raises_stays_charged_and_is_asked_again(world: World) -> None:
    asked: list[float] = []

    def shrink(request: Request) -> None:
        asked.append(request.target)
        if len(asked) < 3:
            raise OSError("busy")

    b = world.lent(on_shrink=shrink)
    b.demand(memory_mb=500)
    for _ in range(3):
        world.sync()
    assert asked == [500]
    assert "OSError: busy" in world.book.shares()[0].note
    assert world.charged()["a"] == 900
    for _ in range(20):
        world.sync()
    assert asked == [500, 500, 500]
    assert b.grant("memory") == 500
    assert world.book.shares()[0].note == ""


def test_one_that_hangs_stays_charged_until_it_comes_back(world: World) -> None:
    b = world.lent(on_shrink=lambda _: None)
    b.demand(memory_mb=500)
    for _ in range(20):
        world.sync(run=False)
    assert world.charged() == {"a": 900, "b": 100}
    assert "has not come back" in world.book.shares()[0].note
    world.runner.run()
    world.sync()
    assert b.grant("memory") == 500


def test_after_the_deadline_everything_above_the_minimum_is_asked_for(world: World) -> None:
    heard: list[tuple[Pressure, float]] = []
    b = world.lent(on_shrink=lambda r: heard.append((r.level, r.target)))
    world.used = 1000.0
    b.demand(memory_mb=500)
    for _ in range(4):
        world.sync()
    assert heard == [(Pressure.SHRINK, 500), (Pressure.EVICT, 100)]
    assert "not confirmed 3 s after it was asked" in world.book.shares()[0].note
    world.used = 200.0
    world.sync()
    assert b.grant("memory") == 500


def test_one_is_asked_to_trim_when_nearly_all_of_its_grant_is_used(world: World) -> None:
    heard: list[Pressure] = []
    world.book.register("a", memory_mb=(100, 900), on_shrink=lambda r: heard.append(r.level))
    world.divide()
    world.used = 860.0
    for _ in range(8):
        world.sync()
    assert heard == [Pressure.TRIM], "not again so soon"
    assert world.charged() == {"a": 900}


def test_a_later_target_reaches_a_component_that_was_busy(world: World) -> None:
    heard: list[float] = []
    a = world.book.register("a", memory_mb=(0, 900), on_shrink=lambda r: heard.append(r.target),
                            on_grow=lambda r: heard.append(r.target))  # fmt: skip
    world.divide()
    world.sync()
    for target in (500.0, 200.0):
        a.demand(memory_mb=target)
        world.sync(run=False)
    world.runner.run()
    for _ in range(10):
        world.sync()
    assert heard == [900, 500, 200]


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


Tick = tuple[tuple[float, ...], float, float, bool, bool]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.tuples(*[st.floats(0, 1000)] * 3), st.floats(0, 1200), st.floats(0, 8),
                  st.booleans(), st.booleans()),
        max_size=25,
    )
)  # fmt: skip
def test_never_more_than_the_limit_is_charged_whatever_callbacks_do(ticks: list[Tick]) -> None:
    world = World()
    bad = [False]

    def shrink(request: Request) -> None:
        if bad[0]:
            raise RuntimeError

    parts = {
        name: world.book.register(name, memory_mb=(100, 1000), on_shrink=shrink) for name in "abc"
    }
    world.divide()
    for demands, used, seconds, run, fails in ticks:
        world.used, bad[0] = used, fails
        for part, demand in zip(parts.values(), demands, strict=True):
            part.demand(memory_mb=demand)
        world.sync(seconds, run=run)
        charged = world.charged()
        assert sum(charged.values()) <= 1000 * (1 + 1e-6)
        for name, part in parts.items():
            assert 100 <= part.grant("memory") <= charged[name]
    bad[0], world.used = False, 0.0
    for part, demand in zip(parts.values(), (500.0, 300.0, 200.0), strict=True):
        part.demand(memory_mb=demand)
    for _ in range(8):
        world.sync(SETTLE_SECONDS)
    held = [part.grant("memory") for part in parts.values()]
    assert held == pytest.approx([500, 300, 200], rel=0.011), "it settles, but for trifles"


def test_one_that_grows_again_while_it_shrinks_stays_charged_for_what_it_held(world: World) -> None:
    a = world.book.register("a", memory_mb=(100, 900))
    world.book.register("b", memory_mb=(1, 2))
    world.divide()
    world.used = 900.0
    a.demand(memory_mb=300)
    world.sync()
    a.demand(memory_mb=500)
    assert a.grant("memory") == 500
    assert world.charged()["a"] == 900
    world.used = 450.0
    world.sync()
    assert world.charged()["a"] == 500
