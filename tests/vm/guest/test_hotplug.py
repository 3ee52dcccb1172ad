"""A processor that goes offline and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from pathlib import Path

import pytest

from amptalk.model.sample import Sample
from tests.helpers import eventually
from tests.vm.guest.groups import Workers, busy
from tests.vm.guest.looking import MEDIUM, Look

SECOND = Path("/sys/devices/system/cpu/cpu1/online")


@pytest.fixture(autouse=True)
def both_online() -> Iterator[None]:
    yield
    if SECOND.read_text().strip() == "0":
        SECOND.write_text("1")


def plausible(look: Look, cores: int) -> Sample:
    """A reading with a rate of each online core, over at least some clock ticks, in 0-100."""
    told: list[Sample] = []

    def each_core() -> bool:
        told[:] = [look.after(MEDIUM)]
        rates = [one for one in told[0].cpu_percent_per_core if not isnan(one)]
        return len(rates) == cores and "device.cpu_percent" not in told[0].missing

    eventually(each_core, f"a rate of each of {cores} cores")
    sample = told[0]
    assert all(not one < 0.0 and not one > 100.0 for one in sample.cpu_percent_per_core)
    assert 0.0 <= sample.device.cpu_percent <= 100.0
    return sample


def test_cores_and_capacity_follow_the_processors_that_are_online(
    look: Look, workers: Workers
) -> None:
    workers.start(busy)
    for online, cores in (("", 2), ("0", 1), ("1", 2), ("0", 1), ("1", 2)):
        if online:
            SECOND.write_text(online)
        sample = plausible(look, cores)
        assert sample.device.cpu_count == cores
        assert look.suite.capacity.cpu_cores == cores
