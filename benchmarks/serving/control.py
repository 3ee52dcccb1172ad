"""Who says how much a batch may hold and whether the second model may be loaded.

`Fixed` says always the same, `Managed` is what an application does with this library. The
service in `process` is the same for both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
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


class Room(NamedTuple):
    """What a batch may hold at most; always one request."""

    most: int
    total: float
    """Of the sizes of its requests."""


class Control(Protocol):
    """Decides for a service. Used by its threads."""

    @contextmanager
    def batch(self, model: str, sizes: Sequence[float]) -> Iterator[Room]:
        """Hold a batch of some of the first requests that wait, of these sizes."""

    @contextmanager
    def loading(self) -> Iterator[bool]:
        """Hold the load of the second model; yields whether it may be loaded."""

    def close(self) -> dict[str, Any]:
        """End; returns what was done, by kind."""


class Fixed:
    """A batch as large as configured, every load allowed."""

    def __init__(self, room: Room) -> None:
        self._room = room

    @contextmanager
    def batch(self, model: str, sizes: Sequence[float]) -> Iterator[Room]:  # noqa: ARG002
        """As configured."""
        yield self._room

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
    def batch(self, model: str, sizes: Sequence[float]) -> Iterator[Room]:
        """No more than the knob says and than there is room for, as learned from batches."""
        count = len(sizes) if self._knob is None else min(len(sizes), int(self._knob.value))
        totals = list(accumulate(sizes[:count]))
        with self._manager.admit(f"batch {model}", size=totals) as admitted:
            yield Room(count, admitted.size)

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
