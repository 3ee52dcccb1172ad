"""Swapping: to compressed memory (zram), and to a disk that is slow because QEMU throttles it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from amptalk.sensors.thrashing import SWAP_RAM_MB_S
from tests.helpers import eventually
from tests.vm.guest.groups import Workers, cycling
from tests.vm.guest.looking import MEDIUM, Look, watch_until, watching
from tests.vm.machine import DISK_BYTES_S

MB = 2**20
PAGES_A_MB = 256
DISK_MB_S = DISK_BYTES_S / MB


def swap_on(device: str) -> None:
    subprocess.run(["mkswap", device], check=True, capture_output=True)
    subprocess.run(["swapon", device], check=True)


@pytest.fixture
def zram() -> Iterator[None]:
    device = Path("/sys/block/zram0")
    (device / "disksize").write_text(str(128 * MB))
    swap_on("/dev/zram0")
    yield
    subprocess.run(["swapoff", "/dev/zram0"], check=True)
    (device / "reset").write_text("1")


@pytest.fixture
def disk() -> Iterator[None]:
    swap_on("/dev/vda")
    yield
    subprocess.run(["swapoff", "/dev/vda"], check=True)


def counters() -> tuple[int, int, int]:
    """Pages swapped in, swapped out and refaulted, as the kernel counts them."""
    lines = (line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    table = {name: int(number) for name, number in lines}
    refaults = table["workingset_refault_anon"] + table["workingset_refault_file"]
    return table["pswpin"], table["pswpout"], refaults


def swap_used_mb() -> float:
    _, *swaps = Path("/proc/swaps").read_text().splitlines()
    return sum(int(line.split()[3]) for line in swaps) / 1024


@pytest.mark.usefixtures("zram")
def test_swapping_is_counted_page_by_page(look: Look, workers: Workers) -> None:
    group = workers.group("small")
    group.set("memory.max", 40 * MB)
    earliest = counters()
    look.after(MEDIUM)
    latest = counters()
    pid = workers.start(cycling(80), group)
    eventually(lambda: counters()[0] > latest[0] + 10 * PAGES_A_MB, "10 MB are swapped in")
    least = [now - then for now, then in zip(counters(), latest, strict=True)]
    device = look.after(MEDIUM).device
    most = [now - then for now, then in zip(counters(), earliest, strict=True)]
    rates = (device.swap_in_mb_s, device.swap_out_mb_s, device.refault_mb_s)
    for low, rate, high in zip(least, rates, most, strict=True):
        assert low <= round(rate * MEDIUM * PAGES_A_MB) <= high
    assert device.refault_mb_s >= device.swap_in_mb_s * 0.5
    told = [text for text in look.suite.throttling().reasons if text.startswith("swap: ")]
    assert bool(told) == (rates[0] + rates[1] >= SWAP_RAM_MB_S)
    workers.end(pid)
    device = look.after(MEDIUM).device
    assert device.swap_total_mb == pytest.approx(128, abs=0.1)
    assert device.swap_used_mb == pytest.approx(swap_used_mb(), abs=1)


@pytest.mark.usefixtures("disk")
def test_a_slow_swap_disk_is_seen_as_slow_as_it_is(workers: Workers) -> None:
    group = workers.group("slowed")
    group.set("memory.high", 24 * MB)  # with memory.max the kernel kills: it cannot swap so fast
    with watching() as suite:
        workers.start(cycling(48), group)
        sample = watch_until(
            suite, lambda one: one.device.swap_in_mb_s > 1.0, "pages come back from the disk", 60
        )
        device = sample.device
        assert device.swap_in_mb_s < 1.1 * DISK_MB_S
        # Pages count as swapped out when they are handed to the disk, which has a queue.
        assert device.swap_in_mb_s + device.swap_out_mb_s < 2.0 * DISK_MB_S
        assert [text for text in suite.throttling().reasons if text.startswith("swap: ")]
        watch_until(
            suite, lambda one: one.device.pressure_memory_percent > 10.0, "work waits for pages", 60
        )
