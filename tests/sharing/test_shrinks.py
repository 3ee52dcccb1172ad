"""Shrinks: asked for, measured, asked for again; nobody grows into what is still held."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.model.errors import LedgerError
from amptalk.sharing.holdings import SETTLE_SECONDS
from amptalk.sharing.pressure import Pressure, Request
from tests.sharing.worlds import World


@pytest.fixture
def world() -> World:
    return World()


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


def test_what_cannot_be_measured_counts_after_the_settle_time(world: World) -> None:
    a = world.book.register("a", memory_mb=(100, 900))
    world.divide()
    world.used = math.nan
    a.demand(memory_mb=300)
    world.sync()
    world.sync(SETTLE_SECONDS - 1.5)
    assert world.charged() == {"a": 900}
    world.sync(2.0)
    assert world.charged() == {"a": 300}


def test_what_could_not_be_said_is_said_when_the_ledger_can_be_written_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = world.book.register("a", memory_mb=(100, 900))
    a.demand(memory_mb=100)
    world.divide()
    use = a.hold(memory_mb=300, timeout=0).__enter__()

    def full(*_args: object, **_more: object) -> float:
        raise LedgerError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(world.book.ledger, "change", full)
        with pytest.raises(LedgerError, match="no room"):
            a.demand(memory_mb=700)
        use.__exit__()
    assert a.grant("memory") == 400, "what was granted is not lost"
    world.sync()
    assert a.grant("memory") == 100


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
