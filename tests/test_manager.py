"""A manager's life: start, stop, restart, contexts, several at once, fork and exit."""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amptalk import (
    AmptalkError,
    ConfigurationError,
    Level,
    MetricsFileError,
    ResourceLimits,
    ResourceManager,
    Sample,
    create_resource_manager,
    load_metrics,
)
from amptalk.clock import VirtualClock
from tests.helpers import DEADLINE, eventually, output_of, run_python


def threads_of(manager: ResourceManager) -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == f"amptalk-{manager.name}"]


def longer_than(manager: ResourceManager, count: int) -> Callable[[], bool]:
    return lambda: len(manager.history) > count


def test_monitoring_starts_with_a_sample_and_stops_without_a_thread_left() -> None:
    manager = create_resource_manager(max_memory_mb=100_000)
    assert not manager.running
    manager.start_monitoring()
    assert manager.running
    assert manager.get_current_metrics().memory_used_mb > 1
    manager.stop_monitoring()
    assert not manager.running
    assert not threads_of(manager)


def test_starting_and_stopping_twice_is_harmless_and_a_restart_goes_on() -> None:
    manager = ResourceManager(monitoring_interval=0.05)
    for _ in range(2):
        manager.start_monitoring()
        manager.start_monitoring()
        assert len(threads_of(manager)) == 1
        before = len(manager.history)
        eventually(longer_than(manager, before + 1), "more samples")
        manager.stop_monitoring()
        manager.stop_monitoring()
    after = len(manager.history)
    assert after >= 4


def test_it_is_a_context_manager_that_stops_on_an_error() -> None:
    manager = ResourceManager(limits=ResourceLimits(max_memory_mb=100_000))
    with pytest.raises(KeyError), manager as entered:
        assert entered is manager
        assert manager.running
        raise KeyError
    assert not manager.running


def test_it_is_an_asynchronous_context_manager_too() -> None:
    async def use() -> bool:
        async with create_resource_manager(max_memory_mb=100_000) as manager:
            return manager.running

    assert asyncio.run(use())


def test_current_metrics_are_the_latest_sample_while_running_and_a_fresh_one_otherwise() -> None:
    manager = ResourceManager(monitoring_interval=3600)
    first, second = manager.get_current_metrics(), manager.get_current_metrics()
    assert first is not second
    with manager:
        assert manager.get_current_metrics() is manager.get_current_metrics()


def test_the_callback_gets_samples_on_another_thread() -> None:
    seen: list[tuple[Sample, str]] = []
    got_one = threading.Event()

    def callback(metrics: Sample) -> None:
        seen.append((metrics, threading.current_thread().name))
        got_one.set()

    with create_resource_manager(callback=callback, monitoring_interval=0.05) as manager:
        assert got_one.wait(DEADLINE)
    metrics, thread = seen[0]
    assert metrics.memory_used_mb > 1
    assert thread not in {threading.current_thread().name, f"amptalk-{manager.name}"}


def test_a_callback_that_hangs_does_not_stop_the_samples_nor_the_stop() -> None:
    hanging, release = threading.Event(), threading.Event()

    def callback(metrics: Sample) -> None:
        hanging.set()
        release.wait(DEADLINE)

    manager = create_resource_manager(callback=callback, monitoring_interval=0.05)
    manager.start_monitoring()
    assert hanging.wait(DEADLINE)
    before = len(manager.history)
    eventually(lambda: len(manager.history) >= before + 3, "samples while the callback hangs")
    manager.stop_monitoring()
    assert not manager.running
    release.set()


def test_a_strategy_that_raises_is_noted_and_monitoring_goes_on() -> None:
    class Broken:
        name = "broken"

        def decide(self, observation: Any) -> Any:
            raise ZeroDivisionError("mine")

    manager = ResourceManager(
        ResourceLimits(max_memory_mb=100_000), strategy=Broken(), clock=VirtualClock()
    )
    manager.tick()
    manager.tick()
    events = [event for event in manager.history.events if event["kind"] == "strategy_error"]
    assert len(events) == 1
    assert "ZeroDivisionError: mine" in events[0]["error"]


def test_several_managers_run_side_by_side_under_different_names() -> None:
    first = create_resource_manager(max_memory_mb=100_000, name="speech")
    second = create_resource_manager(max_memory_mb=50_000)
    with first, second:
        assert first.name == "speech"
        assert second.name != first.name
        assert first.limit_states[0].limit != second.limit_states[0].limit
        first.stop_monitoring()
        assert second.running


def test_limits_are_judged_and_a_crossed_one_becomes_a_violation() -> None:
    clock = VirtualClock()
    manager = ResourceManager(ResourceLimits(max_memory_mb=1), clock=clock, handling="observe")
    for _ in range(4):
        manager.tick()
        clock.advance(1.0)
    assert manager.level == Level.EMERGENCY
    (violation,) = manager.violations
    assert violation.resource == "memory"
    assert violation.peak > 1
    assert violation.ended is None
    kinds = [event["kind"] for event in manager.history.events]
    assert "level" in kinds
    assert "violation" in kinds


def test_observe_decides_but_moves_no_knob_and_degrade_moves_it() -> None:
    values = {}
    for handling in ("observe", "degrade"):
        clock = VirtualClock()
        manager = ResourceManager(
            ResourceLimits(max_memory_mb=1), strategy="dynamic", clock=clock, handling=handling
        )
        knob = manager.knob("batch", minimum=1, maximum=32, resource="memory")
        for _ in range(10):
            manager.tick()
            clock.advance(1.0)
        assert manager.decision is not None
        assert manager.decision.share("memory") < 1.0
        values[handling] = knob.value
    assert values["observe"] == 32
    assert values["degrade"] < 32


def test_a_stop_gives_the_knobs_back() -> None:
    clock = VirtualClock()
    manager = ResourceManager(ResourceLimits(max_memory_mb=1), strategy="dynamic", clock=clock)
    knob = manager.knob("batch", minimum=1, maximum=32, resource="memory")
    for _ in range(10):
        manager.tick()
        clock.advance(1.0)
    assert knob.value < 32
    manager.stop_monitoring()
    assert knob.value == 32


def test_limits_that_nothing_can_hold_and_impossible_ones_are_said() -> None:
    manager = create_resource_manager(max_cpu_percent=80, max_memory_mb=2e6)
    notices = " | ".join(manager.notices())
    assert "CPU" in notices
    assert "knob" in notices
    assert "max_memory_mb=2e+06" in notices or "2000000" in notices


def test_enforce_says_plainly_what_is_not_enforced() -> None:
    manager = create_resource_manager(max_power_watts=10, handling="enforce")
    assert any("enforce" in notice for notice in manager.notices())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"strategy": "dynamc"}, "dynamic"),
        ({"scope": "world"}, "application"),
        ({"handling": "force"}, "observe"),
        ({"max_memory_mb": -1}, "max_memory_mb"),
        ({"max_memory_mb": "1000"}, "1000"),
        ({"max_cpu_percent": True}, "max_cpu_percent"),
        ({"max_temp_celsius": float("nan")}, "nan"),
        ({"monitoring_interval": 0}, "monitoring_interval"),
    ],
)
def test_bad_arguments_name_the_value_and_what_is_allowed(
    arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        create_resource_manager(**arguments)


def test_limits_of_the_wrong_type_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="ResourceLimits"):
        ResourceManager({"max_memory_mb": 1000})  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "sqlite"])
def test_metrics_are_saved_and_loaded_again(suffix: str, tmp_path: Path) -> None:
    clock = VirtualClock()
    manager = ResourceManager(ResourceLimits(max_memory_mb=100_000), clock=clock)
    for _ in range(5):
        manager.tick()
        clock.advance(1.0)
    path = tmp_path / f"metrics.{suffix}"
    manager.save_metrics(path)
    document = load_metrics(path)
    used = document.samples["memory_used_mb"]
    assert len(used) == 5
    assert all(value is not None and value > 1 for value in used)


def test_a_path_that_cannot_be_written_and_a_foreign_suffix_are_one_clear_error(
    tmp_path: Path,
) -> None:
    manager = ResourceManager()
    manager.get_current_metrics()
    with pytest.raises(MetricsFileError, match="absent"):
        manager.save_metrics(tmp_path / "absent" / "metrics.json")
    with pytest.raises(ConfigurationError, match=r"\.json"):
        manager.save_metrics(tmp_path / "metrics.xml")


def test_a_missing_sensor_prints_as_nan_with_a_reason() -> None:
    sample = ResourceManager().get_current_metrics()
    if math.isnan(sample.gpu_utilization):
        assert f"{sample.gpu_utilization:.1f}" == "nan"
        assert sample.missing["gpu_utilization"]


def test_a_forked_child_has_an_inert_manager_and_the_parent_goes_on() -> None:
    manager = create_resource_manager(max_memory_mb=100_000, monitoring_interval=0.05)
    with manager:
        knob = manager.knob("batch", minimum=1, maximum=8)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            answers = []
            try:
                answers.append(f"running={manager.running}")
                answers.append(f"knob={knob.value}")
                answers.append(f"metrics={manager.get_current_metrics().memory_used_mb > 0}")
                manager.stop_monitoring()
                try:
                    manager.start_monitoring()
                except AmptalkError as error:
                    answers.append(f"start={'parent' in str(error)}")
                answers.append(f"threads={threading.active_count()}")
            except BaseException as error:
                answers.append(repr(error))
            os.write(write, " ".join(answers).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        before = len(manager.history)
        eventually(lambda: len(manager.history) > before, "the parent keeps sampling")
    assert said == "running=False knob=8 metrics=True start=True threads=1"


def test_a_child_can_make_its_own_manager_and_measures_itself() -> None:
    said = output_of(
        "import os, amptalk\n"
        "block = bytearray(60 << 20); block[::4096] = b'1' * len(block[::4096])\n"
        "parent = amptalk.create_resource_manager(); parent.start_monitoring()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    extra = bytearray(100 << 20); extra[::4096] = b'1' * len(extra[::4096])\n"
        "    own = amptalk.create_resource_manager()\n"
        "    print(own.get_current_metrics().application.rss_mb > 100, flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "parent.stop_monitoring()\n"
    )
    assert said.strip() == "True"


def test_interpreter_exit_stops_a_running_manager_quietly() -> None:
    result = run_python(
        "import amptalk\n"
        "manager = amptalk.create_resource_manager(monitoring_interval=0.05,\n"
        "    callback=lambda metrics: None)\n"
        "manager.start_monitoring()\n"
        "print('last line')\n"
    )
    assert result.returncode == 0
    assert result.stdout == "last line\n"
    assert not result.stderr


def test_an_unhandled_error_still_ends_the_process_with_its_own_message() -> None:
    result = run_python(
        "import amptalk\namptalk.create_resource_manager().start_monitoring()\nraise SystemExit(7)"
    )
    assert result.returncode == 7
    assert not result.stderr


def test_a_running_manager_lives_without_a_reference_and_a_stopped_one_is_let_go() -> None:
    import gc
    import weakref

    manager = create_resource_manager(monitoring_interval=0.05)
    manager.start_monitoring()
    reference = weakref.ref(manager)
    del manager
    gc.collect()
    assert reference() is not None
    reference().stop_monitoring()  # type: ignore[union-attr]
    eventually(lambda: gc.collect() >= 0 and reference() is None, "a stopped manager is let go")
