"""Limits on real memory are held by knobs, hooks, the trim, and what was done is measured."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time

from amptalk import Level, create_resource_manager
from tests.helpers import eventually
from tests.integration.support import (
    Worker,
    ballast,
    events_of,
    logged_by,
    own_process,
    ticks,
    used_mb,
    verdicts,
)


@own_process
def test_a_knob_brings_a_child_that_is_beyond_the_limit_back_under_it() -> None:
    with Worker() as worker:
        limit = used_mb() + 60
        manager = create_resource_manager(max_memory_mb=limit, monitoring_interval=0.05)

        def follow(batch: float) -> None:
            worker.hold(batch)

        batch = manager.knob("batch", minimum=5, maximum=100, resource="memory", on_change=follow)
        follow(batch.value)  # 100 MB: 40 more than there is room for
        with manager:
            eventually(lambda: bool(manager.violations), "the limit is crossed")
            violation = manager.violations[0]
            eventually(lambda: violation.ended is not None, "memory is back under the limit")
            eventually(lambda: bool(verdicts(manager, "knob batch")), "its effect is measured")
            assert manager.history.percentile("memory_used_mb", 50, seconds=3) < limit
            assert manager.get_current_metrics().application.processes == 2
        assert violation.resource == "memory"
        assert violation.peak > limit
        [event] = [e for e in events_of(manager, "action") if e["action"].startswith("knob batch")]
        assert event["action"].startswith("knob batch: 100→")
        assert event["before"] - event["after"] > 10
        assert "memory" in event["detail"]
        assert f"{event['action']}: {event['verdict']}" in violation.actions
        assert violation.helped


@own_process
def test_an_action_under_way_before_during_and_after_a_violation_is_told_with_it() -> None:
    cache, other = [ballast(100)], threading.Event()

    def drop() -> None:
        other.wait(20)
        cache.clear()

    manager = create_resource_manager(max_memory_mb=used_mb() / 0.8, monitoring_interval=0.05)
    manager.hook("drop_cache", drop, expected=100)
    with manager:
        eventually(lambda: manager.level > Level.NORMAL, "the hook is called")
        more = ballast(50)
        eventually(lambda: bool(manager.violations), "the limit is crossed meanwhile")
        del more
        [violation] = manager.violations
        eventually(lambda: violation.ended is not None, "it is over before the hook is")
        other.set()
        eventually(lambda: bool(verdicts(manager, "drop_cache")), "the hook is measured")
        [event] = [e for e in events_of(manager, "action") if e["action"] == "drop_cache"]
        assert event["time"] < violation.started
    assert "drop_cache: worked" in violation.actions
    assert violation.helped


@own_process
def test_a_hook_is_believed_by_measurement_and_never_by_what_it_says() -> None:
    cache = [ballast(100)]

    def lie() -> str:
        return "freed 500 MB"

    manager = create_resource_manager(max_memory_mb=used_mb() / 0.8, monitoring_interval=0.05)
    manager.hook("liar", lie, cost=0.05)
    manager.hook("drop_cache", cache.clear, cost=0.2)
    with manager:
        eventually(lambda: bool(verdicts(manager, "drop_cache")), "both hooks are measured")
        assert manager.level is Level.ELEVATED
    assert verdicts(manager, "liar") == ["no effect"]
    assert verdicts(manager, "drop_cache") == ["worked"]
    actions = manager.effectiveness()["actions"]
    assert actions["liar"] == {"no effect": 1, "freed": 0.0}
    assert actions["drop_cache"]["worked"] == 1
    assert 90 < actions["drop_cache"]["freed"] < 110


@own_process
def test_a_hook_that_keeps_lying_is_not_called_for_ever() -> None:
    held = ballast(100)
    calls: list[float] = []
    manager = create_resource_manager(max_memory_mb=used_mb() / 0.8, monitoring_interval=0.05)
    manager.hook("liar", calls.append)
    with manager:
        eventually(lambda: len(verdicts(manager, "liar")) == 2, "two strikes")
        ticks(manager, 10)
    assert len(calls) == 2
    assert all(10 < need < 40 for need in calls)  # told how much is wanted: 15 % of the limit
    assert len(held) == 100 << 20


@own_process
def test_a_critical_level_collects_garbage_and_reports_what_that_gave_back() -> None:
    gc.disable()
    garbage: list[object] = [ballast(60)]
    garbage.append(garbage)
    manager = create_resource_manager(max_memory_mb=used_mb() / 0.89, monitoring_interval=0.05)
    del garbage
    with manager:
        eventually(lambda: bool(verdicts(manager, "memory_trim")), "the trim is measured")
    [event] = events_of(manager, "action")
    assert event["level"] == "critical"
    assert event["before"] - event["after"] > 50
    assert event["verdict"] == "worked"
    assert event["seconds"] > 0
    assert manager.effectiveness()["actions"]["memory_trim"]["freed"] > 50


@own_process
def test_observing_judges_and_decides_and_changes_nothing() -> None:
    calls: list[str] = []
    limit = used_mb() / 2
    manager = create_resource_manager(
        max_memory_mb=limit, monitoring_interval=0.05, handling="observe", strategy="cooperative"
    )
    knob = manager.knob("batch", minimum=1, maximum=8, on_change=lambda _: calls.append("knob"))
    manager.hook("unload", lambda: calls.append("hook"), level=Level.ELEVATED)
    part = manager.component(
        "asr", memory_mb=(1, limit), on_shrink=lambda *_: calls.append("shrink"),
        on_grow=lambda *_: calls.append("grow"),
    )  # fmt: skip
    with manager:
        granted = part.grant("memory")
        eventually(lambda: bool(manager.violations), "the limit is seen to be crossed")
        ticks(manager, 10)
        with manager.admit("job", memory_mb=limit * 10):
            pass
        decision = manager.decision
        assert decision is not None
        assert decision.share("memory") < 1
        assert manager.level is Level.EMERGENCY
        assert part.grant("memory") == granted
    assert knob.value == 8
    assert calls == []
    assert events_of(manager, "action") == []
    assert manager.violations[0].helped is None
    assert manager.effectiveness()["actions"] == {}


@own_process
def test_enforce_says_what_it_does_not_enforce_where_an_operator_looks() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AMPTALK_RUN_DIR"] = f"{folder}/run"
        _says_what_is_not_enforced()


def _says_what_is_not_enforced() -> None:
    logged = logged_by("amptalk")
    manager = create_resource_manager(
        max_memory_mb=2000, max_power_watts=20, handling="enforce", name="edge"
    )
    knob = manager.knob("batch", minimum=1, maximum=8, resource="memory")
    with manager:
        assert knob.value == 8
    told = [event["text"] for event in events_of(manager, "notice")]
    assert [f"edge: {text}" for text in told] == logged
    *_kernel, devices, loose = told
    assert any(" memory" in text or "no limit" in text for text in _kernel)
    assert "limits of devices" in devices
    assert "power 20 W" in loose
    assert "memory 2000" not in loose  # the knob holds it


@own_process
def test_announced_work_is_made_room_for_before_it_begins() -> None:
    limit = 2 * used_mb()
    manager = create_resource_manager(
        max_memory_mb=limit, strategy="predictive", monitoring_interval=0.05
    )
    knob = manager.knob("batch", minimum=1, maximum=32, resource="memory")
    with manager:
        ticks(manager, 5)
        assert knob.value == 32
        begins = time.monotonic() + 10
        announced = manager.announce(memory_mb=0.8 * limit, starts_in=10, duration=20)
        eventually(lambda: knob.value <= 16, "room is made", deadline=begins - time.monotonic())
        decision = manager.decision
        assert decision is not None
        [allocation] = decision.allocations
        assert f"{0.8 * limit:.4g} MB of memory set aside" in allocation.reason
        assert "for known work" in allocation.reason
        assert allocation.expected is not None
        assert allocation.expected.value > limit
        announced.cancel()
        ticks(manager, 3)
        assert manager.decision is not None
        assert "known work" not in manager.decision.allocations[0].reason
