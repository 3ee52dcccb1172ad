"""A quality ladder goes down a mode at a time, and up again once what that takes fits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from amptalk.actuators.quality import PAUSE, QualityLadder
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level
from tests.actuators.support import World

NEEDS = {"fp16": 800.0, "int8": 400.0, "int4": 200.0}
"""MB of a made-up model in each mode."""


class Model:
    """A model in an application of 100 MB besides, whose precision can be changed."""

    def __init__(self, world: World, **options: Any) -> None:
        self.world = world
        self.loaded: list[str] = []
        self.error: Exception | None = None
        self.entered, self.gate = threading.Event(), threading.Event()
        self.gate.set()
        for _ in range(2):  # memory trim, which costs nothing and comes first, has had its turn
            world.pressed()
            world.tick()
            world.calm()
        self.ladder: QualityLadder = world.actuation.ladder.quality(
            "precision", list(NEEDS), self.load, **options
        )
        self.besides = 100.0

    def load(self, mode: str) -> None:
        self.entered.set()
        assert self.gate.wait(20.0)
        if self.error is not None:
            raise self.error
        self.loaded.append(mode)

    def tick(self, level: Level, seconds: float = 1.0) -> tuple[ActionReport, ...]:
        """One tick at a level, and the end of what it began."""
        self.world.pressed(self.besides + NEEDS[self.ladder.mode], level)
        reports = self.world.tick(seconds)
        if self.gate.is_set():
            self.world.calm()
        return reports

    def ticks(self, level: Level, count: int) -> list[ActionReport]:
        return [report for _ in range(count) for report in self.tick(level)]

    def all_the_way(self) -> list[ActionReport]:
        """Press it down to the last mode; 900 MB are used each time."""
        reports = self.ticks(Level.CRITICAL, 2)
        self.besides += NEEDS["fp16"] - NEEDS["int8"]
        return reports + self.ticks(Level.CRITICAL, 2)


@pytest.fixture
def model(world: World) -> Iterator[Model]:
    made = Model(world)
    yield made
    made.gate.set()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.actuation.release()


def test_it_goes_down_one_mode_at_a_time_each_measured_by_itself(model: Model) -> None:
    reports = [one for one in model.all_the_way() if one.action != "memory_trim"]
    assert model.loaded == ["int8", "int4"]
    assert [(one.action, one.freed, one.verdict) for one in reports] == [
        ("precision: fp16 to int8", 400.0, Verdict.WORKED),
        ("precision: int8 to int4", 200.0, Verdict.WORKED),
    ]
    assert model.ladder.mode == "int4"


def test_one_step_is_enough_when_it_gives_what_is_needed(model: Model) -> None:
    model.ticks(Level.CRITICAL, 2)
    assert model.ladder.mode == "int8"
    model.ticks(Level.ELEVATED, 10)
    assert model.loaded == ["int8"], "it is for critical levels"


def test_it_comes_back_a_step_at_a_time_once_normal(model: Model) -> None:
    model.all_the_way()
    model.besides = 0.0
    model.loaded.clear()
    model.ticks(Level.NORMAL, 1)
    assert model.loaded == [], "what the last step did must be seen first"
    model.tick(Level.NORMAL, PAUSE)
    assert model.loaded == ["int8"]
    model.ticks(Level.NORMAL, 5)
    assert model.loaded == ["int8"]
    model.besides = -100.0
    model.tick(Level.NORMAL, PAUSE)
    assert model.loaded == ["int8", "fp16"]
    model.tick(Level.NORMAL, PAUSE)
    assert model.loaded == ["int8", "fp16"]


def test_it_stays_down_while_what_it_gave_back_would_not_fit(model: Model) -> None:
    model.ticks(Level.CRITICAL, 2)
    assert model.ladder.mode == "int8"
    for _ in range(20):
        model.tick(Level.NORMAL, 60.0)
    assert model.ladder.mode == "int8", "100 + 800 MB of 1000 are elevated"
    model.besides = -60.0
    model.tick(Level.NORMAL, 60.0)
    assert model.ladder.mode == "fp16"


def test_the_cheapest_loss_goes_first(world: World) -> None:
    dear = Model(world, costs=[0.5, 0.6], expected=[300.0, 100.0])
    released: list[str] = []
    world.actuation.ladder.hook(
        "cache", lambda: released.append("cache"), level=Level.CRITICAL, cost=0.2, expected=300.0
    )
    dear.tick(Level.CRITICAL)
    assert (released, dear.loaded) == (["cache"], [])


def test_a_change_that_raises_is_not_made_and_one_up_is_tried_again(model: Model) -> None:
    model.error = RuntimeError("no such file")
    reports = model.ticks(Level.CRITICAL, 2)
    assert model.ladder.mode == "fp16"
    (denied,) = [one for one in reports if one.verdict is Verdict.DENIED]
    assert "no such file" in denied.detail
    model.error = None
    model.tick(Level.CRITICAL)  # it has failed twice: it goes into quarantine
    model.tick(Level.CRITICAL, 61.0)
    assert model.ladder.mode == "int8"
    model.besides = -100.0
    model.error = RuntimeError("out of memory")
    model.tick(Level.NORMAL, PAUSE)
    assert model.ladder.mode == "int8"
    (denied,) = model.tick(Level.NORMAL)
    assert (denied.action, denied.verdict) == ("precision: fp16 to int8 (restore)", Verdict.DENIED)
    model.error = None
    model.tick(Level.NORMAL)  # that has failed twice, too
    model.tick(Level.NORMAL, 61.0)
    assert model.ladder.mode == "fp16"


def test_one_that_hangs_is_reported_and_others_go_on(model: Model) -> None:
    world = model.world
    released: list[str] = []
    world.actuation.ladder.hook(
        "cache", lambda: released.append("cache"), level=Level.CRITICAL, cost=0.9
    )
    model.gate.clear()
    assert model.tick(Level.CRITICAL) == ()
    assert model.entered.wait(20.0)
    reports = [*model.tick(Level.CRITICAL, 3.0), *model.tick(Level.CRITICAL)]
    assert [one.verdict for one in reports if "fp16" in one.action] == [Verdict.DENIED]
    assert "missed its deadline of 2 s" in next(r for r in reports if "fp16" in r.action).detail
    model.tick(Level.CRITICAL)
    model.gate.set()
    model.world.calm()
    assert released == ["cache"]
    assert model.ladder.mode == "int8"


def test_the_end_brings_back_the_best_mode(model: Model) -> None:
    model.all_the_way()
    model.world.actuation.release()
    assert model.ladder.mode == "fp16"
    assert model.loaded[-1] == "fp16"


@pytest.mark.parametrize(
    ("modes", "options", "said"),
    [
        (["fp16"], {}, "give two or more"),
        ("fp16", {}, "give two or more"),
        (["a", "a"], {}, "has one twice"),
        (["a", "b"], {"costs": [0.1, 0.2]}, "give 1, one for each step down"),
        (["a", "b"], {"costs": [2.0]}, "give 0 to 1"),
        (["a", "b"], {"expected": [-1.0]}, "give 0 or more"),
        (["a", "b"], {"level": Level.NORMAL}, "give Level.ELEVATED"),
        (["a", "b"], {"resource": "memroy"}, "is unknown"),
        (["a", "b"], {"seconds": -1.0}, "give 0 or more"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    world: World, modes: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        world.actuation.ladder.quality("q", modes, lambda _: None, **options)
    with pytest.raises(ConfigurationError, match="give a function"):
        world.actuation.ladder.quality("q", ["a", "b"], None)  # type: ignore[arg-type]
