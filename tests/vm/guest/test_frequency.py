"""Frequencies of the processor: the real acpi-cpufreq driver."""

from __future__ import annotations

from pathlib import Path

from tests.vm.guest.looking import MEDIUM, Look

POLICIES = sorted(Path("/sys/devices/system/cpu/cpufreq").glob("policy*"))


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
