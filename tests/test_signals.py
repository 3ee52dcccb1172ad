"""Declaring signals: what may be said, when, and that a limited one is a resource like the rest."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from amptalk import (
    AdmissionTimeoutError,
    ConfigurationError,
    Level,
    ResourceLimits,
    ResourceManager,
    Signal,
)
from amptalk.clock import VirtualClock


def manager(strategy: str = "dynamic", **changes: Any) -> tuple[ResourceManager, VirtualClock]:
    """One that ticks when told to, in virtual time."""
    clock = VirtualClock()
    return ResourceManager(strategy=strategy, clock=clock, **changes), clock


def run(
    one: ResourceManager, clock: VirtualClock, ticks: int, record: Callable[[], object]
) -> None:
    for _ in range(ticks):
        record()
        clock.advance(1.0)
        one.tick()


# -- what may be said --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("", {}, "the name of a signal is ''"),
        ("latency ms", {}, "give letters, digits and '_'"),
        ("2nd", {}, "no digit first"),
        ("x" * 65, {}, "64 at most"),
        (7, {}, "the name of a signal is 7"),
        ("memory", {}, "has the name of something the manager measures"),
        ("CPU_percent", {}, "has the name of something the manager measures"),
        ("time", {}, "has the name of something the manager measures"),
        ("latency_ms", {"limit": 0}, "signal 'latency_ms': limit=0 is out of range"),
        ("latency_ms", {"limit": math.nan}, "limit=nan is out of range"),
        ("latency_ms", {"limit": "60"}, "limit='60' is not a number"),
        ("fps", {"minimum": -1}, "signal 'fps': minimum=-1 is out of range"),
        ("fps", {"minimum": 1, "limit": 2}, "both limit=2 and minimum=1"),
        ("fps", {"minimum": 1, "kind": "hold"}, "a minimum is of kind 'rate'"),
        ("fps", {"kind": "speed"}, "use one of"),
        ("fps", {"unit": ""}, "give a text such as 'ms'"),
        ("fps", {"percentile": 0}, "above 0 up to 100"),
        ("fps", {"percentile": True}, "above 0 up to 100"),
    ],
)
def test_a_wrong_declaration_says_what_is_allowed(
    name: Any, arguments: dict[str, Any], said: str
) -> None:
    one, _ = manager()
    with pytest.raises(ConfigurationError) as error:
        one.signal(name, **arguments)
    assert said in str(error.value)
    assert one.get_current_metrics().signals == {}


def test_the_unit_is_told_by_the_name_unless_given() -> None:
    one, _ = manager()
    units = {
        name: one.signal(name, unit=unit).described.unit
        for name, unit in (
            ("latency_ms", None), ("queue", None), ("loss_percent", None), ("fps", "1/s"),
            ("wait_seconds", None), ("frames_per_second", None),
        )
    }  # fmt: skip
    assert units == {
        "latency_ms": "ms", "queue": "1", "loss_percent": "%", "fps": "1/s",
        "wait_seconds": "s", "frames_per_second": "1/s",
    }  # fmt: skip


def test_the_same_declaration_gives_the_same_signal_and_another_one_an_error() -> None:
    one, _ = manager()
    first = one.signal("latency_ms", limit=60)
    assert one.signal("latency_ms", limit=60.0, unit="ms") is first
    with pytest.raises(ConfigurationError, match=r"exists with limit=60.0, asked for .* 80.0"):
        one.signal("latency_ms", limit=80)
    with pytest.raises(ConfigurationError, match="by capitals only"):
        one.signal("Latency_ms")


# -- a resource like the rest ------------------------------------------------------


def test_a_limited_signal_may_be_named_wherever_a_resource_is() -> None:
    one, _ = manager()
    with pytest.raises(ConfigurationError, match="unknown"):
        one.knob("early", minimum=1, maximum=8, resource="latency_ms")
    one.signal("latency_ms", limit=60)
    one.signal("watched_only")
    one.knob("batch", minimum=1, maximum=8, resource="latency_ms")
    one.hook("smaller_model", lambda: None, resource="latency_ms", level=Level.CRITICAL)
    with pytest.raises(ConfigurationError, match="unknown"):
        one.knob("late", minimum=1, maximum=8, resource="watched_only")


def test_what_nothing_holds_is_told() -> None:
    one, _ = manager()
    one.signal("latency_ms", limit=60)
    assert "latency_ms 60 ms" in " ".join(one.notices())
    one.knob("batch", minimum=1, maximum=8, resource="latency_ms")
    assert "latency_ms" not in " ".join(one.notices())


def test_a_signal_without_a_limit_is_kept_and_not_judged() -> None:
    one, clock = manager()
    queue = one.signal("queue")
    run(one, clock, 3, lambda: queue.record(1000.0))
    assert one.limit_states == ()
    assert one.get_current_metrics().signals.keys() == {"queue"}
    assert one.history.window("queue", 60).values == (1000.0, 1000.0, 1000.0)


def test_levels_violations_events_and_effectiveness_are_those_of_any_resource() -> None:
    one, clock = manager()
    latency, fps = one.signal("latency_ms", limit=60), one.signal("fps", minimum=25, unit="1/s")
    one.knob("batch", minimum=1, maximum=32, resource="fps")

    def bad() -> None:
        latency.record(90.0)
        fps.record(20.0)

    run(one, clock, 60, bad)
    slow, few = one.violations
    assert (slow.resource, slow.peak, slow.unit) == ("latency_ms", 90.0, "ms")
    assert (few.resource, few.limit) == ("fps", 25.0)
    assert few.peak == pytest.approx(20.0)
    assert one.level is Level.EMERGENCY
    told = one.effectiveness()["limits"]
    assert told["latency_ms"]["seconds_over"] == told["fps"]["seconds_over"] > 50
    reasons = {a.resource: a.reason for a in one.decision.allocations} if one.decision else {}
    assert "fps 20 of at least 25 1/s, kept above" in reasons["fps"]
    levels = [e for e in one.history.events if e["kind"] == "level" and e["resource"] == "fps"]
    assert levels[0]["value"] == pytest.approx(20.0)
    actions = [e for e in one.history.events if e["kind"] == "action"]
    assert actions[0]["action"].startswith("knob batch")
    assert actions[0]["before"] == actions[0]["after"] == pytest.approx(20.0)
    assert actions[0]["verdict"] == "no effect"


@pytest.mark.parametrize(
    "strategy", ["dynamic", "predictive", "adaptive", "predictive+adaptive", "cooperative"]
)
@pytest.mark.parametrize("minimum", [False, True])
def test_every_strategy_holds_a_signal_by_a_knob(strategy: str, minimum: bool) -> None:
    one, clock = manager(strategy)
    if minimum:
        signal = one.signal("fps", minimum=25, unit="1/s")
    else:
        signal = one.signal("latency_ms", limit=60)
    batch = one.knob("batch", minimum=1, maximum=32, resource=signal.described.name)
    draw, seen = random.Random(5), []

    def serve() -> None:
        per_item = draw.uniform(3.8, 4.2)  # a batch of 15 is 60 ms, or 25 a second
        for _ in range(20):
            latency = per_item * batch.value * draw.uniform(0.9, 1.0)
            signal.record(1500.0 / latency if minimum else latency)
        seen.append((batch.value, one.limit_states[0].over if one.limit_states else False))

    run(one, clock, 300, serve)
    settled = seen[100:]
    assert sum(over for _, over in settled) / len(settled) < 0.25  # all of it without the knob
    assert 10.0 < sum(value for value, _ in settled) / len(settled) < 15.5


def test_admission_rests_while_a_signal_is_beyond_its_limit() -> None:
    one, clock = manager()
    latency = one.signal("latency_ms", limit=60)
    run(one, clock, 30, lambda: latency.record(200.0))
    with one.admit("first"):
        clock.advance(1.0)
    with pytest.raises(AdmissionTimeoutError), one.admit("second", timeout=0.0):
        pass


# -- before, during and after ------------------------------------------------------


def test_declared_while_running_it_is_judged_from_the_next_tick_on() -> None:
    one, clock = manager(limits=ResourceLimits(max_memory_mb=100_000))
    run(one, clock, 3, lambda: None)
    latency = one.signal("latency_ms", limit=60)
    run(one, clock, 1, lambda: latency.record(50.0))
    assert {state.resource.name for state in one.limit_states} == {"memory", "latency_ms"}
    queue = one.signal("queue", limit=10, kind="hold")
    run(one, clock, 8, lambda: queue.record(5.0 + clock.monotonic() % 5))
    assert {state.resource.name: state.value for state in one.limit_states}["queue"] >= 5.0


def test_before_its_first_sample_a_signal_has_an_empty_history() -> None:
    one, clock = manager()
    run(one, clock, 2, lambda: None)
    one.signal("latency_ms", limit=60)
    window = one.history.window("latency_ms", 60)
    assert window.values == ()
    assert math.isnan(window.maximum)
    assert one.history.values("latency_ms", 60) == []
    with pytest.raises(KeyError):  # this sample is from before
        one.history.latest["latency_ms"]  # type: ignore[index]
    run(one, clock, 1, lambda: None)
    assert one.history.window("latency_ms", 60).values == ()


def test_a_removed_signal_is_judged_and_kept_no_more_and_its_history_stays() -> None:
    one, clock = manager()
    latency = one.signal("latency_ms", limit=60)
    batch = one.knob("batch", minimum=1, maximum=32, resource="latency_ms")
    run(one, clock, 20, lambda: latency.record(200.0))
    assert batch.value < 32
    latency.remove()
    latency.remove()
    run(one, clock, 2, lambda: latency.record(200.0))
    assert batch.value == 32
    assert not one.limit_states
    assert one.violations[0].ended is not None
    assert one.get_current_metrics().missing["latency_ms"] == "the signal was removed"
    assert one.history.window("latency_ms", 60).maximum == 200.0
    again = one.signal("latency_ms", limit=300)
    assert again is not latency
    run(one, clock, 1, lambda: again.record(100.0))
    assert one.limit_states[0].told == "latency_ms 100 of 300 ms"


def test_what_was_recorded_before_the_start_is_not_shown_as_new() -> None:
    one, clock = manager()
    latency = one.signal("latency_ms", limit=60)
    latency.record(500.0)
    clock.advance(3600.0)
    one.start_monitoring()
    try:
        assert math.isnan(one.get_current_metrics()["latency_ms"])
    finally:
        one.stop_monitoring()


def test_a_sample_without_monitoring_takes_what_was_recorded_since_the_one_before() -> None:
    one, clock = manager()
    latency = one.signal("latency_ms")
    latency.record(40.0)
    clock.advance(1.0)
    assert one.get_current_metrics()["latency_ms"] == 40.0
    clock.advance(1.0)
    assert math.isnan(one.get_current_metrics()["latency_ms"])


def test_managers_share_no_signals() -> None:
    (one, clock), (other, _) = manager(), manager()
    mine: Signal = one.signal("latency_ms", limit=60)
    theirs = other.signal("latency_ms", limit=10, percentile=50)
    theirs.record(5.0)
    run(one, clock, 1, lambda: mine.record(20.0))
    assert one.limit_states[0].value == 20.0
    assert other.limit_states == ()
