"""Intel on made-up trees, with what a simpler reader would report instead."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.sensors.files import SensorFault
from amptalk.sensors.gpu.fdinfo import BusyShare, Client
from tests.sensors.gpu.cards import card, descriptor, put_all, read, row
from tests.sensors.trees import PID, Tree, opened, tree

__all__ = ["tree"]


def intel(tree: Tree, pci: str, driver: str = "i915") -> str:
    return card(tree, 0, pci, "0x8086", driver)


def test_an_intel_gpu_never_shows_its_clock_or_another_share_as_utilisation(tree: Tree) -> None:
    intel(tree, "0000:00:02.0")
    put_all(tree, "sys/class/drm/card0", {"gt_act_freq_mhz": "1300", "gt_max_freq_mhz": "1300"})
    descriptor(tree, PID, 3, drm_pdev="0000:00:02.0", drm_client_id="1",
               drm_engine_render="1000000000 ns", drm_resident_system0="65536 KiB")  # fmt: skip
    sample = read(tree)
    assert "not of the device" in sample.missing["gpu_utilization"]
    assert sample.gpu_memory_mb == 64
    assert sample.device.gpu_memory_total_mb == 7812.5, "the machine's"
    assert math.isnan(sample.device.gpu_memory_used_mb), "the machine's use is not the GPU's"
    assert "1300 MHz" in row(tree)


def test_a_discrete_intel_card_counts_its_own_memory(tree: Tree) -> None:
    intel(tree, "0000:03:00.0", "xe")
    descriptor(tree, PID, 3, drm_pdev="0000:03:00.0", drm_client_id="1",
               drm_resident_vram0="1 GiB", drm_resident_system="512 MiB")  # fmt: skip
    sample = read(tree)
    assert sample.gpu_memory_mb == 1024
    assert "ioctl" in sample.missing["device.gpu_memory_total_mb"]


def test_a_kernel_without_memory_by_process_is_missing_not_0(tree: Tree) -> None:
    intel(tree, "0000:00:02.0")
    descriptor(tree, PID, 3, drm_pdev="0000:00:02.0", drm_client_id="1")
    assert "does not tell memory by process" in read(tree).missing["gpu_memory_mb"]


@given(st.integers(0, 10**10), st.integers(0, 10**10), st.sampled_from([(0.0, 0.0), (1.0, 1e9)]))
def test_the_busy_share_is_never_beyond_what_can_be(
    before: int, after: int, totals: tuple[float, float]
) -> None:
    share = BusyShare()
    with pytest.raises(SensorFault, match="two readings"):
        share.feed(1.0, {"1": Client({}, {"render": (before, totals[0])})})
    came = Client({}, {"copy": (9e9, 9e9)})
    value = share.feed(2.0, {"1": Client({}, {"render": (after, totals[1])}), "2": came})
    assert 0 <= value <= 100
    assert (value > 0) == (after > before)


def test_a_load_in_cycles_is_a_share_of_all_cycles_of_all_engines(tree: Tree) -> None:
    """Of xe: 4 compute engines, 1.2e9 of 1e9 cycles each; busy ns, or 120 %, it is not."""
    intel(tree, "0000:03:00.0", "xe")
    shown = {"drm_pdev": "0000:03:00.0", "drm_client_id": "1", "drm_resident_vram0": "1 GiB",
             "drm_engine_capacity_ccs": "4"}  # fmt: skip
    descriptor(tree, PID, 3, **shown, drm_cycles_ccs="0", drm_total_cycles_ccs="0")
    with opened(tree.suite()) as suite:
        suite.read()
        text = "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in shown.items())
        more = "drm-cycles-ccs: 1200000000\ndrm-total-cycles-ccs: 1000000000\n"
        tree.put(f"proc/{PID}/fdinfo/3", text + more)
        tree.clock.advance(6)
        suite.read()
        (one,) = suite.gpus()
    assert one.application_utilization == 30


@pytest.mark.parametrize(
    ("label", "file"), [("card", "energy1_input"), ("pkg", "energy2_input")], ids=["i915", "xe"]
)
def test_intel_power_is_the_difference_of_its_counter_over_a_minute_at_most(
    tree: Tree, label: str, file: str
) -> None:
    folder = f"{intel(tree, '0000:03:00.0')}/hwmon/hwmon11"
    put_all(tree, folder, {"energy1_label": label, "energy1_input": "5", file: "262100000000"})
    with opened(tree.suite()) as suite:

        def watts(joules: float, seconds: float) -> float:
            tree.put(f"{folder}/{file}", f"{int(joules * 1e6)}\n")
            tree.clock.advance(seconds)
            suite.read()
            return suite.gpus()[0].power_watts

        suite.read()
        assert watts(262200, 5) == pytest.approx(20)
        assert math.isnan(watts(56, 5)), "-52 kW would be the difference over a wrap at 2**18 J"
        assert watts(156, 5) == pytest.approx(20)
        assert math.isnan(watts(256, 1200)), "0.1 W would be the difference over a missed wrap"
        assert "two plausible readings" in suite.gpus()[0].missing["power_watts"]
        assert watts(356, 5) == pytest.approx(20)


@pytest.mark.parametrize("driver", ["i915", "xe"])
def test_what_holds_an_intel_gpu_back_is_in_the_verdict(tree: Tree, driver: str) -> None:
    device = intel(tree, "0000:03:00.0", driver)
    where = {
        "i915": "sys/class/drm/card0/gt/gt0/throttle_reason_",
        "xe": f"{device}/tile0/gt0/freq0/throttle/reason_",
    }[driver]
    for name, bit in {"pl1": 1, "pl2": 0, "thermal": 1, "prochot": 0}.items():
        tree.put(f"{where}{name}", f"{bit}\n")
    with opened(tree.suite()) as suite:
        for _ in range(2):
            tree.clock.advance(6)
            suite.read()
        assert suite.gpus()[0].throttle_reasons == ("power cap (sustained)", "thermal")
        (reason,) = (one for one in suite.throttling().reasons if one.startswith("GPU"))
    assert reason == f"GPU: Intel GPU ({driver}): power cap (sustained), thermal"
