"""The thread between book and ledger: it follows, tells of faults once, and ends."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from amptalk.model.errors import LedgerError
from amptalk.model.resource import MEMORY
from amptalk.model.sample import FIELDS, INDEX, Sample
from amptalk.sharing.book import ComponentBook
from amptalk.sharing.ledgers.sqlite.ledger import SqliteLedger
from amptalk.sharing.synchroniser import Synchroniser, of_sample
from tests.helpers import eventually
from tests.sharing.worlds import Later

LIMIT = 1000.0


class Party:
    """A book on a shared ledger with its thread."""

    def __init__(self, folder: str) -> None:
        self.ledger = SqliteLedger(folder, {"memory": LIMIT}, "test")
        self.book = ComponentBook(((MEMORY, LIMIT),), Later(), self.ledger)
        self.faults: list[str] = []
        self.granted: list[Mapping[str, float]] = []
        self.refusals = 0
        self.synchroniser = Synchroniser(self.book, of_sample, self.faults.append, self._grant)

    def _grant(self, limits: Mapping[str, float]) -> bool:
        self.granted.append(limits)
        self.refusals -= 1
        return self.refusals < 0

    def tick(self) -> None:
        row = [math.nan] * len(FIELDS)
        row[INDEX["memory_used_mb"]] = 50.0
        self.book.divide({"memory": LIMIT}, Sample(0.0, 0.0, tuple(row)))


@pytest.fixture
def party(tmp_path: Path) -> Iterator[Party]:
    found = Party(f"{tmp_path}/shares")
    yield found
    found.synchroniser.stop()
    found.ledger.close()


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "amptalk-sharing"]


def test_it_begins_with_the_first_component_and_ends_with_stop(party: Party) -> None:
    party.tick()
    assert threads() == [], "nobody shares"
    part = party.book.register("part", memory_mb=(100, 700))
    party.tick()
    eventually(lambda: part.grant("memory") == 700, "the thread drives it")
    eventually(lambda: party.granted == [{"memory": 700.0}], "and tells what the process may use")
    assert party.book.limits == {"memory": 700.0}
    party.synchroniser.stop()
    assert threads() == []
    assert party.granted[-1] == {}
    assert part.grant("memory") == 700, "grants stay"
    party.tick()
    assert len(threads()) == 1, "it may be started again"


def test_what_may_be_used_is_told_until_it_is_taken(party: Party) -> None:
    party.refusals = 2
    party.book.register("part", memory_mb=(100, 700))
    party.tick()
    eventually(lambda: len(party.granted) == 3, "told again")
    assert party.granted == [{"memory": 700.0}] * 3
    party.ledger.wake()
    party.synchroniser.stop()
    assert party.granted[3:] == [{}]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (LedgerError("the disk is gone"), "the disk is gone"),
        (KeyError("part"), "a mistake: KeyError('part')"),
    ],
)
def test_a_fault_is_told_once_and_stops_nothing(
    party: Party, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    part = party.book.register("part", memory_mb=(100, 700))
    party.tick()
    eventually(lambda: part.grant("memory") == 700, "it works at first")
    asked = threading.Semaphore(0)

    def broken(now: float) -> None:
        asked.release()
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(party.ledger, "settle", broken)
        patch.setattr("amptalk.sharing.synchroniser._FAULT_SECONDS", 0.01)
        for _ in range(3):
            party.ledger.wake()
            assert asked.acquire(timeout=20.0)
        assert party.synchroniser.fault == told
    assert party.faults == [told]
    eventually(lambda: party.synchroniser.fault == "", "and it goes on when it is mended")
    assert part.grant("memory") == 700
