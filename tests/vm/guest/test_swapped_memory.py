"""Whose memory is swapped, and whether it still takes memory: compressed in RAM, or on a disk."""

from __future__ import annotations

import os
import select
import signal

import pytest

from amptalk.model.sample import Sample
from tests.helpers import eventually
from tests.vm.guest.groups import Workers
from tests.vm.guest.looking import MEDIUM, looking
from tests.vm.guest.test_swap import MB, disk, zram  # noqa: F401 - fixtures

HELD_MB = 80
_PATIENCE = 120.0


def hold(filled: int) -> None:
    """Hold memory of which half can be compressed, say so, and never look at it again."""
    blocks = [os.urandom(MB // 2) + bytes(MB // 2) for _ in range(HELD_MB)]
    os.write(filled, b".")
    while blocks:
        signal.pause()


def swapped(workers: Workers, name: str) -> Sample:
    """A worker of which half was swapped, once it takes no more memory.

    While it does, the kernel counts pages as the group's swap that are still in its page tables.
    """
    group = workers.group(name)
    group.set("memory.high", 40 * MB)
    ready, filled = os.pipe()
    with os.fdopen(ready), os.fdopen(filled, "w"):
        pid = workers.start(lambda: hold(filled), group)
        told, _, _ = select.select([ready], [], [], _PATIENCE)
    assert told, f"{HELD_MB} MB not filled within {_PATIENCE:g} s"
    eventually(
        lambda: group.number("memory.swap.current") > 30 * MB, "30 MB of it are swapped", _PATIENCE
    )
    with looking("application", pid) as look:
        look.after(MEDIUM)
        return look.after(MEDIUM)


@pytest.mark.usefixtures("zram")
def test_what_is_swapped_to_compressed_memory_still_counts_by_what_it_takes(
    workers: Workers,
) -> None:
    sample = swapped(workers, "compressed")
    application, device = sample.application, sample.device
    assert application.swap_mb > 30
    assert 0.3 * application.swap_mb < application.swap_ram_mb < 0.8 * application.swap_mb
    assert application.memory_mb == pytest.approx(
        application.anonymous_mb + application.shared_mb + application.swap_ram_mb, abs=0.1
    )
    assert device.swap_disk_mb < 0.5
    # Pages still go to and fro while one file is read after the other.
    assert device.swap_compressed_mb == pytest.approx(device.swap_used_mb, rel=0.1)
    assert sample.container.swap_mb == pytest.approx(application.swap_mb, rel=0.3)
    assert sample.container.working_set_mb > sample.container.memory_usage_mb - 5


@pytest.mark.usefixtures("disk")
def test_what_is_swapped_to_a_disk_takes_no_memory(workers: Workers) -> None:
    sample = swapped(workers, "written")
    assert sample.application.swap_mb > 20
    assert sample.application.swap_ram_mb == 0.0
    assert sample.device.swap_compressed_mb == 0.0
    assert sample.device.swap_disk_mb == pytest.approx(sample.device.swap_used_mb, rel=0.1)
