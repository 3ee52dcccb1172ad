"""AMD and Jetson on made-up trees, each with what a simpler reader would report instead."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sensors.gpu.cards import MB, amd, descriptor, put_all, read, row
from tests.sensors.trees import PID, Tree, opened, tree

__all__ = ["tree"]


def test_without_a_gpu_there_is_a_reason_and_nothing_slow(tree: Tree) -> None:
    assert read(tree).missing["gpu_utilization"].startswith("no GPU:")
    with opened(tree.suite()) as suite:
        (report,) = (one for one in suite.describe() if one.name == "GPU")
    assert "no GPU" in report.missing


def test_a_connector_is_no_card_and_a_frame_buffer_no_gpu(tree: Tree) -> None:
    tree.put("sys/class/drm/card1-DP-1/status", "connected\n")
    (tree.root / "sys/class/drm/card0/device").mkdir(parents=True)
    assert read(tree).missing["gpu_utilization"].startswith("no GPU:")


def test_a_gpu_without_a_reader_is_named(tree: Tree) -> None:
    device = tree.root / "sys/class/drm/card0/device"
    device.mkdir(parents=True)
    (device / "driver").symlink_to("/sys/bus/platform/drivers/v3d")
    assert "no reader for the GPU of driver v3d" in read(tree).missing["gpu_utilization"]


def test_a_discrete_amd_card_has_its_own_memory_only(tree: Tree) -> None:
    amd(tree)
    descriptor(tree, PID, 7, drm_pdev="0000:03:00.0", drm_client_id="5",
               drm_memory_vram="409600 KiB", drm_memory_gtt="1024 KiB")  # fmt: skip
    sample = read(tree, "device")
    assert sample.gpu_utilization == 37
    assert sample.gpu_memory_mb == sample.device.gpu_memory_used_mb == 2000
    assert sample.device.gpu_memory_total_mb == 8176, "not 12176: GTT is the machine's memory"
    assert sample.application.gpu_memory_mb == 400
    assert sample.provenance["device.gpu_utilization"].method == "measured"
    assert sample.age("device.gpu_utilization") == 0


def test_an_amd_processor_counts_both_pools_and_says_whose_power_it_is(tree: Tree) -> None:
    device = amd(tree, mem_info_vram_total=str(512 * MB), mem_info_vram_used=str(400 * MB))
    put_all(tree, f"{device}/hwmon/hwmon12", {"in1_label": "vddnb", "power1_input": "15000000"})
    sample = read(tree)
    assert sample.device.gpu_memory_total_mb == 4512, "512 would be the part set aside at boot"
    assert sample.device.gpu_memory_used_mb == 700
    assert sample.provenance["device.gpu_memory_used_mb"].method == "derived"
    text = row(tree)
    assert "15.0 W" in text
    assert "shared memory" in text


@pytest.mark.parametrize("file", ["power1_average", "power1_input"])
def test_amd_power_is_in_one_of_two_files(tree: Tree, file: str) -> None:
    device = amd(tree)
    put_all(tree, f"{device}/hwmon/hwmon10", {file: "33000000", "temp1_input": "51000"})
    text = row(tree)
    assert "33.0 W" in text
    assert "51 °C" in text


def test_a_sleeping_card_is_not_touched(tree: Tree) -> None:
    device = amd(tree)
    tree.put(f"{device}/power/runtime_status", "suspended\n")
    sample = read(tree)
    assert all("asleep" in sample.missing[name] for name in
               ("device.gpu_utilization", "device.gpu_memory_used_mb"))  # fmt: skip
    tree.put(f"{device}/power/runtime_status", "active\n")
    assert read(tree).gpu_utilization == 37


def test_duplicated_and_inherited_descriptors_count_once(tree: Tree) -> None:
    amd(tree)
    tree.process(PID, children=(50,))
    tree.process(50, PID)
    tree.process(60)
    shown = {"drm_pdev": "0000:03:00.0", "drm_client_id": "5", "drm_memory_vram": "100 MiB"}
    for pid, number in ((PID, 3), (PID, 4), (50, 3)):
        descriptor(tree, pid, number, **shown)
    descriptor(tree, 50, 9, **{**shown, "drm_client_id": "6"})
    descriptor(tree, 50, 10, **{**shown, "drm_client_id": "7", "drm_pdev": "0000:99:00.0"})
    descriptor(tree, 60, 3, **{**shown, "drm_client_id": "8"})
    assert read(tree).gpu_memory_mb == 200, "500 would count descriptors, other GPUs and processes"


def test_memory_of_rocm_is_that_of_the_compute_driver(tree: Tree) -> None:
    amd(tree)
    node = "sys/class/kfd/kfd/topology/nodes/1"
    put_all(tree, node, {"gpu_id": "51007", "properties": "location_id 768\ndomain 0"})
    put_all(tree, f"sys/class/kfd/kfd/proc/{PID}", {"vram_51007": str(600 * MB)})
    assert read(tree).gpu_memory_mb == 600


def test_an_error_of_one_file_harms_no_other_value(tree: Tree) -> None:
    device = amd(tree, gpu_busy_percent="140")
    sample = read(tree)
    assert "140 % cannot be" in sample.missing["gpu_utilization"]
    assert sample.device.gpu_memory_used_mb == 2000
    tree.remove(f"{device}/mem_info_vram_used")
    assert "does not exist" in read(tree).missing["device.gpu_memory_used_mb"]


def test_descriptors_that_may_not_be_read_are_missing_not_0(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    amd(tree)
    real = os.listdir

    def refuse(path: str) -> list[str]:
        if str(path).endswith(f"{PID}/fd"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "listdir", refuse)
    sample = read(tree)
    assert "may not be read" in sample.missing["gpu_memory_mb"]
    assert sample.gpu_utilization == 37


def test_a_driver_that_tells_no_reasons_is_unknown_not_unhindered(tree: Tree) -> None:
    amd(tree)
    with opened(tree.suite()) as suite:
        for _ in range(2):
            tree.clock.advance(6)
            suite.read()
        assert any(one.startswith("GPU: amdgpu tells it") for one in suite.throttling().unknown)
        assert "gpu_metrics" in suite.gpus()[0].missing["throttle_reasons"]


def test_an_accelerator_without_an_edge_temperature_shows_its_junction(tree: Tree) -> None:
    put_all(tree, f"{amd(tree, 12)}/hwmon/hwmon10", {"temp2_input": "64000"})
    assert "64 °C" in row(tree)


def jetson(tree: Tree, load: str = "437") -> None:
    entry = "sys/class/devfreq/17000000.ga10b"
    put_all(tree, entry, {"cur_freq": "918000000", "device/load": load})


def test_a_jetson_says_its_load_in_thousandths(tree: Tree) -> None:
    jetson(tree)
    tree.put("proc/driver/nvidia/version", "NVRM version: nvgpu\n")
    tree.put("sys/class/thermal/thermal_zone1/type", "gpu-thermal\n")
    tree.put("sys/class/thermal/thermal_zone1/temp", "47500\n")
    sample = read(tree)
    assert sample.gpu_utilization == 43.7, "437 % would be the raw figure"
    assert sample.device.gpu_memory_total_mb == 7812.5
    assert math.isnan(sample.device.gpu_memory_used_mb), "the machine's use is not the GPU's"
    text = row(tree)
    assert "918 MHz" in text
    assert "48 °C" in text
    assert "run as root" in text
    assert row(tree, 1) == "", "NVML would list the same GPU again"


def test_root_reads_the_memory_of_each_process_of_a_jetson(tree: Tree) -> None:
    jetson(tree)
    tree.put(
        "sys/kernel/debug/nvmap/iovmm/clients",
        "CLIENT                        PROCESS      PID        SIZE\n"
        f"user                     python3 run     {PID}     204800K\n"
        "user                     gnome-shell     900       51200K\n"
        "total                                             256000K\n",
    )
    sample = read(tree)
    assert sample.gpu_memory_mb == 200
    assert sample.device.gpu_memory_used_mb == 250, "the total's line is not counted again"


def test_a_jetson_of_older_make_is_known_by_its_device_tree(tree: Tree) -> None:
    put_all(tree, "sys/class/devfreq/57000000.weird", {"device/of_node/name": "gv11b\0"})
    put_all(tree, "sys/class/devfreq/57000000.weird", {"device/load": "1000"})
    assert read(tree).gpu_utilization == 100


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(
        ["gpu_busy_percent", "mem_info_vram_used", "vendor", "power/runtime_status"]
    ),
    data=st.binary(max_size=40),
)
def test_nothing_that_a_file_holds_raises(tree: Tree, name: str, data: bytes) -> None:
    folder = tree.root / "sys/devices/pci0000:00/0000:03:00.0"
    if not folder.exists():
        amd(tree)
    path: Path = folder / name
    path.parent.mkdir(exist_ok=True)
    saved = path.read_bytes() if path.exists() else b"active\n"
    path.write_bytes(data)
    try:
        read(tree)
    finally:
        path.write_bytes(saved)
