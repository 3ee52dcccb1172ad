"""Whatever participants do in whatever order: a state machine on both ledgers, and on time."""

from __future__ import annotations

import math
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from amptalk.model.decision import Ask
from amptalk.model.errors import NeverFitsError
from amptalk.sharing.ledgers.contract import LAPSE_SECONDS, Entry, Ledger, Row
from amptalk.sharing.ledgers.settling import division
from amptalk.sharing.ledgers.sqlite.ledger import SqliteLedger
from amptalk.sharing.ledgers.urls import open_ledger

CAPACITY = {"memory": 1000.0, "cpu": 100.0}
names = st.sampled_from("abcdef")
kinds = st.tuples(
    st.sampled_from([1.0, 2.0]), st.integers(0, 1), st.sampled_from([0.0, 50.0]), st.booleans()
)
"""Weight, priority, step, and whether CPU is asked for, too."""
amounts = st.integers(0, 1000).map(float)


class Sharing(RuleBasedStateMachine):
    """Components of one participant; subclasses say of which ledger, and what else can happen."""

    url = "memory:"

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.of: dict[str, Ledger] = {}
        self.ledgers: list[Ledger] = []

    def pick(self, name: str) -> Ledger:
        return self.ledgers[ord(name) % len(self.ledgers)]

    @initialize()
    def begin(self) -> None:
        self.ledgers = [open_ledger(self.url, CAPACITY, "a")]

    @rule(name=names, least=st.integers(0, 300), extra=st.integers(1, 800), kind=kinds)
    def join(self, name: str, least: int, extra: int, kind: tuple[float, int, float, bool]) -> None:
        weight, priority, step, cpu = kind
        if name in self.of:
            return
        asks = {"memory": Ask(float(least), float(least + extra), weight, priority, step)}
        if cpu:
            asks["cpu"] = Ask(5.0, 80.0, weight, priority, 0.0, "rate")
        ledger = self.pick(name)
        try:
            ledger.join(Entry(name, asks, {}))
        except NeverFitsError:
            return
        self.of[name] = ledger

    @precondition(lambda self: self.of)
    @rule(data=st.data(), demand=amounts, give_back=st.booleans())
    def want(self, data: st.DataObject, demand: float, give_back: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.of)))
        before = {row.key: row for row in self.rows()}
        granted = self.of[name].change(
            name, "memory", demand=demand, charged=demand if give_back else None
        )
        row = next(row for row in self.rows() if row.key == (name, "memory"))
        assert row.granted == granted
        for other in self.rows():
            if other.component != name:  # nobody else's charge falls by what this one does
                assert other.charged >= before[other.key].charged

    @precondition(lambda self: self.of)
    @rule(data=st.data(), left=amounts)
    def shrunk(self, data: st.DataObject, left: float) -> None:
        name = data.draw(st.sampled_from(sorted(self.of)))
        self.of[name].change(name, "memory", charged=left)

    @precondition(lambda self: self.of)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.of)))
        self.of.pop(name).leave(name)

    @rule()
    def comes_to_rest(self) -> None:
        """Fixed demands: after finitely many shrinks nothing changes, and nothing is owed."""
        for ledger in self.ledgers:
            ledger.settle(self.now)
        for _ in range(4 * len(self.of) + 4):
            before = self.rows()
            for row in before:
                self.of[row.component].change(*row.key, charged=row.granted)
            for ledger in self.ledgers:
                ledger.settle(self.now)
            if self.rows() == before:
                break
        rows = self.rows()
        assert rows == before, "it does not come to rest"
        targets = division(rows, CAPACITY)
        for row in rows:
            assert targets[row.key] - row.granted <= max(0.011 * row.granted, 1e-6), row

    def rows(self) -> tuple[Row, ...]:
        return self.ledgers[0].rows() if self.ledgers else ()

    @invariant()
    def charged_within_capacity(self) -> None:
        for resource, capacity in CAPACITY.items():
            charged = [row.charged for row in self.rows() if row.resource == resource]
            assert math.fsum(charged) <= capacity + 1e-6

    @invariant()
    def bounds(self) -> None:
        for row in self.rows():
            assert row.granted <= row.charged
            assert row.granted == 0.0 or row.ask.minimum <= row.granted <= row.ask.maximum

    def teardown(self) -> None:
        for ledger in self.ledgers:
            ledger.close()


class SharingInFiles(Sharing):
    """Three participants on one SQLite ledger; they may die, and fall silent."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.url = f"sqlite:{self.folder}"
        Path(self.folder).chmod(0o700)
        self.ledgers = [open_ledger(self.url, CAPACITY, name) for name in "abc"]

    @rule(which=st.integers(1, 2))
    def die(self, which: int) -> None:
        """As the kernel ends a process: descriptors are closed, nothing is written."""
        dead = self.ledgers[which]
        assert isinstance(dead, SqliteLedger)
        dead.forget()
        self.of = {name: ledger for name, ledger in self.of.items() if ledger is not dead}
        self.ledgers[0].settle(self.now)
        assert {row.component for row in self.rows()} == set(self.of)
        self.ledgers[which] = open_ledger(self.url, CAPACITY, "again")

    @rule()
    def only_one_is_heard(self) -> None:
        """The others are silent for long: their rate holds lapse, physical ones never do."""
        held = {row.key: row.charged for row in self.rows()}
        for ledger in self.ledgers:
            ledger.settle(self.now)
        self.now += LAPSE_SECONDS + 1.0
        self.ledgers[0].settle(self.now)
        for row in self.rows():
            if row.ask.hold == "physical":
                assert row.charged >= held[row.key]
            elif self.of[row.component] is not self.ledgers[0]:
                assert row.charged == 0.0
        for ledger in self.ledgers:
            ledger.settle(self.now)

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(getattr(self, "folder", ""), ignore_errors=True)


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestSharingInFiles = SharingInFiles.TestCase
TestSharingInFiles.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
