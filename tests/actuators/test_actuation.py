"""A decision is carried out once a tick: knobs and pace by allocation, steps by level."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import pytest

from amptalk.actuators import actuation as actuation_module
from amptalk.actuators.actuation import Actuation
from amptalk.actuators.enforcing import Enforcing
from amptalk.actuators.hooks import Hook
from amptalk.clock import SystemClock, VirtualClock
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level
from amptalk.model.resource import CPU, GPU_MEMORY, MEMORY, POWER
from tests.actuators.support import LIMITS, Step, World, decision, sample, state
from tests.helpers import eventually


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.actuation.release()


def hook(
    name: str,
    release: Callable[[], object],
    *,
    restore: Callable[[], object] | None = None,
    cost: float = 0.1,
    expected: float | None = None,
) -> Hook:
    return Hook(
        name, release, resource="memory", level=Level.CRITICAL,
        restore=restore, cost=cost, expected=expected,
    )  # fmt: skip


def test_knobs_follow_and_their_effect_is_reported(world: World) -> None:
    knob = world.actuation.knobs.create("batch", minimum=0, maximum=32, resource="memory")
    world.pressed(800, Level.ELEVATED)
    world.tick(memory=0.5)
    assert knob.value == 16
    world.memory = 500
    reports = [report for _ in range(6) for report in world.tick(memory=0.5)]
    assert [(r.action, r.verdict) for r in reports] == [("knob batch: 32→16", Verdict.WORKED)]


def test_at_critical_free_memory_is_trimmed_first_and_the_hook_follows(world: World) -> None:
    world.actuation.ladder.add(hook("cache", world.take(200), cost=0.1))
    world.pressed(900)
    assert world.tick() == ()
    world.calm()
    reports = list(world.tick())
    world.calm()
    reports += world.tick()
    assert [(r.action, r.verdict) for r in reports] == [
        ("memory_trim", Verdict.NO_EFFECT),
        ("cache", Verdict.WORKED),
    ]
    assert reports[1].freed == 200


def test_a_lying_hook_is_without_effect_and_then_left_alone(world: World) -> None:
    calls = []

    def claim() -> str:
        calls.append(1)
        return "freed 500 MB"

    world.actuation.ladder.add(hook("liar", claim, expected=500))
    world.pressed(900)
    reports: list[ActionReport] = []
    for _ in range(30):
        reports += world.tick()
        world.calm()
    verdicts = [r.verdict for r in reports if r.action == "liar"]
    assert verdicts == [Verdict.NO_EFFECT, Verdict.NO_EFFECT]
    assert len(calls) == 2


def test_the_ladder_goes_on_when_a_hook_hangs(world: World) -> None:
    gate = threading.Event()
    world.actuation.ladder.add(hook("hang", gate.wait, cost=0.1, expected=500))
    world.actuation.ladder.add(hook("good", world.take(300), cost=0.2))
    world.pressed(900)
    reports: list[ActionReport] = []
    for _ in range(8):
        started = time.monotonic()
        reports += world.tick()
        assert time.monotonic() - started < 0.5, "a tick does not wait for a hook"
        eventually(
            lambda: all(
                call.overdue or call.started == call.started
                for call in tuple(world.actuation.runner.threads._calls.values())
            ),
            "what is to run has begun",
        )
        time.sleep(0.01)
    gate.set()
    world.calm()
    told = {r.action: r for r in reports if r.action in ("hang", "good")}
    assert told["hang"].verdict is Verdict.DENIED
    assert "missed its deadline" in told["hang"].detail
    assert told["good"].verdict is Verdict.WORKED


def test_below_its_level_and_while_blind_nothing_is_called(world: World) -> None:
    step = Step(level=Level.CRITICAL)
    world.actuation.ladder.add(step)
    world.pressed(800, Level.ELEVATED)
    world.tick()
    world.pressed(float("nan"), Level.EMERGENCY)
    world.tick()
    world.calm()
    assert step.calls == []


def test_an_emergency_calls_everything_at_once(world: World) -> None:
    steps = [Step(f"s{i}", cost=i / 10, expected=500) for i in range(3)]
    for step in steps:
        world.actuation.ladder.add(step)
    world.pressed(960, Level.EMERGENCY)
    world.tick()
    world.calm()
    assert [len(step.calls) for step in steps] == [1, 1, 1]
    assert steps[0].calls == [pytest.approx(960 - 830)]


def test_a_switch_is_released_once_and_restored_when_the_level_is_normal(world: World) -> None:
    done = []
    world.actuation.ladder.add(
        hook("model", lambda: done.append("unload"), restore=lambda: done.append("load"))
    )
    world.pressed(900)
    for _ in range(6):
        world.tick()
        world.calm()
    assert done == ["unload"]
    world.pressed(800, Level.ELEVATED)
    world.tick()
    world.calm()
    assert done == ["unload"]
    world.pressed(300, Level.NORMAL)
    world.tick()
    world.calm()
    world.tick()
    assert done == ["unload", "load"]


def test_a_hook_is_made_and_added_in_one_call(world: World) -> None:
    calls: list[float] = []
    world.actuation.ladder.hook("cache", calls.append, level=Level.CRITICAL, expected=500.0)
    world.pressed(960, Level.EMERGENCY)
    world.tick()
    world.calm()
    assert calls == [pytest.approx(130)]


def test_only_observing_nothing_is_done() -> None:
    world = World("observe")
    step = Step()
    world.actuation.ladder.add(step)
    knob = world.actuation.knobs.create("batch", minimum=1, maximum=32)
    world.pressed(990, Level.EMERGENCY)
    threads = threading.active_count()
    assert world.tick(memory=0.1) == ()
    with world.actuation.admission.admit(memory_mb=5000):
        pass
    assert knob.value == 32
    assert step.calls == []
    assert threading.active_count() == threads
    assert world.actuation.holds() == ()


def test_what_nothing_can_hold_is_said() -> None:
    actuation = Actuation(VirtualClock(), "degrade", (*LIMITS, (GPU_MEMORY, 500.0)))
    (text,) = actuation.holds()
    assert "memory 1000 MB, CPU 100 %, GPU memory 500 MB" in text
    assert "knob" in text
    actuation.ladder.add(Hook("h", lambda: None, resource="memory"))
    actuation.knobs.create("k", minimum=1, maximum=2, resource="cpu")
    (text,) = actuation.holds()
    assert "nothing holds yet: GPU memory 500 MB;" in text
    actuation.knobs.create("any", minimum=1, maximum=2)
    assert actuation.holds() == ()
    assert Actuation(VirtualClock(), "degrade", ()).holds() == ()


def test_enforce_says_what_it_asks_the_kernel_for_and_what_it_does_not_set() -> None:
    limits = (*LIMITS, (POWER, 20.0))
    asked, devices, loose = Actuation(VirtualClock(), "enforce", limits).holds()
    assert "the kernel is asked to hold: memory, cpu" in asked
    assert "limits of devices" in devices
    assert "nothing holds yet: memory 1000 MB, CPU 100 %" in loose


def test_enforce_is_for_the_limits_of_an_application() -> None:
    actuation = Actuation(VirtualClock(), "enforce", LIMITS, enforcing=Enforcing("device"))
    actuation.begin()
    assert "scope 'application' alone" in actuation.holds()[0]
    actuation.child(1, priority=1)  # nothing comes of it
    actuation.release()


def test_a_kernel_that_hangs_at_the_start_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actuation_module, "BEGIN_SECONDS", 0.01)
    answer = threading.Event()
    actuation = Actuation(SystemClock(), "enforce", LIMITS)
    assert actuation.enforcement is not None
    monkeypatch.setattr(actuation.enforcement, "begin", answer.wait)
    actuation.begin()
    assert actuation.runner.threads.busy("enforcement")
    answer.set()
    actuation.release()


def test_a_name_taken_and_an_unknown_resource_are_refused(world: World) -> None:
    world.actuation.ladder.add(Step("a"))
    with pytest.raises(ConfigurationError, match="'a'"):
        world.actuation.ladder.add(Step("a"))
    with pytest.raises(ConfigurationError, match="'memry'"):
        world.actuation.ladder.add(Step("b", resource="memry"))


def test_admitted_work_consumes_its_announcement(world: World) -> None:
    world.actuation.announcements.announce(memory_mb=300)
    with world.actuation.admission.admit(memory_mb=200):
        seen = sample(world.clock.monotonic())
        assert [a.amount for a in world.actuation.announced(seen)] == [100]


def test_release_lets_go_and_acting_starts_anew(world: World) -> None:
    done = []
    world.actuation.ladder.add(
        hook("model", lambda: done.append("unload"), restore=lambda: done.append("load"))
    )
    knob = world.actuation.knobs.create("batch", minimum=1, maximum=32)
    world.pressed(900)
    for _ in range(3):
        world.tick(memory=0.1)
        world.calm()
    assert (knob.value, done) == (4, ["unload"])
    world.actuation.release()
    assert (knob.value, done) == (32, ["unload", "load"])
    for _ in range(3):
        world.tick(memory=0.1)
        world.calm()
    assert (knob.value, done) == (4, ["unload", "load", "unload"])


def test_release_takes_no_longer_than_two_seconds_whatever_hangs(world: World) -> None:
    gate = threading.Event()
    world.actuation.ladder.add(hook("hang", gate.wait, restore=lambda: None))
    world.actuation.knobs.create("k", minimum=0, maximum=9, on_change=lambda v: gate.wait())
    world.pressed(960, Level.EMERGENCY)
    world.tick(memory=0.5)
    world.tick(memory=0.4)
    started = time.monotonic()
    world.actuation.release()
    assert time.monotonic() - started < 2.5
    gate.set()
    world.calm()


def test_watching_alone_starts_no_thread(world: World) -> None:
    before = threading.active_count()
    for _ in range(20):
        world.tick(memory=1.0)
    assert threading.active_count() == before


def test_a_quiet_tick_costs_next_to_nothing(world: World) -> None:
    knob = world.actuation.knobs.create("batch", minimum=1, maximum=32)
    limits = (state(400.0), state(50.0, resource=CPU, limit=100.0))
    seen, same = sample(1.0, memory_used_mb=400.0), decision(memory=0.9, cpu=0.8)
    carry_out = world.actuation.carry_out
    for _ in range(1000):
        carry_out(seen, limits, same)
    best = min(
        _timed(lambda: [carry_out(seen, limits, same) for _ in range(1000)]) for _ in range(7)
    )
    assert best / 1000 < 25e-6
    assert knob.value == 25


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_in_a_forked_child_everything_is_inert(world: World) -> None:
    knob = world.actuation.knobs.create("batch", minimum=1, maximum=32)
    step = Step()
    world.actuation.ladder.add(step)
    world.pressed(900)
    world.tick(memory=0.5)
    world.calm()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        code = 1
        try:
            world.actuation.freeze()
            world.pressed(990, Level.EMERGENCY)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                with world.actuation.admission.admit(memory_mb=900):
                    pass
            calm = world.tick(memory=0.1) == () and knob.value == 16 and knob.frozen
            world.actuation.announcements.announce(memory_mb=1).cancel()
            world.actuation.release()
            code = 0 if calm and len(caught) == 1 and threading.active_count() == 1 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def resident() -> float:
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_with_real_memory_a_hook_that_frees_works_and_one_that_lies_does_not() -> None:
    clock = SystemClock()
    block = [bytearray(b"x" * (120 * 2**20))]
    limit = resident() / 0.9
    actuation = Actuation(clock, "degrade", ((MEMORY, limit),))
    actuation.ladder.add(hook("liar", lambda: "freed it all", cost=0.1, expected=500.0))
    actuation.ladder.add(hook("cache", block.clear, cost=0.2, expected=100.0))
    found: dict[str, ActionReport] = {}

    def tick() -> bool:
        used = resident()
        level = Level.CRITICAL if used > 0.75 * limit else Level.NORMAL
        limits = (state(used, level, limit=limit),)
        seen = sample(clock.monotonic(), memory_used_mb=used)
        for report in actuation.carry_out(seen, limits, decision()):
            found.setdefault(report.action, report)
        return "cache" in found

    try:
        eventually(tick, "the cache was cleared and verified")
    finally:
        actuation.release()
    assert found["liar"].verdict is Verdict.NO_EFFECT
    assert found["cache"].verdict is Verdict.WORKED
    assert found["cache"].freed > 100
