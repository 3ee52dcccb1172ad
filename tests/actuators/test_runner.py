"""An action's result is what measurement says after it, whatever the action says itself."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator

import pytest

from amptalk.actuators.runner import PATIENCE, ActionRunner
from amptalk.actuators.verdicts import Measurement
from amptalk.clock import VirtualClock
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.level import Level
from tests.actuators.support import Step, state
from tests.helpers import eventually


class World:
    """A virtual machine with one resource and a runner that acts on it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.beside = Measurement(math.nan, -math.inf)
        self.runner = ActionRunner(self.clock, lambda resource: self.beside)
        self.value = 900.0
        self.measured_at: float | None = None

    def start(self, step: Step, need: float = 200.0, slope: float = 0.0) -> bool:
        return self.runner.start(
            step, need, state(self.value, Level.CRITICAL, slope=slope), self.clock.monotonic(), 0.0
        )

    def finish(self, step: Step) -> None:
        eventually(lambda: not self.runner.threads.busy(step.name), f"{step.name} came back")

    def poll(self, seconds: float = 1.0) -> list[ActionReport]:
        now = self.clock.advance(seconds)
        at = now if self.measured_at is None else self.measured_at
        return self.runner.poll(now, lambda resource: Measurement(self.value, at))

    def run(self, step: Step, need: float = 200.0, slope: float = 0.0) -> ActionReport:
        """Start, finish and verify one step; returns its report."""
        assert self.start(step, need, slope)
        self.finish(step)
        (report,) = self.poll()
        return report

    def reason(self, step: Step) -> str:
        """Why a step cannot be started now; empty when it can."""
        return self.runner.unavailable(step, self.clock.monotonic()) or ""

    def free(self, amount: float) -> Callable[[float], None]:
        def do(need: float) -> None:
            self.value -= amount

        return do


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.runner.threads.stop(2)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize(
    ("freed", "verdict"),
    [
        (150, Verdict.WORKED),
        (50, Verdict.PARTIAL),
        (5, Verdict.NO_EFFECT),
        (-80, Verdict.NO_EFFECT),
    ],
)
def test_the_verdict_is_measured(world: World, freed: float, verdict: Verdict) -> None:
    report = world.run(Step(do=world.free(freed)))
    assert report.verdict is verdict
    assert (report.before, report.after, report.freed) == (900, 900 - freed, freed)
    assert (report.action, report.resource, report.unit) == ("step", "memory", "MB")
    assert report.level is Level.CRITICAL


def test_a_step_is_in_flight_until_its_effect_has_settled(world: World) -> None:
    step = Step(latency=5.0, do=world.free(300))
    world.start(step)
    world.finish(step)
    for _ in range(4):
        assert world.poll() == []
        assert world.runner.in_flight == {"memory"}
        assert "verified" in world.reason(step)
    assert [r.verdict for r in world.poll()] == [Verdict.WORKED]
    assert world.runner.in_flight == set()
    assert world.runner.unavailable(step, world.clock.monotonic()) is None


def test_beside_work_a_step_is_judged_by_what_is_used_besides(world: World) -> None:
    """100 MB of 300 are given back, and a batch of 500 MB has begun meanwhile."""
    step = Step(do=world.free(-400))
    world.beside = Measurement(300.0, world.clock.monotonic())
    world.start(step, slope=1000.0)
    world.finish(step)
    assert world.poll() == []  # not seen without the batch yet
    world.beside = Measurement(200.0, world.clock.monotonic())
    (report,) = world.poll()
    assert (report.verdict, report.before, report.after) == (Verdict.WORKED, 300, 200)
    assert report.detail == "measured of what is used beside admitted work"
    assert world.runner.learned == {"step": 100}


def test_a_step_that_began_beside_work_is_judged_by_all_once_no_work_runs(world: World) -> None:
    step = Step(do=world.free(700))
    world.beside = Measurement(300.0, world.clock.monotonic())
    world.start(step)
    world.finish(step)
    world.beside = Measurement(math.nan, -math.inf)
    (report,) = world.poll()
    assert (report.before, report.after) == (300, 200)


def test_what_was_seen_beside_work_long_ago_is_nothing_to_judge_by(world: World) -> None:
    world.beside = Measurement(300.0, world.clock.advance(60.0) - 60.0)
    assert world.run(Step(do=world.free(150))).before == 900


def test_an_older_measurement_verifies_nothing(world: World) -> None:
    step = Step(do=world.free(300))
    world.start(step)
    world.measured_at = world.clock.monotonic() - 1
    world.finish(step)
    assert world.poll() == []
    (report,) = world.poll(PATIENCE)
    assert report.verdict is Verdict.UNVERIFIABLE
    assert math.isnan(report.after)
    assert "no measurement of memory" in report.detail


def test_a_missing_sensor_is_unverifiable(world: World) -> None:
    step = Step(do=world.free(300))
    world.start(step)
    world.finish(step)
    world.value = math.nan
    assert world.poll() == []
    assert world.poll(PATIENCE)[0].verdict is Verdict.UNVERIFIABLE


def test_without_a_measurement_before_nothing_is_claimed_or_learned(world: World) -> None:
    world.value = math.nan
    step = Step()
    world.start(step)
    world.finish(step)
    world.value = 500.0
    assert world.poll()[0].verdict is Verdict.UNVERIFIABLE
    assert world.runner.learned == {}


def test_what_raises_is_denied_with_the_error(world: World) -> None:
    def fail(need: float) -> None:
        raise OSError("device busy")

    report = world.run(Step(do=fail))
    assert report.verdict is Verdict.DENIED
    assert report.detail == "raised OSError: device busy"


def test_what_hangs_is_denied_at_its_deadline_and_others_go_on(
    world: World, gate: threading.Event
) -> None:
    hanging = Step("hang", do=lambda need: gate.wait())
    world.start(hanging)
    eventually(lambda: bool(hanging.calls), "the hook began")
    assert world.poll(1.0) == []
    (report,) = world.poll(1.5)
    assert report.verdict is Verdict.DENIED
    assert report.detail == "missed its deadline of 2 s, still running"
    assert world.runner.in_flight == set()
    assert world.runner.unavailable(hanging, world.clock.monotonic()) is not None
    assert not world.start(hanging)
    assert world.run(Step("next", do=world.free(200))).verdict is Verdict.WORKED
    gate.set()
    world.finish(hanging)
    (late,) = world.poll()
    assert late.verdict is Verdict.UNVERIFIABLE
    assert "finished late" in late.detail


def test_a_liar_is_without_effect_and_then_in_quarantine(world: World) -> None:
    liar = Step("liar", do=lambda need: "freed 500 MB", expected=500)
    assert world.run(liar).verdict is Verdict.NO_EFFECT
    assert world.runner.unavailable(liar, world.clock.monotonic()) is None
    assert world.run(liar).verdict is Verdict.NO_EFFECT
    assert "quarantine for 60 s" in world.reason(liar)
    world.clock.advance(61)
    assert world.runner.unavailable(liar, world.clock.monotonic()) is None
    assert world.runner.learned["liar"] == 0


def test_a_liar_is_found_out_while_use_grows_steadily_and_a_helper_is_not_blamed(
    world: World,
) -> None:
    def grow(need: float) -> None:
        world.value += 100

    for _ in range(2):
        report = world.run(Step("liar", do=grow), slope=100.0)
        assert "growing by 100.0 MB/s" in report.detail
    assert "quarantine" in world.reason(Step("liar"))
    for _ in range(3):  # frees as much as grows meanwhile: nothing is seen, nothing is blamed
        assert world.run(Step("helper"), slope=100.0).verdict is Verdict.NO_EFFECT
    assert world.runner.unavailable(Step("helper"), world.clock.monotonic()) is None


def test_the_effect_is_learned_from_steps_that_ran_alone(world: World) -> None:
    world.run(Step("alone", do=world.free(100)))
    assert world.runner.learned == {"alone": 100}
    first, second = Step("first", do=world.free(100)), Step("second", do=world.free(50))
    world.start(first)
    world.start(second)
    world.finish(first)
    world.finish(second)
    reports = world.poll()
    assert [r.detail for r in reports] == [
        "measured together with second", "measured together with first"
    ]  # fmt: skip
    assert all(r.freed == 150 for r in reports)
    assert world.runner.learned == {"alone": 100}


def test_restoring_is_reported_only_when_it_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Step()
    now = world.clock.monotonic()
    assert world.runner.undo(step, state(100), now, 0.0)
    world.finish(step)
    assert world.poll() == []
    assert step.undone == 1

    def fail() -> None:
        raise RuntimeError("model file is gone")

    monkeypatch.setattr(step, "undo", fail)
    world.runner.undo(step, state(100), now, 0.0)
    world.finish(step)
    (report,) = world.poll()
    assert report.action == "step (restore)"
    assert report.verdict is Verdict.DENIED


def test_an_available_that_raises_makes_it_unavailable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Step()
    monkeypatch.setattr(step, "available", lambda: 1 / 0)
    assert "ZeroDivisionError" in world.reason(step)


def test_what_apply_says_of_itself_is_added_to_the_report(world: World) -> None:
    step = Step(do=world.free(300))
    step.detail = "garbage collection only"
    assert world.run(step).detail == "garbage collection only"


@pytest.mark.parametrize(
    ("after", "slope", "verdict"),
    [
        (905.0, 100.0, Verdict.WORKED),
        (990.0, 100.0, Verdict.NO_EFFECT),
        (900.0, 0.0, Verdict.UNVERIFIABLE),
    ],
)
def test_a_step_that_only_ends_growth_is_judged_by_that(
    world: World, after: float, slope: float, verdict: Verdict
) -> None:
    step = Step(do=lambda _: setattr(world, "value", after))
    step.ends_growth = True
    assert world.run(step, slope=slope).verdict is verdict
    assert world.runner.learned == {}
