"""Knobs follow the allocation; moves downwards are verified and told, but not too often."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.actuators.knob_board import SETTLE, KnobBoard
from amptalk.actuators.knobs import Knob, make_knob
from amptalk.actuators.runner import PATIENCE, ActionRunner
from amptalk.actuators.verdicts import Measurement
from amptalk.clock import SystemClock
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.decision import MINIMUM_SHARE, Allocation, Decision
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level
from amptalk.model.resource import CPU
from tests.actuators.support import decision, state
from tests.helpers import eventually

SHARES = st.floats(0, 1)


def knob(minimum: float = 1, maximum: float = 32, step: float = 1) -> Knob:
    return make_knob("k", minimum, maximum, None, step, None, None)


@given(st.integers(-50, 50), st.integers(0, 100), st.data(), SHARES, SHARES)
def test_whole_numbers_stay_whole_within_range_on_the_step_and_monotone(
    low: int, span: int, data: st.DataObject, a: float, b: float
) -> None:
    step = data.draw(st.integers(1, max(1, span)))
    one = knob(low, low + span, step)
    for share in (a, b):
        value = one.value_at(share)
        assert isinstance(value, int)
        assert low <= value <= low + span
        assert (value - low) % step == 0 or value == low + span
    small, large = sorted((a, b))
    assert one.value_at(small) <= one.value_at(large)
    assert one.value_at(1.0) == low + span
    assert one.value_at(MINIMUM_SHARE) == low


@given(st.floats(0, 10), st.floats(0.01, 100), SHARES)
def test_never_more_than_the_share_asks_for(low: float, span: float, share: float) -> None:
    one = knob(low, low + span, span / 7)
    assert one.value_at(share) <= max(low, low + share * span) + 1e-6


def test_fractions_come_without_rounding_dust() -> None:
    one = knob(0.0, 1.0, 0.1)
    assert [one.value_at(share) for share in (0.31, 0.75, 1.0)] == [0.3, 0.7, 1.0]


class Board:
    def __init__(self) -> None:
        self.runner = ActionRunner(SystemClock())
        self.board = KnobBoard(self.runner, {"memory", "cpu", "gpu_memory"})
        self.now = 100.0
        self.value = 90.0
        self.level = Level.ELEVATED

    def apply(self, **shares: float) -> None:
        limits = (state(self.value, self.level, resource=CPU, limit=100.0),)
        self.board.apply(decision(**shares), limits, self.now, self.now)

    def settle(self, seconds: float = 1.0) -> list[ActionReport]:
        self.now += seconds
        return self.board.settle(self.now, self.now, lambda name: Measurement(self.value, self.now))


@pytest.fixture
def world() -> Iterator[Board]:
    made = Board()
    yield made
    made.runner.threads.stop(2)


def test_a_knob_starts_at_its_maximum_or_where_told_and_follows_the_next_decision(
    world: Board,
) -> None:
    batch = world.board.create("batch", minimum=1, maximum=32, resource="cpu")
    slow = world.board.create("slow", minimum=1, maximum=8, resource="cpu", start=2)
    assert (batch.value, slow.value) == (32, 2)
    world.apply(cpu=1.0)
    assert (batch.value, slow.value) == (32, 8)
    world.apply(cpu=0.5)
    assert (batch.value, slow.value) == (16, 4)
    world.apply(cpu=0.01)
    assert (batch.value, slow.value) == (1, 1)
    world.apply()
    assert (batch.value, slow.value) == (32, 8)


def test_a_knob_follows_its_resource_or_the_smallest_allocation(world: Board) -> None:
    own = world.board.create("own", minimum=0, maximum=100, resource="gpu_memory")
    any_of = world.board.create("any", minimum=0, maximum=100)
    world.apply(cpu=0.4, gpu_memory=0.8)
    assert (own.value, any_of.value) == (80, 40)
    world.board.apply(
        Decision("t", (Allocation("gpu_memory", 0.6, ""), Allocation("gpu_memory", 0.5, ""))),
        (), world.now, world.now,
    )  # fmt: skip
    assert own.value == 50


def test_a_new_knob_takes_the_present_allocation(world: Board) -> None:
    world.apply(cpu=0.5)
    late = world.board.create("late", minimum=0, maximum=10)
    world.apply(cpu=0.5)
    assert late.value == 5


def test_a_move_down_is_judged_after_its_settle_time(world: Board) -> None:
    world.board.create("batch", minimum=0, maximum=32, resource="cpu")
    world.apply(cpu=0.5)
    world.value = 70.0
    assert world.settle(1.9) == []
    (report,) = world.settle(0.2)
    assert report.action == "knob batch: 32→16"
    assert (report.verdict, report.before, report.after) == (Verdict.WORKED, 90, 70)
    assert (report.resource, report.unit, report.level) == ("cpu", "%", Level.ELEVATED)
    assert report.detail == "because"
    assert world.settle(60) == []


def test_a_move_down_is_measured_from_the_highest_use_while_it_lasted(world: Board) -> None:
    world.board.create("batch", minimum=0, maximum=32, resource="cpu")
    world.apply(cpu=0.5)
    world.value = 98.0  # use goes on growing for a moment
    assert world.settle(1.0) == []
    world.value = 88.0
    (report,) = world.settle(1.1)
    assert (report.before, report.after) == (98, 88)
    assert report.verdict in {Verdict.WORKED, Verdict.PARTIAL}


def test_a_slow_way_down_is_told_as_one_move_each_few_seconds(world: Board) -> None:
    world.board.create("batch", minimum=0, maximum=100, resource="cpu")
    reports: list[ActionReport] = []
    for step in range(1, 31):
        world.apply(cpu=1 - step / 50)
        reports += world.settle(1.0)
    assert 3 <= len(reports) <= 7
    ends = [report.action.removeprefix("knob batch: ").split("→") for report in reports]
    assert ends[0][0] == "100"
    assert [end for _, end in ends[:-1]] == [start for start, _ in ends[1:]]


def test_a_knob_that_came_back_up_has_nothing_to_report(world: Board) -> None:
    world.board.create("batch", minimum=0, maximum=32, resource="cpu")
    world.apply(cpu=0.5)
    world.apply(cpu=1.0)
    assert world.settle(60) == []
    assert not world.board.pending


def test_a_move_ahead_of_need_claims_nothing(world: Board) -> None:
    world.value, world.level = 30.0, Level.NORMAL
    world.board.create("batch", minimum=0, maximum=32, resource="cpu")
    world.apply(cpu=0.5)
    (report,) = world.settle(3)
    assert report.verdict is Verdict.UNVERIFIABLE


def test_without_a_measurement_a_move_is_unverifiable(world: Board) -> None:
    world.board.create("batch", minimum=0, maximum=32, resource="cpu")
    world.apply(cpu=0.5)
    world.value = math.nan
    assert world.settle(SETTLE["rate"] + 1) == []
    (report,) = world.settle(PATIENCE)
    assert report.verdict is Verdict.UNVERIFIABLE


def test_listeners_hear_the_latest_value_off_the_tick(world: Board) -> None:
    heard: list[tuple[float, int]] = []
    knob = world.board.create(
        "k", minimum=0, maximum=10, on_change=lambda v: heard.append((v, threading.get_ident()))
    )
    world.apply(cpu=0.8)
    world.apply(cpu=0.5)
    assert heard == []
    world.settle(0.1)
    eventually(lambda: bool(heard), "on_change was called")
    assert heard[0][0] == 5
    assert heard[0][1] != threading.get_ident()
    eventually(lambda: not world.runner.threads.active, "on_change came back")
    world.settle(0.1)
    assert len(heard) == 1
    assert not knob.untold


def test_a_listener_that_hangs_hears_the_last_value_when_it_is_back(world: Board) -> None:
    heard: list[float] = []
    gate = threading.Event()

    def listen(value: float) -> None:
        heard.append(value)
        gate.wait(10)

    world.board.create("k", minimum=0, maximum=10, on_change=listen)
    world.apply(cpu=0.8)
    world.settle(0.1)
    eventually(lambda: heard == [8], "first call")
    for share in (0.6, 0.4):
        world.apply(cpu=share)
        world.settle(0.1)
    gate.set()
    eventually(lambda: not world.runner.threads.active, "first call back")
    world.settle(0.1)
    eventually(lambda: heard == [8, 4], "only the latest value")


def test_a_listener_that_raises_is_reported_and_not_called_again_for_the_same_value(
    world: Board,
) -> None:
    calls: list[float] = []

    def fail(value: float) -> None:
        calls.append(value)
        raise ValueError("cannot resize")

    world.board.create("k", minimum=0, maximum=10, resource="memory", on_change=fail)
    world.apply(memory=0.5)
    world.settle(0.1)
    eventually(lambda: bool(calls) and not world.runner.threads.active, "on_change raised")
    (report,) = world.settle(0.1)
    assert report.verdict is Verdict.DENIED
    assert "cannot resize" in report.detail
    assert world.settle(0.1) == []
    assert calls == [5]


def test_the_same_name_gives_the_same_knob_and_another_range_is_refused(world: Board) -> None:
    first = world.board.create("k", minimum=1, maximum=32)
    assert world.board.create("k", minimum=1, maximum=32) is first
    with pytest.raises(ConfigurationError, match="exists with maximum=32"):
        world.board.create("k", minimum=1, maximum=64)


@pytest.mark.parametrize(
    "options",
    [
        {"minimum": 5, "maximum": 4},
        {"minimum": math.nan},
        {"maximum": math.inf},
        {"minimum": True},
        {"step": 0},
        {"step": 33},
        {"minimum": 0.2, "maximum": 1.0},
        {"start": 40},
        {"start": "2"},
        {"name": ""},
        {"on_change": 3},
        {"resource": "gpu-memory"},
    ],
)
def test_what_cannot_be_is_refused(world: Board, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        world.board.create(**{"name": "k", "minimum": 1, "maximum": 32, **options})


def test_release_puts_knobs_to_their_maximum_and_freeze_leaves_them(world: Board) -> None:
    heard: list[float] = []
    knob = world.board.create("k", minimum=0, maximum=10, on_change=heard.append)
    world.apply(cpu=0.5)
    world.board.release()
    assert knob.value == 10
    world.apply(cpu=0.5)
    assert knob.value == 5
    world.board.freeze()
    world.apply(cpu=1.0)
    world.board.release()
    assert knob.value == 5
    assert knob.frozen
    assert world.board.create("new", minimum=0, maximum=1).value == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.01, 1), max_size=30))
def test_the_value_is_a_function_of_the_last_decision_only(shares: list[float]) -> None:
    world = Board()
    knob = world.board.create("k", minimum=0, maximum=1000)
    for share in shares:
        world.apply(cpu=share)
        world.settle(0.5)
    assert knob.value == knob.value_at(shares[-1] if shares else 1.0)
