"""A restart is asked for once, when shrinking has cost as much as it would."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.restart import LOST_PART, OFTENEST, Restart
from amptalk.model.errors import ConfigurationError
from tests.actuators.support import state


class Life:
    """A process with a restart step, second by second."""

    def __init__(self, seconds: float = 5.0, calm: int = 100, value: float = 300.0) -> None:
        self.step = Restart("restart", lambda: None, resource="memory", seconds=seconds)
        self.now = 0.0
        self.declared_at = -math.inf
        self.live(calm, 0.0, value)

    def live(self, seconds: int, lost: float, value: float = 900.0) -> None:
        for _ in range(seconds):
            self.step.follow(state(value), lost, self.declared_at, self.now)
            self.now += 1.0

    @property
    def due(self) -> bool:
        return self.step.available() is None


def test_it_is_due_when_a_quarter_of_what_it_costs_was_lost() -> None:
    life = Life(5.0)
    life.live(31, 0.01)
    life.live(2, 0.5)
    assert "lost 1.0 s of work, a restart costs 5.0 s" in (life.step.available() or "")
    life.live(1, 0.5)
    assert life.due


def test_it_is_asked_for_once() -> None:
    life = Life(1.0)
    life.live(60, 0.5)
    assert life.due
    life.step.apply(0.0)
    assert life.step.available() == "asked for already"


def test_losses_that_are_long_past_count_for_little() -> None:
    life = Life(5.0)
    for _ in range(100):
        life.live(1, 0.5)
        life.live(50, 0.0)
    assert not life.due


def test_it_is_not_due_soon_after_the_start() -> None:
    life = Life(5.0, calm=8)
    life.live(int(OFTENEST * 5.0) - 9, 0.9)
    assert not life.due
    life.live(3, 0.9)
    assert life.due


def test_it_is_not_due_where_the_pressure_came_with_work_that_said_what_it_takes() -> None:
    life = Life(5.0)
    life.declared_at = life.now
    life.live(200, 0.5)
    assert not life.due
    life.live(32, 0.0)
    life.live(20, 0.5)
    assert life.due


def test_it_is_not_due_where_it_gives_nothing_back() -> None:
    life = Life(5.0, value=880.0)
    life.live(100, 0.5)
    assert not life.due


def test_a_pause_between_ticks_is_no_loss() -> None:
    life = Life(50.0, calm=1000)
    life.now += 1000.0
    life.live(1, 1.0)
    assert life.step.lost <= 5.0


@given(lost=st.lists(st.floats(0.0, 1.0), max_size=100), seconds=st.floats(1.0, 9.0))
def test_whatever_is_lost_it_is_due_only_late_and_when_enough_was_lost(
    lost: list[float], seconds: float
) -> None:
    life = Life(seconds, calm=1)
    for share in lost:
        life.live(1, share)
        if life.due:
            assert life.now >= OFTENEST * seconds
            assert life.step.lost >= LOST_PART * seconds


def test_it_is_not_due_where_only_work_that_comes_and_goes_takes_memory() -> None:
    life = Life(5.0)
    for _ in range(50):
        life.live(4, 0.5)
        life.live(1, 0.5, value=310.0)
    assert not life.due


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "6"])
def test_its_cost_is_a_time(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="restart_seconds"):
        Life(seconds)
