"""OpenTelemetry sees the last samples of the managers that run, and nothing that is missing."""

from __future__ import annotations

import logging
import math
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import metrics
from opentelemetry.metrics import _internal
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from amptalk.model.action import Verdict
from amptalk.model.decision import Decision
from amptalk.model.resource import MEMORY, Resource
from amptalk.model.sample import Columns, Field, Sample
from amptalk.telemetry import opentelemetry as otel
from tests.helpers import output_of
from tests.telemetry.sources import FakeManager, report, sample, state, tick

MEASURED = {
    "device.memory_used_mb": 2048.0,
    "device.cpu_percent": 25.0,
    "device.temperature_celsius": 61.5,
    "device.pressure_memory_percent": 3.0,
    "device.pressure_io_percent": 7.0,
    "container.memory_limit_mb": math.inf,
    "container.oom_kills": 2.0,
}


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a new process: no provider set, nothing registered."""
    monkeypatch.setattr(_internal, "_METER_PROVIDER", None)
    monkeypatch.setattr(
        _internal, "_METER_PROVIDER_SET_ONCE", type(_internal._METER_PROVIDER_SET_ONCE)()
    )
    monkeypatch.setattr(_internal, "_PROXY_METER_PROVIDER", _internal._ProxyMeterProvider())
    monkeypatch.setattr(otel, "_registration", otel._Registration())
    monkeypatch.setattr(otel, "events", otel.Events())
    yield


def use_sdk() -> InMemoryMetricReader:
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader], shutdown_on_exit=False))
    return reader


def seen(reader: InMemoryMetricReader) -> dict[str, list[tuple[dict[str, Any], Any]]]:
    """Metric name to (attributes, point)."""
    data = reader.get_metrics_data()
    found: dict[str, list[tuple[dict[str, Any], Any]]] = {}
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            assert scope.scope.name == "amptalk"
            assert scope.scope.version
            assert scope.schema_url == "https://opentelemetry.io/schemas/1.44.0"
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    found.setdefault(metric.name, []).append((dict(point.attributes or {}), point))
    return found


def check_one_manager(reader: InMemoryMetricReader) -> None:
    found = seen(reader)
    [(attributes, point)] = found["system.memory.usage"]
    assert attributes == {"amptalk.manager": "one", "system.memory.state": "used"}
    assert point.value == 2048 * 1024**2
    assert found["system.cpu.utilization"][0][1].value == pytest.approx(0.25)
    assert found["hw.temperature"][0][1].value == 61.5


@pytest.mark.usefixtures("fresh")
def test_a_provider_set_before_the_manager_sees_it() -> None:
    reader = use_sdk()
    assert otel.register([FakeManager("one", MEASURED)])
    check_one_manager(reader)


@pytest.mark.usefixtures("fresh")
def test_a_provider_set_after_the_manager_sees_it() -> None:
    managers = [FakeManager("one", MEASURED)]
    assert otel.register(managers)
    reader = use_sdk()
    check_one_manager(reader)
    otel.events.tick("one", tick(0.003))
    assert seen(reader)["amptalk.tick.duration"][0][1].sum == 0.003


@pytest.mark.usefixtures("fresh")
def test_missing_and_infinite_values_yield_no_observation() -> None:
    reader = use_sdk()
    otel.register([FakeManager("one", MEASURED)])
    found = seen(reader)
    assert "hw.host.power" not in found
    assert "amptalk.container.memory.limit" not in found
    assert found["amptalk.container.oom_kills"][0][1].value == 2
    pressure = {
        a["amptalk.linux.pressure.resource"] for a, _ in found["amptalk.linux.pressure.ratio"]
    }
    assert pressure == {"memory", "io"}
    points = [point for series in found.values() for _, point in series]
    assert all(math.isfinite(point.value) for point in points)


@pytest.mark.usefixtures("fresh")
def test_signals_are_told_in_their_own_unit_and_apart_from_what_sensors_measure() -> None:
    reader = use_sdk()
    manager = FakeManager("one", MEASURED)
    loss = Resource("loss_percent", "%", "rate", "loss_percent", device_wide=False)
    columns = Columns((Field("loss_percent", "%"), Field("queue", "1")))
    row = sample(MEASURED).row
    manager.sample = Sample(0.0, 0.0, (*row, 2.5, math.nan), columns=columns)
    manager.limits = (*manager.limits, state(loss, 2.5, 5.0))
    otel.register([manager])
    found = seen(reader)
    attributes = {
        "amptalk.manager": "one", "amptalk.resource": "loss_percent", "amptalk.unit": "%",
    }  # fmt: skip
    [(told, point)] = found["amptalk.signal.value"]
    assert (told, point.value) == (attributes, 2.5)
    [(told, point)] = found["amptalk.signal.limit"]
    assert (told, point.value) == (attributes, 5.0)
    assert "amptalk.limit.busy" not in found  # no limit on a busy share
    levels = {a["amptalk.resource"] for a, _ in found["amptalk.limit.level"]}
    assert levels == {"memory", "temperature", "loss_percent"}


@pytest.mark.usefixtures("fresh")
def test_limits_levels_and_allocations_are_told_by_resource() -> None:
    reader = use_sdk()
    manager = FakeManager("one", MEASURED)
    otel.register([manager])

    def of(name: str) -> dict[str, float]:
        return {a["amptalk.resource"]: p.value for a, p in seen(reader).get(name, [])}

    assert of("amptalk.limit.utilization") == {"memory": 0.75}
    assert of("amptalk.limit.level") == {"memory": 1, "temperature": 0}
    assert of("amptalk.limit.time_left") == {"memory": 12.5}
    assert of("amptalk.limit.memory") == {"memory": 1000 * 1024**2}
    assert of("amptalk.limit.temperature") == {"temperature": 80}
    assert of("amptalk.allocation") == {"memory": 0.4}
    manager.limits = (state(MEMORY, math.nan, 1000.0, blind=True),)
    manager.decision = Decision("dynamic", ())
    assert of("amptalk.limit.utilization") == {}
    assert of("amptalk.limit.blind") == {"memory": 1}
    assert of("amptalk.allocation") == {}


@pytest.mark.usefixtures("fresh")
def test_two_managers_are_told_apart_and_a_stopped_one_vanishes() -> None:
    reader = use_sdk()
    one, two = FakeManager("one", MEASURED), FakeManager("two", {"device.cpu_percent": 50.0})
    managers = [one, two]
    otel.register(managers)

    def cpu() -> dict[str, float]:
        series = seen(reader).get("system.cpu.utilization", [])
        return {a["amptalk.manager"]: p.value for a, p in series}

    assert cpu() == {"one": 0.25, "two": 0.5}
    one.sample = None
    assert cpu() == {"two": 0.5}
    assert {a["amptalk.manager"] for a, _ in seen(reader)["amptalk.limit.level"]} == {"two"}
    managers.clear()
    assert seen(reader) == {}


@pytest.mark.usefixtures("fresh")
def test_eight_threads_registering_create_one_set(caplog: pytest.LogCaptureFixture) -> None:
    reader = use_sdk()
    barrier = threading.Barrier(8)
    managers = [FakeManager("one", MEASURED)]
    answers = []

    def register() -> None:
        barrier.wait()
        answers.append(otel.register(managers))

    threads = [threading.Thread(target=register) for _ in range(8)]
    with caplog.at_level(logging.WARNING):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [True] * 8
    assert caplog.records == []
    assert len(seen(reader)["system.memory.usage"]) == 1


@pytest.mark.usefixtures("fresh")
def test_events_are_counted_and_durations_fall_into_buckets_of_their_size() -> None:
    reader = use_sdk()
    otel.register([])
    otel.events.tick("one", tick(0.002, report("gc"), report("trim", Verdict.NO_EFFECT)))
    otel.events.tick("one", tick(0.004, report("gc")))
    otel.events.admission_rejected("one", "never_fits")
    found = seen(reader)
    actions = {
        (a["amptalk.action"], a["amptalk.verdict"]): p.value
        for a, p in found["amptalk.action.count"]
    }
    assert actions == {("gc", "worked"): 2, ("trim", "no effect"): 1}
    [(attributes, rejected)] = found["amptalk.admission.rejected"]
    assert (attributes["amptalk.reason"], rejected.value) == ("never_fits", 1)
    [(_, ticks)] = found["amptalk.tick.duration"]
    assert ticks.count == 2
    assert sum(count > 0 for count in ticks.bucket_counts) == 2
    assert found["amptalk.sample.duration"][0][1].sum == pytest.approx(0.003)


@pytest.mark.usefixtures("fresh")
def test_telling_before_registration_and_telling_what_the_sdk_refuses_is_harmless() -> None:
    otel.events.tick("one", tick())
    otel.events.action("one", report())
    otel.events.admission_rejected("one", "timeout")
    otel.register([])

    class Refusing:
        def record(self, *arguments: object) -> None:
            raise RuntimeError("refused")

    otel.events._ticks = Refusing()
    otel.events.tick("one", tick())


@pytest.mark.usefixtures("fresh")
def test_instruments_that_cannot_be_made_are_logged_once_and_cost_nothing_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("an SDK with a fault")

    monkeypatch.setattr(metrics, "get_meter", broken)
    assert [otel.register([]) for _ in range(3)] == [False] * 3
    assert len(caplog.records) == 1


def test_a_half_imported_api_is_not_available_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    assert otel.available()
    half = types.ModuleType("opentelemetry.metrics")
    half.__spec__ = types.SimpleNamespace(_initializing=True)  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", half)
    assert not otel.available()
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", None)
    assert not otel.available()


def test_an_import_that_another_thread_is_in_the_middle_of_is_waited_out() -> None:
    # A meta path hook holds the import of the API's last part until the check was made.
    assert output_of(
        "import sys, threading, importlib.abc\n"
        "from amptalk.telemetry import opentelemetry as otel\n"
        "reached, go = threading.Event(), threading.Event()\n"
        "class Slow(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'opentelemetry.metrics._internal':\n"
        "            reached.set(); go.wait(20)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "def load():\n"
        "    import opentelemetry.metrics\n"
        "thread = threading.Thread(target=load); thread.start(); reached.wait(20)\n"
        "during = 'opentelemetry.metrics' in sys.modules, otel.available(), otel.register([])\n"
        "go.set(); thread.join()\n"
        "print(during, otel.available(), otel.register([]))"
    ).split() == ["(True,", "False,", "False)", "True", "True"]


def test_without_the_api_nothing_is_imported_and_nothing_registered() -> None:
    assert (
        output_of(
            "import sys\n"
            "from amptalk.telemetry import opentelemetry as otel\n"
            "from tests.telemetry.sources import tick\n"
            "assert not otel.register([])\n"
            "otel.events.tick('one', tick())\n"
            "print([name for name in sys.modules if name.startswith('opentelemetry')])",
            cwd=None,
        ).strip()
        == "[]"
    )


def test_the_api_without_an_sdk_is_a_no_op() -> None:
    assert (
        output_of(
            "import sys\n"
            "import opentelemetry.metrics\n"
            "from amptalk.telemetry import opentelemetry as otel\n"
            "from tests.telemetry.sources import FakeManager, report, tick\n"
            "assert otel.register([FakeManager('one', {})])\n"
            "otel.events.tick('one', tick(0.1, report()))\n"
            "print('opentelemetry.sdk' in sys.modules)"
        ).strip()
        == "False"
    )


def test_prometheus_scrapes_what_was_seen() -> None:
    text = output_of(
        "import urllib.request\n"
        "from opentelemetry import metrics\n"
        "from opentelemetry.exporter.prometheus import PrometheusMetricReader\n"
        "from opentelemetry.sdk.metrics import MeterProvider\n"
        "from prometheus_client import start_http_server\n"
        "from amptalk.telemetry import opentelemetry as otel\n"
        "from tests.telemetry.sources import FakeManager\n"
        "metrics.set_meter_provider(MeterProvider([PrometheusMetricReader()]))\n"
        "values = {'device.memory_used_mb': 1.0, 'device.power_watts': 7.5}\n"
        "managers = [FakeManager('one', values)]\n"
        "otel.register(managers)\n"
        "server, thread = start_http_server(0, '127.0.0.1')\n"
        "url = f'http://127.0.0.1:{server.server_port}/metrics'\n"
        "print(urllib.request.urlopen(url, timeout=10).read().decode())\n"
        "server.shutdown(); server.server_close(); thread.join()"
    )
    lines = {
        line.split("{")[0]: line for line in text.splitlines() if line and not line.startswith("#")
    }
    memory = lines["system_memory_usage_bytes"]
    assert 'amptalk_manager="one"' in memory
    assert 'system_memory_state="used"' in memory
    assert float(memory.rsplit(" ", 1)[1]) == 1024**2
    assert float(lines["hw_host_power_watts"].rsplit(" ", 1)[1]) == 7.5
    assert "amptalk_limit_utilization" in lines
    assert not any(line.endswith("NaN") for line in lines.values())
