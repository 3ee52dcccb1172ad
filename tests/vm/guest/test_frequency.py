"""Frequencies of the processor: the real acpi-cpufreq driver, and the kernel's own cooling."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import eventually
from tests.vm.guest.firmware import Firmware
from tests.vm.guest.looking import MEDIUM, Look

POLICIES = sorted(Path("/sys/devices/system/cpu/cpufreq").glob("policy*"))

PROCESSORS = Path("/sys/bus/cpu/drivers/processor")
HOT, COOL = 900, 300
"""0.1 °C above and below the passive trip point at 80 °C."""


def cap(kilohertz: int) -> None:
    for policy in POLICIES:
        (policy / "scaling_max_freq").write_text(str(kilohertz))


def test_a_capped_frequency_is_throttling_until_it_is_raised(look: Look) -> None:
    look.after(MEDIUM)
    assert not [text for text in look.suite.throttling().reasons if "frequency" in text]
    cap(1_000_000)
    try:
        look.after(MEDIUM)
        verdict = look.suite.throttling()
        assert verdict.slower
        assert "frequency cap: 2 of 2 policies may run at 1000 of 2000 MHz" in verdict.reasons
    finally:
        cap(2_000_000)
    look.after(2 * MEDIUM)  # a cause is kept for 10 s
    assert not [text for text in look.suite.throttling().reasons if "frequency" in text]


@pytest.fixture
def cooling(firmware: Firmware) -> Iterator[None]:
    """Processors that the kernel slows when they are hot.

    The kernel counted their frequencies before the driver of frequencies was loaded, and would
    take them for ones that cannot be slowed.
    """
    for processor in ("cpu0", "cpu1"):
        (PROCESSORS / "unbind").write_text(processor)
        (PROCESSORS / "bind").write_text(processor)
    yield
    firmware.set(decicelsius=COOL)
    eventually(lambda: highest() == 2_000_000, "the kernel lets the processors go again")


def highest() -> int:
    return min(int((policy / "scaling_max_freq").read_text()) for policy in POLICIES)


@pytest.mark.usefixtures("cooling")
def test_heat_that_makes_the_kernel_slow_the_processors_is_throttling(
    firmware: Firmware, look: Look
) -> None:
    firmware.set(decicelsius=HOT)
    eventually(lambda: highest() == 600_000, "the kernel slows the processors")
    assert look.anew().temperature_celsius == 90.0
    reasons = look.suite.throttling().reasons
    assert "frequency cap: 2 of 2 policies may run at 600 of 2000 MHz" in reasons
    assert [one for one in reasons if one.startswith("thermal: Processor cools in step 3 of 3")]
    firmware.set(decicelsius=COOL)
    eventually(lambda: highest() == 2_000_000, "the kernel lets the processors go again")
    look.anew()
    assert not [one for one in look.suite.throttling().reasons if one.startswith("thermal")]
