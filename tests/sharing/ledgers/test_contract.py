"""What a ledger promises, of one process and of several alike."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amptalk.model.decision import Ask
from amptalk.model.errors import ConfigurationError, LedgerError, NeverFitsError
from amptalk.sharing.ledgers.contract import Entry, Ledger
from amptalk.sharing.ledgers.urls import open_ledger

NOW = 100.0
CAPACITIES = {"memory": 1000.0, "cpu": 100.0}
Join = Callable[..., None]


@pytest.fixture(params=["memory:", "sqlite:"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    url = request.param if request.param == "memory:" else f"sqlite:{tmp_path}/shares"
    found = open_ledger(url, CAPACITIES, "test")
    yield found
    found.close()


@pytest.fixture
def join(ledger: Ledger) -> Join:
    def add(name: str, least: float = 100.0, most: float = 900.0, **demand: float) -> None:
        ledger.join(Entry(name, {"memory": Ask(least, most)}, demand))

    return add


def granted(ledger: Ledger) -> dict[str, tuple[float, float]]:
    return {row.component: (row.granted, row.charged) for row in ledger.settle(NOW)}


def test_who_joins_is_granted_what_is_free_and_the_others_give_way(
    ledger: Ledger, join: Join
) -> None:
    join("a")
    assert granted(ledger) == {"a": (900, 900)}
    join("b")
    assert granted(ledger) == {"a": (500, 900), "b": (100, 100)}
    assert ledger.change("a", "memory", charged=650.0) == 500
    assert granted(ledger) == {"a": (500, 650), "b": (350, 350)}
    assert ledger.change("a", "memory", charged=500.0) == 500
    assert granted(ledger) == {"a": (500, 500), "b": (500, 500)}


def test_what_is_not_wanted_is_lent_and_comes_back(ledger: Ledger, join: Join) -> None:
    join("a", memory=100.0)
    join("b")
    assert granted(ledger) == {"a": (100, 100), "b": (900, 900)}
    assert ledger.change("a", "memory", demand=300.0) == 100
    assert granted(ledger) == {"a": (100, 100), "b": (700, 900)}
    ledger.change("b", "memory", charged=700.0)
    assert granted(ledger) == {"a": (300, 300), "b": (700, 700)}


def test_what_a_holder_itself_gives_back_is_free_at_once(ledger: Ledger, join: Join) -> None:
    join("a", memory=100.0)
    assert ledger.change("a", "memory", demand=400.0) == 400
    assert ledger.change("a", "memory", demand=100.0, charged=100.0) == 100
    assert granted(ledger) == {"a": (100, 100)}
    assert ledger.change("a", "memory", demand=400.0) == 400
    assert ledger.change("a", "memory", demand=100.0) == 100
    assert granted(ledger) == {"a": (100, 400)}, "only said, not given back"


def test_to_say_the_same_twice_changes_nothing(ledger: Ledger, join: Join) -> None:
    join("a", memory=100.0)
    join("b", memory=100.0)
    for _ in range(2):
        assert ledger.change("a", "memory", demand=500.0) == 500
        assert granted(ledger) == {"a": (500, 500), "b": (100, 100)}
    for _ in range(2):
        ledger.change("a", "memory", demand=200.0, charged=200.0)
        assert granted(ledger) == {"a": (200, 200), "b": (100, 100)}


def test_who_leaves_frees_everything_and_is_not_known_any_more(ledger: Ledger, join: Join) -> None:
    join("a")
    join("b")
    ledger.leave("a")
    ledger.leave("a")
    assert granted(ledger) == {"b": (900, 900)}
    with pytest.raises(LedgerError, match="register it again"):
        ledger.change("a", "memory", demand=200.0)


def test_a_name_taken_and_minimums_that_do_not_fit_are_refused(ledger: Ledger, join: Join) -> None:
    join("a", 600.0)
    before = granted(ledger)
    with pytest.raises(ConfigurationError, match="'a' exists already"):
        join("a")
    with pytest.raises(NeverFitsError, match=r"minimum of 500 of memory.*600 of 1000"):
        join("b", 500.0)
    assert granted(ledger) == before
    join("b", 400.0)


def test_a_resource_without_a_limit_is_granted_whole(ledger: Ledger) -> None:
    ledger.join(Entry("a", {"gpu_memory": Ask(0.0, 5000.0)}, {}))
    assert granted(ledger) == {"a": (5000, 5000)}
    assert ledger.change("a", "gpu_memory", demand=10.0) == 10


def test_several_resources_begin_together(ledger: Ledger) -> None:
    ledger.join(Entry("a", {"memory": Ask(900.0, 1000.0)}, {}))
    ledger.join(Entry("b", {"memory": Ask(100.0, 200.0), "cpu": Ask(10.0, 50.0)}, {}))
    rows = {row.key: row.granted for row in ledger.settle(NOW)}
    assert rows == {("a", "memory"): 900, ("b", "memory"): 0, ("b", "cpu"): 0}
    ledger.change("a", "memory", charged=900.0)
    rows = {row.key: row.granted for row in ledger.settle(NOW)}
    assert rows == {("a", "memory"): 900, ("b", "memory"): 100, ("b", "cpu"): 50}


def test_wake_ends_a_wait_of_another_thread(ledger: Ledger) -> None:
    waiting = threading.Thread(target=ledger.wait, args=(30.0,))
    ledger.wait(0.0)
    waiting.start()
    ledger.wake()
    waiting.join(10.0)
    assert not waiting.is_alive()


def test_shrink_seconds_and_demands_are_kept(ledger: Ledger) -> None:
    ledger.join(Entry("a", {"memory": Ask(0.0, 10.0, 2.0, 3, 5.0, "physical", True)}, {}, 1.5))
    (row,) = ledger.rows()
    assert (row.ask, row.demand) == (Ask(0.0, 10.0, 2.0, 3, 5.0, "physical", True), math.inf)
    assert row.shrink_seconds == 1.5


@pytest.mark.parametrize("url", ["", "redis:", "sqlite:shares", "memory", 3])
def test_an_unknown_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is no ledger: give 'memory:'"):
        open_ledger(url, {}, "test")
