"""What is read of NVIDIA GPUs, through the real binding and a double of the driver's library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sensors.gpu.doubled import MB, Machine, gpu, without_compiler

pytestmark = without_compiler
UNTOLD = 2**64 - 1
"""NVML_VALUE_NOT_AVAILABLE."""


def test_values_of_a_card(machine: Machine) -> None:
    (said,) = machine.run({"count": 1, **gpu()})
    values = said["values"]
    assert values["device.gpu_utilization"] == values["gpu_utilization"] == 37
    assert values["application.gpu_memory_mb"] == 400, "800 would count the process twice"
    assert values["device.gpu_memory_total_mb"] == 8192
    assert values["device.gpu_memory_used_mb"] == 1000, "1300 would count what is reserved"
    (row, *_) = said["rows"]
    for told in ("Card 0 (GPU-0, 0000:01:00.0)", "15.2 W", "71 °C", "1500 MHz",
                 "held back by thermal (hardware)"):  # fmt: skip
        assert told in row


def test_a_driver_of_before_2023_gives_the_same_but_for_what_it_reserves(
    machine: Machine, old_library: Path
) -> None:
    machine.library = old_library
    (said,) = machine.run({"count": 1, **gpu()})
    assert said["values"]["device.gpu_memory_used_mb"] == 1300
    assert "reserves included" in said["origins"]["device.gpu_memory_used_mb"]
    (one,) = said["gpus"]
    assert one["temperature_celsius"] == 71
    assert one["throttle_reasons"] == ["thermal (hardware)"]


COUNTING = """
import amptalk.sensors.gpu.nvml as nvml
real = nvml.Nvml.call
def call(self, name, *more):
    if name == "nvmlDeviceGetTotalEnergyConsumption":
        return 1_000_000 + 20_000 * clock.monotonic()
    return real(self, name, *more)
nvml.Nvml.call = call
"""
"""A counter of mJ that rises by 20 W."""


def test_power_is_the_difference_of_the_energy_counter(machine: Machine) -> None:
    state = {"count": 1, **gpu(power=9000, energy=1_000_000)}
    (said,) = machine.run(state, before=COUNTING)
    assert said["gpus"][0]["power_watts"] == pytest.approx(20), "9 is the driver's own average"
    assert said["sources"][0]["power_watts"].startswith("derived NVML nvmlDeviceGetTotalEnergy")
    (seldom,) = machine.run(state, before=COUNTING, seconds=120)
    assert seldom["gpus"][0]["power_watts"] == 9, "in two minutes it may have slept or wrapped"


def test_without_a_counter_or_when_it_starts_again_power_is_the_drivers_average(
    machine: Machine,
) -> None:
    without, _, back = machine.run(
        {"count": 1, **gpu(power=9000)}, {"0.energy": 1_000_000}, {"0.energy": 500}
    )
    assert without["gpus"][0]["power_watts"] == 9
    assert without["sources"][0]["power_watts"] == "measured NVML nvmlDeviceGetPowerUsage"
    assert back["gpus"][0]["power_watts"] >= 0, "-333 W would be the difference"


def test_what_is_not_supported_is_missing_and_the_rest_stays(machine: Machine) -> None:
    without = {"0.util": None, "0.power": None, "0.temp": None, "0.events": None}
    (said,) = machine.run({"count": 1, **gpu(), **without})
    assert said["values"]["gpu_utilization"] is None
    assert "does not support" in said["missing"]["gpu_utilization"]
    assert said["values"]["device.gpu_memory_total_mb"] == 8192
    assert any("power_watts" in row for row in said["rows"])
    assert "does not support" in said["reasons"][0]["throttle_reasons"], "not: nothing holds it"
    assert said["throttling"] == []


def test_what_holds_the_sampled_gpu_back_is_in_the_verdict(machine: Machine) -> None:
    """Bits for idle, applied settings and displays hold nothing back."""
    state = {"count": 2, **gpu(events="0x103"), **gpu(1, events="0x24")}
    (said,) = machine.run(state)
    assert said["throttling"] == [], "the other GPU is not the application's"
    (said,) = machine.run(state, gpu="1", seconds=3)
    assert said["throttling"] == ["GPU: Card 1: power cap, thermal (software)"]


def test_mig_instances_have_memory_and_no_utilisation(machine: Machine) -> None:
    instance: dict[str, Any] = {"util": 90, "graphics": None, "bar1": None}
    state = {
        "count": 1, **gpu(mig=7),
        **gpu(100, **instance, total=4864 * MB, used=500 * MB, uuid="MIG-a", compute=""),
        **gpu(102, **instance, total=9856 * MB, used=700 * MB, uuid="MIG-c"),
    }  # fmt: skip
    (said,) = machine.run(state)
    assert said["values"]["device.gpu_memory_total_mb"] == 4864, "8192 is the whole board"
    assert said["values"]["application.gpu_memory_mb"] == 0
    assert "MIG" in said["missing"]["gpu_utilization"], "90 would be the board's"
    assert [one["uuid"] for one in said["gpus"]] == ["MIG-a", "MIG-c"]
    assert said["gpus"][1]["power_watts"] != 15.25
    assert "whole board" in said["reasons"][1]["power_watts"]
    (second,) = machine.run(state, gpu="mig-C")
    assert second["values"]["device.gpu_memory_total_mb"] == 9856
    assert second["values"]["application.gpu_memory_mb"] == 400


@pytest.mark.parametrize(
    "memory",
    [{"0.total": None}, {"0.total": 0}, {"0.total": 7800 * MB}],
    ids=["not supported", "total 0", "total of the machine"],
)
def test_shared_memory_is_the_sum_of_processes_never_the_machines(
    machine: Machine, memory: dict[str, object]
) -> None:
    (said,) = machine.run({"count": 1, **gpu(used=7000 * MB, bar1=None), **memory})
    assert said["values"]["device.gpu_memory_used_mb"] == 501
    assert said["values"]["device.gpu_memory_total_mb"] == 7812.5
    assert said["origins"]["device.gpu_memory_used_mb"].startswith("derived")
    assert said["gpus"][0]["integrated"]


def test_a_card_as_large_as_the_machine_is_no_shared_memory(machine: Machine) -> None:
    (said,) = machine.run({"count": 1, **gpu(total=7800 * MB, used=2000 * MB, reserved=0)})
    assert said["values"]["device.gpu_memory_used_mb"] == 2000


def test_a_card_that_does_not_tell_its_memory_has_not_the_machines(machine: Machine) -> None:
    (said,) = machine.run({"count": 1, **gpu(total=None)})
    assert said["values"]["device.gpu_memory_total_mb"] is None, "7812.5 is the machine's"
    assert "memory of its own" in said["missing"]["device.gpu_memory_total_mb"]


def test_an_error_of_memory_is_no_sign_of_shared_memory(machine: Machine) -> None:
    (said,) = machine.run({"count": 1, **gpu(), "0.total.error": 4})
    assert said["values"]["device.gpu_memory_used_mb"] is None
    assert "may not call" in said["missing"]["device.gpu_memory_used_mb"]


@pytest.mark.parametrize(
    ("lists", "share"),
    [
        ({"compute": f"4242:{400 * MB}", "graphics": f"4242:{UNTOLD}"}, 400),
        ({"compute": f"4242:{UNTOLD}", "graphics": f"4242:{400 * MB}"}, 400),
        ({"compute": f"4242:{400 * MB}", "graphics": None}, 400),
        ({"compute": f"77:{MB}", "graphics": ""}, 0),
        ({"compute": f"4242:{UNTOLD}", "graphics": ""}, None),
        ({"compute.error": 4, "graphics": ""}, None),
        ({"compute": "", "graphics.error": 4}, None),
        ({"compute": None, "graphics": None}, None),
    ],
)
def test_the_applications_share_is_known_or_missing_but_never_too_low(
    machine: Machine, lists: dict[str, Any], share: float | None
) -> None:
    (said,) = machine.run({"count": 1, **gpu(**lists)})
    assert said["values"]["application.gpu_memory_mb"] == share


def test_a_domain_of_more_than_16_bits_is_written_as_sysfs_does(machine: Machine) -> None:
    """Behind Intel's VMD domains begin at 10000."""
    (said,) = machine.run({"count": 1, **gpu(pci="00010000:01:00.0")}, gpu="10000:01:00.0")
    assert said["gpus"][0]["pci_address"] == "10000:01:00.0"
