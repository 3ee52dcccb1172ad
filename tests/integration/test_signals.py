"""A real manager and real threads: signals recorded at full speed, held, kept and told."""

from __future__ import annotations

import math
import os
import tempfile
import threading
import time
from pathlib import Path

from amptalk import ResourceManager, Signal, load_metrics
from tests.helpers import eventually
from tests.integration.support import events_of, own_process, ticks, verdicts


class Service:
    """Worker threads that each serve batches; the more items in flight, the slower for all."""

    def __init__(self, manager: ResourceManager) -> None:
        self.latency = manager.signal("latency_ms", limit=30)
        self.rate = manager.signal("items_per_second", minimum=1)
        self.batch = manager.knob("batch", minimum=1, maximum=64, resource="latency_ms")
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._serve) for _ in range(4)]

    def _serve(self) -> None:
        while not self.ended.is_set():
            began = time.monotonic()
            self.ended.wait(0.001 * self.batch.value)  # a device that takes 1 ms an item
            seconds = time.monotonic() - began
            self.latency.record(1000.0 * seconds)
            self.rate.record(self.batch.value / seconds)

    def __enter__(self) -> Service:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(10.0)


@own_process
def test_a_service_with_threads_is_held_at_its_latency_and_every_file_tells_of_it() -> None:
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        manager = ResourceManager(
            monitoring_interval=0.3, name="service", record=folder / "run.ring"
        )
        with manager, Service(manager) as service:
            eventually(lambda: service.batch.value <= 40, "the batch shrinks")
            eventually(lambda: bool(verdicts(manager, "knob batch")), "a move is measured")
            ticks(manager, 5)
            told = observed(reader)
            for suffix in ("json", "jsonl", "csv", "sqlite"):
                manager.save_metrics(folder / f"run.{suffix}")
        states = {state.resource.name: state for state in manager.limit_states}
        assert not states["items_per_second"].over
        assert manager.effectiveness()["limits"]["latency_ms"]["breaches"] >= 1
        assert "worked" in verdicts(manager, "knob batch")
        assert events_of(manager, "allocation")[0]["resource"] == "latency_ms"
        assert told["amptalk.signal.value"]["latency_ms"] > 1.0
        assert told["amptalk.signal.limit"] == {"latency_ms": 30.0, "items_per_second": 1.0}
        assert told["amptalk.allocation"]["latency_ms"] < 1.0
        seen = manager.history.window("latency_ms", 600)
        assert seen.maximum > 60.0 > seen.values[-1]
        for suffix in ("json", "jsonl", "csv", "sqlite", "ring"):
            samples = load_metrics(folder / f"run.{suffix}").samples
            kept = [value for value in samples["latency_ms"] if value is not None]
            assert max(kept) > 60.0
            assert min(kept) >= 1.0
        config = load_metrics(folder / "run.json").config
        assert config["signals"]["latency_ms"]["limit"] == 30.0
        assert config["signals"]["latency_ms"]["rejected"] == 0


def observed(reader: object) -> dict[str, dict[str, float]]:
    """Values by instrument and resource."""
    found: dict[str, dict[str, float]] = {}
    data = reader.get_metrics_data()  # type: ignore[attr-defined]
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    name = (point.attributes or {}).get("amptalk.resource")
                    if name is not None and hasattr(point, "value"):
                        found.setdefault(metric.name, {})[name] = point.value
    return found


@own_process
def test_recording_without_pause_from_many_threads_holds_up_neither_them_nor_the_tick() -> None:
    manager = ResourceManager(monitoring_interval=0.3, name="fast")
    signal = manager.signal("latency_ms", limit=1e9, percentile=50)
    ended, counts = threading.Event(), [0] * 4

    def record(number: int) -> None:
        while not ended.is_set():
            for value in range(1000):
                signal.record(value)
            counts[number] += 1000

    threads = [threading.Thread(target=record, args=(number,)) for number in range(4)]
    with manager:
        for thread in threads:
            thread.start()
        ticks(manager, 12)
        value = manager.get_current_metrics()["latency_ms"]
        ended.set()
        for thread in threads:
            thread.join(10.0)
    assert 400 < value < 600  # the median of what a thousand values a round are
    assert min(counts) > 0
    assert signal.rejected == 0
    assert not events_of(manager, "fault")


@own_process
def test_signals_that_come_and_go_under_load_break_nothing() -> None:
    manager = ResourceManager(monitoring_interval=0.05, name="moving", strategy="adaptive")
    ended, errors = threading.Event(), []

    def come_and_go(number: int) -> None:
        try:
            while not ended.is_set():
                signal: Signal = manager.signal(f"signal_{number}", limit=10)
                for value in range(50):
                    signal.record(value)
                ended.wait(0.01)
                signal.remove()
        except Exception as error:
            errors.append(error)

    def read() -> None:
        while not ended.is_set():
            manager.history.samples()
            manager.recommendations()
            manager.get_current_metrics().as_dict()

    with manager:
        threads = [threading.Thread(target=come_and_go, args=(n,)) for n in range(3)]
        threads.append(threading.Thread(target=read))
        for thread in threads:
            thread.start()
        ticks(manager, 40)
        ended.set()
        for thread in threads:
            thread.join(10.0)
        ticks(manager, 2)
    assert errors == []
    assert not events_of(manager, "fault")
    assert manager.limit_states == ()


@own_process
def test_in_a_forked_child_recording_is_inert_and_costs_no_memory() -> None:
    manager = ResourceManager(monitoring_interval=0.05, name="parent")
    signal = manager.signal("latency_ms", limit=60)
    with manager:
        child = os.fork()
        if child == 0:
            try:
                for value in range(10_000):
                    signal.record(value)
                late = manager.signal("late", limit=5)
                late.record(1.0)
                kept = len(signal._values) + len(late._values)
                os._exit(0 if kept == 0 else 1)
            except BaseException:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        signal.record(42.0)
        eventually(
            lambda: not math.isnan(manager.get_current_metrics()["latency_ms"]),
            "the parent's signal still counts",
        )
