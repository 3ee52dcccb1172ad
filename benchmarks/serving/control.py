"""Who says how large a batch may be and whether the second model may be loaded.

`Fixed` says always the same, `Managed` is what an application does with this library. The
service in `process` is the same for both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from benchmarks.serving.scenarios import LARGEST_BATCH, Scenario

_LOAD_WAITS = 0.6
"""Seconds that the load of the second model waits for room: longer than a batch."""


_START_SECONDS = 1.0
"""What a restart takes beyond the load of the first model."""


class Levers(NamedTuple):
    """What the service can do when memory is short."""

    drop_cache: Callable[[], object]
    unload_second: Callable[[], object]
    allow_second: Callable[[], object]
    restart: Callable[[], object]
    """Answer what runs, then end; whoever watches the service starts it again."""


class Control(Protocol):
    """Decides for a service. Used by its threads."""

    @contextmanager
    def batch(self, model: str, most: int) -> Iterator[int]:
        """Hold a batch of the size that it yields, at most `most`."""

    @contextmanager
    def loading(self) -> Iterator[bool]:
        """Hold the load of the second model; yields whether it may be loaded."""

    def close(self) -> dict[str, Any]:
        """End; returns what was done, by kind."""


class Fixed:
    """A batch as large as configured, every load allowed."""

    def __init__(self, largest: int) -> None:
        self._largest = largest

    @contextmanager
    def batch(self, model: str, most: int) -> Iterator[int]:  # noqa: ARG002
        """As configured."""
        yield min(most, self._largest)

    @contextmanager
    def loading(self) -> Iterator[bool]:
        """Always."""
        yield True

    def close(self) -> dict[str, Any]:
        """Nothing was done."""
        return {}


class Managed:
    """The service under `create_resource_manager`, as an application would write it."""

    def __init__(self, scenario: Scenario, settings: dict[str, Any], levers: Levers) -> None:
        from amptalk import Level, create_resource_manager

        self._scenario = scenario
        self._manager = manager = create_resource_manager(
            max_memory_mb=scenario.budget,
            strategy=settings["strategy"],
            monitoring_interval=settings["interval"],
            learned=settings["learned"],
        )
        self._knob = (
            manager.knob("batch", minimum=1, maximum=LARGEST_BATCH, resource="memory")
            if settings["knob"]
            else None
        )
        if scenario.growth == "cache":
            manager.hook("drop cache", levers.drop_cache, cost=0.02)
        if scenario.second:
            manager.hook(
                "unload second", levers.unload_second, restore=levers.allow_second,
                level=Level.EMERGENCY, expected=scenario.second, cost=1.0,
            )  # fmt: skip
        manager.hook("restart", levers.restart, restart_seconds=scenario.load + _START_SECONDS)
        manager.start_monitoring()

    @contextmanager
    def batch(self, model: str, most: int) -> Iterator[int]:
        """No more than the knob says and than there is room for, as learned from batches."""
        if self._knob is not None:
            most = min(most, int(self._knob.value))
        with self._manager.admit(f"batch {model}", size=(1, max(1, most))) as admitted:
            yield int(admitted.size)

    @contextmanager
    def loading(self) -> Iterator[bool]:
        """Where its load is announced, ask for its memory; refused when there is no room."""
        from amptalk import AdmissionError

        if not self._scenario.announced:
            yield True
            return
        try:
            with self._manager.admit("load", memory_mb=self._scenario.second, timeout=_LOAD_WAITS):
                yield True
        except AdmissionError:
            yield False

    def close(self) -> dict[str, Any]:
        """Stop, and tell of what was done."""
        self._manager.stop_monitoring()
        done: Counter[str] = Counter()
        for event in self._manager.history.events:
            if event["kind"] == "action":
                done[f"{event['action'].split(':')[0]}: {event['verdict']}"] += 1
            elif self._knob and event["kind"] == "allocation" and event["share"] < event["was"]:
                done["shrink"] += 1
        return dict(done)
