"""What kind of machine it is, from recorded trees and from this one."""

from __future__ import annotations

import pytest

from amptalk.sensors.diagnosis.machine import read_machine
from amptalk.sensors.roots import Roots
from tests.sensors.diagnosis.machines import (
    INTEL,
    USER,
    docker,
    jetson,
    laptop,
    machine,
    namespaces,
    raspberry_pi_5,
)
from tests.sensors.trees import Tree


def test_a_board_is_known_by_its_device_tree(tree: Tree) -> None:
    raspberry_pi_5(tree)
    found = machine(tree)
    assert (found.model, found.raspberry_pi, found.jetson) == (
        "Raspberry Pi 5 Model B Rev 1.0", True, False,
    )  # fmt: skip
    assert found.kernel == "6.6.31+rpt-rpi-2712"
    assert found.distribution == "Debian GNU/Linux 12 (bookworm)"
    assert found.boot == ("cgroup_disable=memory", "console=tty1")
    assert found.systemd


def test_in_a_container_a_board_is_known_by_cpuinfo(tree: Tree) -> None:
    docker(tree)
    tree.put("proc/cpuinfo", "processor\t: 0\n\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n")
    assert machine(tree).raspberry_pi


def test_a_pc_is_known_by_its_firmware_and_fillers_are_no_model(tree: Tree) -> None:
    laptop(tree)
    assert machine(tree).model == "LENOVO 20XW"
    tree.put("sys/class/dmi/id/product_name", "To Be Filled By O.E.M.\n")
    assert machine(tree).model == "LENOVO"


def test_serial_numbers_are_not_told(tree: Tree) -> None:
    laptop(tree)
    tree.put("sys/class/dmi/id/product_serial", "SECRET\n")
    assert "SECRET" not in repr(machine(tree))


def test_a_jetson_is_known_by_its_release_file_too(tree: Tree) -> None:
    jetson(tree)
    tree.put("proc/device-tree/model", "Custom carrier\0")
    assert not machine(tree).jetson
    tree.put("etc/nv_tegra_release", "# R36\n")
    assert machine(tree).jetson


@pytest.mark.parametrize(
    ("path", "kind"),
    [(".dockerenv", "docker"), ("run/.containerenv", "podman"), ("run/systemd/container", "lxc")],
)
def test_kinds_of_containers(tree: Tree, path: str, kind: str) -> None:
    namespaces(tree, own=True)
    tree.put(path, "lxc" if kind == "lxc" else "")
    assert machine(tree).container == kind


def test_a_machine_built_from_a_container_image_is_no_container(tree: Tree) -> None:
    tree.put(".dockerenv", "")
    namespaces(tree, own=False)
    assert not machine(tree).container


def test_own_name_spaces_without_a_mark_are_a_container_of_an_unknown_kind(tree: Tree) -> None:
    namespaces(tree, own=True)
    assert machine(tree).container == "of an unknown kind"


def test_virtual_machines_are_told_by_firmware_or_processor(tree: Tree) -> None:
    laptop(tree)
    assert not machine(tree).virtual
    tree.put("proc/cpuinfo", INTEL.replace("fpu", "fpu hypervisor"))
    assert machine(tree).virtual == "an unknown hypervisor"
    tree.put("sys/class/dmi/id/sys_vendor", "QEMU\n")
    assert machine(tree).virtual == "QEMU"


def test_an_empty_tree_gives_empty_texts(tree: Tree) -> None:
    found = machine(tree)
    assert (found.model, found.container, found.virtual, found.kernel) == ("", "", "", "")


def test_this_machine_can_be_told() -> None:
    found = read_machine(Roots())
    assert found.system
    assert found.user.name
    assert read_machine(Roots(), USER).user == USER
