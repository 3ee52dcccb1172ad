"""Real managers seen through the real OpenTelemetry SDK, each test in a process of its own.

Nothing of OpenTelemetry may be imported at the top: when it is, is what is tested.
"""

from __future__ import annotations

import sys
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

from amptalk import Level, NeverFitsError, ResourceManager, create_resource_manager
from tests.helpers import eventually
from tests.integration.support import (
    MB,
    ballast,
    events_of,
    logged_by,
    own_process,
    ticks,
    used_mb,
    verdicts,
)

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

Points = dict[str, list[tuple[dict[str, Any], Any]]]


def use_sdk() -> InMemoryMetricReader:
    """The application sets a provider, as in the specification's example."""
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    metrics.get_meter("resource_management")
    return reader


def seen(reader: InMemoryMetricReader) -> Points:
    """Name and unit of each metric, to its (attributes, point)."""
    data = reader.get_metrics_data()
    found: Points = {}
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    attributes = dict(point.attributes or {})
                    found.setdefault(f"{metric.name} {metric.unit}", []).append((attributes, point))
    return found


def managers_in(reader: InMemoryMetricReader, metric: str) -> dict[str, float]:
    return {a["amptalk.manager"]: p.value for a, p in seen(reader).get(metric, [])}


APPLICATION = "amptalk.application.memory.usage By"


def check_equal_to_the_last_sample(reader: InMemoryMetricReader, manager: ResourceManager) -> None:
    found, sample = seen(reader), manager.get_current_metrics()
    for metric, field, scale in (
        (APPLICATION, "application.memory_mb", MB),
        ("amptalk.application.memory.rss By", "application.rss_mb", MB),
        ("system.memory.utilization 1", "device.memory_percent", 0.01),
        ("system.memory.limit By", "device.memory_total_mb", MB),
        ("amptalk.application.process.count {process}", "application.processes", 1),
    ):
        [(attributes, point)] = found[metric]
        assert attributes["amptalk.manager"] == manager.name
        assert abs(point.value - sample[field] * scale) <= 1e-9 * point.value, metric
        assert point.value > 0
    [(attributes, point)] = found["amptalk.limit.memory By"]
    assert (attributes["amptalk.resource"], point.value) == ("memory", 1000 * MB)
    [(_, point)] = found["amptalk.limit.utilization 1"]
    assert abs(point.value - sample.memory_used_mb / 1000) < 1e-9


def quiet_manager(name: str | None = None) -> ResourceManager:
    """One that takes its first sample and no other while the test runs."""
    manager = create_resource_manager(max_memory_mb=1000, monitoring_interval=3600, name=name)
    manager.knob("batch", minimum=1, maximum=8)
    return manager


@own_process
def test_a_provider_set_before_the_manager_sees_its_last_sample() -> None:
    reader = use_sdk()
    with quiet_manager() as manager:
        check_equal_to_the_last_sample(reader, manager)


@own_process
def test_a_provider_set_after_the_manager_sees_its_last_sample() -> None:
    import opentelemetry.metrics  # noqa: F401 - without an SDK until the manager runs

    with quiet_manager() as manager:
        check_equal_to_the_last_sample(use_sdk(), manager)


@own_process
def test_an_api_imported_after_the_start_is_noticed_and_set_up_off_the_loop() -> None:
    from amptalk.telemetry import opentelemetry as ours

    create, created_on = ours._create, []

    def note_thread() -> None:
        created_on.append(threading.current_thread().name)
        create()

    ours._create = note_thread
    with create_resource_manager(monitoring_interval=0.05) as manager:
        ticks(manager, 3)
        assert not [name for name in sys.modules if name.startswith("opentelemetry")]
        reader = use_sdk()
        eventually(lambda: APPLICATION in seen(reader), "the manager is seen")
        ticks(manager, 3)
        assert "amptalk.tick.duration s" in seen(reader)
    assert created_on == ["amptalk-register"]


@own_process
def test_the_api_without_an_sdk_disturbs_nothing() -> None:
    import opentelemetry.metrics  # noqa: F401

    with create_resource_manager(max_memory_mb=1000, monitoring_interval=0.05) as manager:
        manager.knob("batch", minimum=1, maximum=8)
        ticks(manager, 5)
        try:
            manager.admit(memory_mb=2000)
        except NeverFitsError:
            pass
        else:
            raise AssertionError("it cannot fit")
    assert events_of(manager, "fault") == []
    assert "opentelemetry.sdk" not in sys.modules


@own_process
def test_an_application_that_does_not_use_opentelemetry_does_not_load_it() -> None:
    manager = create_resource_manager(max_memory_mb=used_mb() / 0.8, monitoring_interval=0.05)
    manager.hook("unload", lambda: None)
    with manager:
        eventually(lambda: bool(verdicts(manager, "unload")), "an action is told")
    assert not [name for name in sys.modules if name.startswith("opentelemetry")]


@own_process
def test_managers_are_told_apart_and_one_that_stopped_vanishes() -> None:
    reader = use_sdk()
    camera, speech = quiet_manager("camera"), quiet_manager("speech")
    assert managers_in(reader, APPLICATION) == {}
    with speech:
        with camera:
            both = managers_in(reader, APPLICATION)
            assert both.keys() == {"camera", "speech"}
            assert both["camera"] == camera.get_current_metrics()["application.memory_mb"] * MB
        assert managers_in(reader, APPLICATION).keys() == {"speech"}
        del camera
        assert managers_in(reader, "amptalk.limit.level 1") == {"speech": Level.NORMAL}


@own_process
def test_missing_values_are_absent_and_not_zero() -> None:
    reader, complaints = use_sdk(), logged_by("opentelemetry")
    with quiet_manager() as manager:
        found, sample = seen(reader), manager.get_current_metrics()
    measured = {
        "hw.host.power W": sample.power_watts,
        "hw.temperature Cel": sample.temperature_celsius,
        "hw.gpu.utilization 1": sample.gpu_utilization / 100,
        "amptalk.application.gpu.memory.usage By": sample.gpu_memory_mb * MB,
    }
    absent = {name for name, value in measured.items() if value != value}  # noqa: PLR0124 - nan
    assert absent
    assert not absent & found.keys()
    assert measured.keys() - absent <= found.keys()
    assert complaints == []  # the SDK would leave nan out too, but with a warning at each scrape


@own_process
def test_prometheus_scrapes_a_running_manager_over_http() -> None:
    from opentelemetry import metrics
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider
    from prometheus_client import start_http_server

    metrics.set_meter_provider(MeterProvider([PrometheusMetricReader()]))
    server, thread = start_http_server(0, "127.0.0.1")
    with quiet_manager("camera") as manager:
        url = f"http://127.0.0.1:{server.server_port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as response:
            text = response.read().decode()
        used = manager.get_current_metrics()["application.memory_mb"]
    server.shutdown()
    server.server_close()
    thread.join()
    [line] = [
        line for line in text.splitlines()
        if line.startswith("amptalk_application_memory_usage_bytes{")
    ]  # fmt: skip
    assert 'amptalk_manager="camera"' in line
    assert float(line.rsplit(" ", 1)[1]) == used * MB
    assert "NaN" not in text


@own_process
def test_actions_refusals_and_ticks_are_counted_as_they_happen() -> None:
    reader = use_sdk()
    cache = [ballast(100)]
    manager = create_resource_manager(max_memory_mb=used_mb() / 0.8, monitoring_interval=0.05)
    manager.hook("liar", lambda: "freed 500 MB", cost=0.05)
    manager.hook("drop_cache", cache.clear, cost=0.2)
    with manager:
        for _ in range(2):
            try:
                manager.admit("huge", memory_mb=1e6)
            except NeverFitsError:
                continue
            raise AssertionError("it cannot fit")
        eventually(lambda: bool(verdicts(manager, "drop_cache")), "both hooks are measured")
        ticks(manager, 2)
        found = seen(reader)
    actions = {
        (a["amptalk.action"], a["amptalk.verdict"], a["amptalk.resource"]): p.value
        for a, p in found["amptalk.action.count {action}"]
    }
    assert actions == {
        ("liar", "no effect", "memory"): 1,
        ("drop_cache", "worked", "memory"): 1,
    }
    [(attributes, refused)] = found["amptalk.admission.rejected {request}"]
    assert (attributes["amptalk.reason"], refused.value) == ("never_fits", 2)
    [(_, duration)] = found["amptalk.tick.duration s"]
    [(_, sampling)] = found["amptalk.sample.duration s"]
    assert duration.count >= 4
    assert duration.sum > sampling.sum > 0
