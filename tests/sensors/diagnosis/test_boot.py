"""Boot options: the printed command is run on a copy of the file that it is for."""

from __future__ import annotations

import gzip
import re
import subprocess

import pytest

from amptalk.sensors.diagnosis.boot import built_in, with_option, without_option
from tests.sensors.diagnosis.machines import docker, jetson, laptop, machine, raspberry_pi_5
from tests.sensors.trees import Tree


def carried_out(tree: Tree, command: str) -> None:
    """Run the part that edits a file, on the tree's file and without sudo."""
    edit = command.partition(" && ")[0].removeprefix("sudo ")
    edit = re.sub(r" (/(?:boot|etc)/\S+)$", rf" {tree.root}\1", edit)
    assert str(tree.root) in edit
    subprocess.run(["sh", "-c", edit], check=True)


@pytest.mark.parametrize(
    ("make", "path", "line"),
    [
        (raspberry_pi_5, "boot/firmware/cmdline.txt", "console=tty1 root=/dev/mmcblk0p2 psi=1"),
        (jetson, "boot/extlinux/extlinux.conf", "      APPEND ${cbootargs} quiet psi=1"),
        (laptop, "etc/default/grub", 'GRUB_CMDLINE_LINUX="psi=1 quiet"'),
    ],
)
def test_the_command_adds_the_option_once_and_the_other_takes_it_out(
    tree: Tree, make: object, path: str, line: str
) -> None:
    assert callable(make)
    make(tree)
    file = tree.root / path
    before = file.read_text()
    carried_out(tree, with_option(machine(tree), "psi=1"))
    assert line in file.read_text().splitlines()
    assert file.read_text().count("psi=1") == 1
    carried_out(tree, without_option(machine(tree), "psi=1"))
    assert file.read_text().replace('=" ', '="') == before


def test_the_older_raspberry_pi_os_has_its_file_elsewhere(tree: Tree) -> None:
    raspberry_pi_5(tree)
    (tree.root / "boot/firmware/cmdline.txt").unlink()
    tree.put("boot/cmdline.txt", "console=tty1\n")
    assert " /boot/cmdline.txt " in with_option(machine(tree), "psi=1")


def test_grub_is_told_to_take_it_up(tree: Tree) -> None:
    laptop(tree)
    assert with_option(machine(tree), "psi=1").endswith("&& sudo update-grub && sudo reboot")
    assert "update-grub" in without_option(machine(tree), "psi=0")


def test_fedora_has_a_tool_for_it(tree: Tree) -> None:
    tree.put("etc/os-release", "ID=rocky\nID_LIKE='rhel centos fedora'\n")
    assert '--args="psi=1"' in with_option(machine(tree), "psi=1")
    assert '--remove-args="psi=0"' in without_option(machine(tree), "psi=0")


def test_elsewhere_it_is_said_in_words(tree: Tree) -> None:
    assert with_option(machine(tree), "psi=1").startswith("add psi=1 to the kernel command line")
    assert without_option(machine(tree), "psi=0").startswith("remove psi=0 from")


def test_in_a_container_the_distribution_of_the_image_is_not_the_hosts(tree: Tree) -> None:
    docker(tree)
    assert with_option(machine(tree), "psi=1").startswith("on the host: add psi=1")


def test_what_the_kernel_was_built_with_is_read_where_it_can_be(tree: Tree) -> None:
    laptop(tree)
    assert built_in(machine(tree), "CONFIG_PSI") is None
    tree.put("boot/config-6.8.0-40-generic", "CONFIG_PSI=y\n# CONFIG_X is not set\n")
    assert built_in(machine(tree), "CONFIG_PSI") is True
    assert built_in(machine(tree), "CONFIG_X") is False
    assert built_in(machine(tree), "CONFIG_PS") is False, "no prefix"


def test_the_running_kernels_own_copy_is_read_too(tree: Tree) -> None:
    laptop(tree)
    (tree.root / "proc/config.gz").write_bytes(gzip.compress(b"CONFIG_PSI=m\n"))
    assert built_in(machine(tree), "CONFIG_PSI") is True
    (tree.root / "proc/config.gz").write_bytes(b"no gzip")
    assert built_in(machine(tree), "CONFIG_PSI") is None
