"""What a running manager saved, in each format, is what it saw."""

from __future__ import annotations

import csv
import json
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from amptalk import ResourceManager, create_resource_manager, load_metrics
from amptalk.history.document import MetricsDocument
from tests.helpers import DEADLINE, ROOT, eventually
from tests.integration.support import ballast, events_of, own_process, ticks, used_mb, verdicts

SHORT = (
    "memory_used_mb", "memory_percent", "cpu_percent", "gpu_memory_mb", "gpu_utilization",
    "power_watts", "temperature_celsius",
)  # fmt: skip


@contextmanager
def eventful_run() -> Iterator[tuple[ResourceManager, Path]]:
    """A running manager with violations, actions, refusals and notices to tell of."""
    cache, begun = [ballast(60)], threading.Event()

    def drop() -> None:
        begun.wait(DEADLINE)
        cache.clear()

    manager = create_resource_manager(
        max_memory_mb=used_mb() / 1.1, max_power_watts=5000, monitoring_interval=0.05, name="edge"
    )
    manager.hook("drop_cache", drop, cost=0.3)
    with tempfile.TemporaryDirectory() as folder, manager:
        eventually(lambda: bool(manager.violations), "a violation begins")
        begun.set()
        eventually(lambda: bool(verdicts(manager, "drop_cache")), "an action is measured")
        eventually(lambda: manager.violations[0].ended is not None, "the violation ends")
        ticks(manager, 3)
        yield manager, Path(folder)


def check_samples(document: MetricsDocument, manager: ResourceManager) -> None:
    """The rows are those of the manager's history."""
    samples = document.samples
    assert len({len(column) for column in samples.values()}) == 1  # what a data frame needs
    assert len(document) >= 6
    assert set(SHORT) <= samples.keys()
    window = manager.history.window("memory_used_mb", 3600)
    shown = dict(zip(samples["time"], samples["memory_used_mb"], strict=True))
    for time, value in zip(window.times, window.values, strict=True):
        if time in shown:
            assert shown[time] == value
    both = shown.keys() & set(window.times)
    assert len(both) == len(document)
    steps = [value for value in samples["monotonic"] if value is not None]
    assert steps == sorted(steps)
    assert document.units["memory_used_mb"] == "MB"
    assert document.warnings == []


def check_what_happened(document: MetricsDocument, manager: ResourceManager) -> None:
    for name in SHORT:
        if all(value is None for value in document.samples[name]):
            assert document.missing[name]
    assert document.config["manager"] == "edge"
    assert document.config["limits"].keys() == {"memory", "power"}
    kinds = [event["kind"] for event in document.events]
    assert {"notice", "level", "violation", "action"} <= set(kinds)
    told = [event for event in document.events if event.get("action") == "drop_cache"]
    [event] = [e for e in events_of(manager, "action") if e["action"] == "drop_cache"]
    assert told == [event]
    [violation] = document.violations
    assert violation["resource"] == "memory"
    assert violation["peak"] == manager.violations[0].peak > violation["limit"]
    assert violation["started"] < violation["ended"]
    assert "drop_cache: worked" in violation["actions"]
    assert document.effectiveness["strategy"] == "dynamic"
    assert document.effectiveness["actions"]["drop_cache"]["worked"] == 1
    assert document.effectiveness["limits"]["memory"]["breaches"] == 1
    assert document.effectiveness["limits"]["memory"]["seconds_over"] > 0


@own_process
def test_each_format_saved_while_running_holds_the_same_figures() -> None:
    with eventful_run() as (manager, folder):
        paths = [folder / f"metrics.{suffix}" for suffix in ("json", "jsonl", "csv", "sqlite")]
        for path in paths:
            manager.save_metrics(path)
        assert manager.running
        for path in paths:
            document = load_metrics(path)
            check_samples(document, manager)
            if path.suffix != ".csv":  # which has the samples only
                check_what_happened(document, manager)
        assert sorted(path.name for path in folder.iterdir()) == sorted(p.name for p in paths)


@own_process
def test_formats_are_read_by_other_tools_with_the_same_figures() -> None:
    with eventful_run() as (manager, folder):
        manager.stop_monitoring()
        for suffix in ("json", "csv", "sqlite", "jsonl"):
            manager.save_metrics(folder / f"metrics.{suffix}")
        expected = load_metrics(folder / "metrics.json").samples["memory_used_mb"]
        with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [float(row["memory_used_mb"]) for row in rows] == expected
        with closing(sqlite3.connect(folder / "metrics.sqlite")) as database:
            found = database.execute("SELECT memory_used_mb FROM samples").fetchall()
        assert [value for (value,) in found] == expected
        for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
            json.loads(line)


@own_process
def test_json_follows_its_published_schema() -> None:
    schema = json.loads((ROOT / "docs" / "metrics.schema.json").read_text(encoding="utf-8"))
    with eventful_run() as (manager, folder):
        manager.save_metrics(folder / "metrics.json")
        text = (folder / "metrics.json").read_text(encoding="utf-8")

    def refuse(name: str) -> Any:
        raise AssertionError(f"{name} is not strict JSON")

    check_schema(json.loads(text, parse_constant=refuse), schema, "document")


_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "number": (int, float), "null": type(None),
}  # fmt: skip


def check_schema(value: Any, schema: dict[str, Any], place: str) -> None:
    """The part of JSON Schema that ours uses, without patterns of names."""
    if "const" in schema:
        assert value == schema["const"], place
    allowed = schema.get("type")
    if allowed is not None:
        names = [allowed] if isinstance(allowed, str) else allowed
        assert any(isinstance(value, _TYPES[name]) for name in names), f"{place}: {value!r}"
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            check_schema(item, schema["items"], f"{place}[{number}]")
    if not isinstance(value, dict):
        return
    assert set(schema.get("required", ())) <= value.keys(), place
    others = schema.get("additionalProperties")
    patterns = list(schema.get("patternProperties", {}).values())
    for name, item in value.items():
        known = schema.get("properties", {}).get(name) or (patterns or [others])[0]
        assert known is not False, f"{place} has {name!r}, which the schema does not know"
        if isinstance(known, dict):
            check_schema(item, known, f"{place}.{name}")


def test_the_schema_check_of_these_tests_finds_faults() -> None:
    schema = json.loads((ROOT / "docs" / "metrics.schema.json").read_text(encoding="utf-8"))
    sound = {"schema_version": 1, "samples": {"time": [1.0], "monotonic": [2.0]}, "events": []}
    check_schema(sound, schema, "document")
    for fault in (
        {"schema_version": 2},
        {"samples": {"time": [1.0]}},
        {"samples": {"time": ["1"], "monotonic": [2.0]}},
        {"samples": {"time": [1.0], "monotonic": [2.0], "cpu_percent": 3}},
        {"events": [{"kind": "level"}]},
        {"units": {"time": 1}},
    ):
        try:
            check_schema({**sound, **fault}, schema, "document")
        except AssertionError:
            continue
        raise AssertionError(f"{fault} passes")


@own_process
def test_a_recording_holds_what_was_saved_to_its_resolution() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.ring"
        manager = create_resource_manager(max_memory_mb=1000, monitoring_interval=0.05, record=path)
        manager.knob("batch", minimum=1, maximum=8)
        with manager:
            ticks(manager, 5)
            while_running = len(load_metrics(path))  # read by another while it is written
        manager.save_metrics(Path(folder) / "run.json")
        recorded, saved = load_metrics(path), load_metrics(Path(folder) / "run.json")
    assert 5 <= while_running <= len(recorded)
    pairs = [
        (kept[1], given[1])
        for kept in rows_of(recorded)
        for given in rows_of(saved)
        if abs(kept[0] - given[0]) < 0.001
    ]
    assert len(pairs) >= 5
    for recorded_mb, saved_mb in pairs:
        assert abs(recorded_mb - saved_mb) <= 1 / 256


def rows_of(document: MetricsDocument) -> list[tuple[float, float]]:
    """Monotonic time and memory of each row."""
    columns = document.samples["monotonic"], document.samples["memory_used_mb"]
    return [(at, used) for at, used in zip(*columns, strict=True) if at and used]
