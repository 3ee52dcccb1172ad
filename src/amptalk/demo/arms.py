"""One run of the demonstration's application under a manager, and what came of it.

An arm is one such run. With handling the manager acts on its decisions, without
it the same manager only looks; everything else, the seed included, is the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from amptalk.demo.load import ModelServer, Work
from amptalk.manager import ResourceManager


class ArmResult(NamedTuple):
    """What one arm did to its limits and what it got done."""

    title: str
    seconds: float
    seconds_over: dict[str, float]
    """By resource name, for each limit set."""
    peak: dict[str, float]
    """By resource name, in the resource's unit."""
    violations: int
    work: Work


def run_arm(  # noqa: PLR0917 - an arm's whole description
    title: str,
    manager: ResourceManager,
    limit_mb: float,
    cores: float,
    seconds: float,
    seed: int,
    show: Callable[[ResourceManager, ModelServer | None], None],
) -> ArmResult:
    """Serve load for `seconds` under `manager`, calling `show` about twice a second."""
    server = ModelServer(manager, limit_mb, cores, seed)
    begun = time.monotonic()
    with manager:
        server.start()
        try:
            watch(manager, begun + seconds, lambda: show(manager, server))
        finally:
            work = server.work
            elapsed = time.monotonic() - begun
            server.stop()
    outcomes = manager.effectiveness()["limits"]
    limits = manager.limits.items()
    return ArmResult(
        title=title,
        seconds=elapsed,
        seconds_over={
            resource.name: outcomes.get(resource.name, {}).get("seconds_over", 0.0)
            for resource, _ in limits
        },
        peak={
            resource.name: manager.history.window(resource.field, elapsed + 1.0).maximum
            for resource, _ in limits
        },
        violations=len(manager.violations),
        work=work,
    )


def watch(manager: ResourceManager, until: float, show: Callable[[], None]) -> None:
    """Call `show` after each new sample until monotonic `until`."""
    seen = -1.0
    while (left := until - time.monotonic()) > 0:
        sample = manager.get_current_metrics()
        if sample.monotonic - seen >= SHOW_EVERY:
            seen = sample.monotonic
            show()
        time.sleep(min(left, 0.1))


SHOW_EVERY = 0.5
"""Seconds between two lines, at least."""
