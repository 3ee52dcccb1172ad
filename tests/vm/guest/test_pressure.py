"""Pressure stall information under real want of memory."""

from __future__ import annotations

from tests.vm.guest.groups import Workers, growing
from tests.vm.guest.looking import watch_until, watching

MB = 2**20


def test_want_of_memory_is_pressure_and_ends_with_its_cause(workers: Workers) -> None:
    group = workers.group("tight")
    group.set("memory.high", 30 * MB)
    group.set("memory.swap.max", 0)
    with watching() as suite:
        sample = watch_until(
            suite, lambda one: "device.pressure_memory_percent" not in one.missing, "first rates"
        )
        assert sample.device.pressure_memory_percent < 5.0
        hog = workers.start(growing(100), group)
        sample = watch_until(
            suite, lambda one: one.device.pressure_memory_percent > 20.0, "pressure rises"
        )
        assert sample.device.pressure_memory_percent <= 100.0
        watch_until(
            suite,
            lambda _: any("memory pressure" in one for one in suite.throttling().reasons),
            "the verdict says so",
        )
        workers.end(hog)
        watch_until(suite, lambda one: one.device.pressure_memory_percent < 5.0, "it ends")
