"""GPUs: asleep, without driver, without library, in a container, without the right group."""

from __future__ import annotations

import os
import sys

import pytest

from amptalk.sensors.diagnosis import gpu
from amptalk.sensors.diagnosis.diagnose import ABSENT, ASLEEP, WORKS, diagnose
from tests.sensors.diagnosis.machines import diagnosed, docker, laptop, link, machine, told
from tests.sensors.gpu.cards import amd, put_all
from tests.sensors.trees import Tree, opened


def nvidia(tree: Tree, driver: str) -> None:
    device = "sys/bus/pci/devices/0000:01:00.0"
    put_all(tree, device, {"vendor": "0x10de", "class": "0x030000"})
    if driver:
        link(tree, f"{device}/driver", f"/sys/bus/pci/drivers/{driver}")


def without_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)


def test_a_gpu_that_sleeps_is_no_fault_and_is_left_asleep(tree: Tree) -> None:
    laptop(tree)
    device = amd(tree)
    tree.put(f"{device}/power/runtime_status", "suspended\n")
    found = diagnosed(tree)["GPU 0"]
    assert found.state == ASLEEP
    assert not found.remedy


@pytest.mark.parametrize(("driver", "row"), [("nouveau", "GPU"), ("", "GPU 0")])
def test_an_nvidia_card_with_the_wrong_driver_or_none(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, driver: str, row: str
) -> None:
    laptop(tree)
    without_binding(monkeypatch)
    nvidia(tree, driver)
    found = diagnosed(tree)[row]
    assert found.findings[0].cause.value == "no driver"
    assert found.remedy == "sudo ubuntu-drivers install && sudo reboot"
    tree.put("etc/os-release", "ID=debian\n")
    assert diagnosed(tree)[row].remedy == "sudo apt install nvidia-driver && sudo reboot"


def test_with_nouveau_no_option_of_a_container_helps(tree: Tree) -> None:
    docker(tree)
    nvidia(tree, "nouveau")
    found = diagnosed(tree)["GPU"]
    assert found.findings[0].cause.value == "no driver"
    assert "install the NVIDIA driver" in found.remedy


def test_with_the_right_driver_the_package_is_what_is_missing(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop(tree)
    without_binding(monkeypatch)
    nvidia(tree, "nvidia")
    tree.put("proc/driver/nvidia/version", "NVRM version: 570\n")
    found = diagnosed(tree)["GPU 0"]
    assert found.findings[0].cause.value == "not installed"
    assert found.remedy == 'pip install "amptalk[nvidia]"'


@pytest.mark.parametrize(
    ("mark", "remedy"),
    [
        (".dockerenv", "docker run --gpus all"),
        ("run/.containerenv", "podman run --device nvidia.com/gpu=all"),
    ],
)
def test_a_container_without_device_nodes(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, mark: str, remedy: str
) -> None:
    docker(tree)
    without_binding(monkeypatch)
    tree.remove(".dockerenv")
    tree.put(mark, "")
    nvidia(tree, "nvidia")
    tree.put("proc/driver/nvidia/version", "NVRM version: 570\n")
    assert diagnosed(tree)["GPU 0"].remedy.startswith(remedy)
    tree.put("dev/nvidiactl", "")
    assert diagnosed(tree)["GPU 0"].remedy == 'pip install "amptalk[nvidia]"'


@pytest.mark.parametrize(("vendor", "driver"), [("0x1002", "amdgpu"), ("0x8086", "i915")])
def test_a_card_whose_driver_is_not_loaded(tree: Tree, vendor: str, driver: str) -> None:
    laptop(tree)
    put_all(tree, "sys/bus/pci/devices/0000:03:00.0", {"vendor": vendor, "class": "0x038000"})
    assert diagnosed(tree)["GPU"].remedy == f"sudo modprobe {driver}"
    tree.put("proc/cmdline", "quiet nomodeset\n")
    found = diagnosed(tree)["GPU"]
    assert "disabled at boot" in told(found)
    assert "s/ *nomodeset//" in found.remedy


def test_a_card_given_to_a_virtual_machine_is_not_ours(tree: Tree) -> None:
    laptop(tree)
    nvidia(tree, "vfio-pci")
    found = diagnosed(tree)["GPU"]
    assert found.state == ABSENT
    assert "is given to a virtual machine" in told(found)


def test_without_a_gpu_nothing_is_to_be_done(tree: Tree) -> None:
    laptop(tree)
    found = diagnosed(tree)["GPU"]
    assert (found.state, found.remedy) == (ABSENT, "")


def test_a_user_outside_of_the_groups_can_see_the_gpu_and_not_use_it(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop(tree)
    amd(tree)
    tree.put("dev/dri/renderD128", "")
    real = os.access
    monkeypatch.setattr(
        "amptalk.sensors.diagnosis.gpu.os.access",
        lambda path, mode: "renderD" not in str(path) and real(path, mode),
    )
    with opened(tree.suite()) as suite:
        found = diagnose(suite.describe(), machine(tree))
    (first, *_) = [one for one in found if one.report.name == "GPU 0"]
    assert first.state == WORKS
    assert first.remedy == "sudo usermod -aG render,video $USER  # then log in again"


def test_a_container_needs_the_nodes_of_an_amd_card(tree: Tree) -> None:
    docker(tree)
    amd(tree)
    tree.put("sys/class/kfd/kfd/x", "")
    (finding,) = gpu.remarks(machine(tree))
    assert finding.remedy == "docker run --device /dev/dri --device /dev/kfd IMAGE"
    tree.put("dev/dri/renderD128", "")
    assert gpu.remarks(machine(tree)) == ()


def test_a_row_that_lacks_one_value_keeps_the_drivers_words(tree: Tree) -> None:
    laptop(tree)
    device = amd(tree)
    (tree.root / device / "gpu_busy_percent").unlink()
    with opened(tree.suite()) as suite:
        found = diagnose(suite.describe(), machine(tree))
    rows = "\n".join(told(one) for one in found if one.report.name == "GPU 0")
    assert "utilization|not in this kernel|" in rows
    assert "gpu_busy_percent does not exist; the kernel of this machine has no such file" in rows
