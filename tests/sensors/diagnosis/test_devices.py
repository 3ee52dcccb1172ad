"""Devices as they come: what is missing on each, why, and the exact remedy."""

from __future__ import annotations

import os

import pytest

from amptalk.sensors.diagnosis.diagnose import ABSENT, FIXABLE, WORKS
from tests.sensors.diagnosis.machines import (
    AMD,
    INTEL,
    ROOT,
    USER,
    diagnosed,
    docker,
    jetson,
    laptop,
    raspberry_pi_5,
    told,
    without_pressure,
)
from tests.sensors.trees import PID, Tree

HYPERVISOR = INTEL.replace("fpu", "fpu hypervisor")


def refuse(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """Tests run as root too, whom no mode of a file stops."""
    real = os.open

    def refusing(path: str, flags: int, *more: int) -> int:
        if str(path).endswith(ending):
            raise PermissionError(13, "Permission denied", path)
        return real(path, flags, *more)

    monkeypatch.setattr(os, "open", refusing)


def unreadable_counters(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.put("sys/class/powercap/intel-rapl:0/name", "package-0\n")
    tree.put("sys/class/powercap/intel-rapl:0/energy_uj", "1\n")
    refuse(monkeypatch, "energy_uj")


# -- Raspberry Pi 5 -----------------------------------------------------------


def test_a_raspberry_pi_5_as_delivered(tree: Tree) -> None:
    raspberry_pi_5(tree)
    found = diagnosed(tree)
    assert found["device temperature"].state == WORKS
    for kind in ("cpu", "memory", "io"):
        pressure = found[f"device {kind} pressure"]
        assert pressure.state == FIXABLE
        assert "disabled at boot" in told(pressure)
        assert pressure.remedy == (
            "sudo sed -i '1s/$/ psi=1/' /boot/firmware/cmdline.txt && sudo reboot"
        )
    memory = found["container memory"]
    assert "cgroup_disable=memory" in told(memory)
    assert "cgroup_enable=memory cgroup_memory=1/' /boot/firmware/cmdline.txt" in memory.remedy


def test_a_kernel_that_ignores_the_option_needs_an_update_and_not_the_option_again(
    tree: Tree,
) -> None:
    raspberry_pi_5(tree, options="cgroup_disable=memory cgroup_enable=memory cgroup_memory=1")
    memory = diagnosed(tree)["container memory"]
    assert "6.6.31+rpt-rpi-2712) ignores cgroup_enable=memory" in told(memory)
    assert memory.remedy == "sudo apt full-upgrade && sudo reboot"


def test_an_older_raspberry_pi_has_no_meter_at_all(tree: Tree) -> None:
    raspberry_pi_5(tree)
    tree.put("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.5\0")
    power = diagnosed(tree)["device power"]
    assert "no such device|this Raspberry Pi has no meter of its own" in told(power)
    assert "echo ina219 0x40 | sudo tee /sys/bus/i2c/devices/i2c-1/new_device" in power.remedy


# -- laptop -------------------------------------------------------------------


def test_a_laptop_on_its_charger_with_counters_for_root_only(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop(tree)
    unreadable_counters(tree, monkeypatch)
    power = diagnosed(tree)["device power"]
    assert power.state == FIXABLE
    assert power.findings[0].cause.value == "no permission"
    assert power.remedy.startswith("echo 'z /sys/devices/virtual/powercap/intel-rapl/")
    assert power.remedy.endswith("systemd-tmpfiles --create /etc/tmpfiles.d/amptalk-rapl.conf")
    assert "battery|has a value later|BAT0 is charging" in told(power)


def test_without_systemd_a_udev_rule_does_it(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop(tree)
    tree.remove("run/systemd/system/x")
    (tree.root / "run/systemd/system").rmdir()
    unreadable_counters(tree, monkeypatch)
    remedy = diagnosed(tree)["device power"].remedy
    assert 'SUBSYSTEM=="powercap"' in remedy
    assert "udevadm trigger" in remedy


@pytest.mark.parametrize(("cpuinfo", "driver"), [(INTEL, "coretemp"), (AMD, "k10temp")])
def test_drivers_of_the_processor_are_named_by_its_maker(
    tree: Tree, cpuinfo: str, driver: str
) -> None:
    laptop(tree, cpuinfo)
    found = diagnosed(tree)
    assert found["device power"].remedy == "sudo modprobe intel_rapl_msr"
    assert found["device temperature"].remedy == f"sudo modprobe {driver}"
    assert "sudo modprobe acpi-cpufreq" in told(found["throttling"])
    tree.put(f"sys/module/{driver}/x", "")
    tree.put("sys/module/intel_rapl_msr/x", "")
    found = diagnosed(tree)
    assert found["device temperature"].remedy == "sudo sensors-detect --auto"
    assert "does not know this processor" in told(found["device power"])


def test_thermometers_of_other_parts_may_be_chosen(tree: Tree) -> None:
    laptop(tree)
    tree.put("sys/class/hwmon/hwmon0/name", "nvme\n")
    tree.put("sys/class/hwmon/hwmon0/temp1_input", "40000\n")
    tree.put("sys/class/hwmon/hwmon0/temp1_label", "Composite\n")
    temperature = diagnosed(tree)["device temperature"]
    assert temperature.remedy == "export AMPTALK_TEMPERATURE='nvme Composite'"


def test_the_meter_of_a_servers_firmware_has_a_driver(tree: Tree) -> None:
    laptop(tree)
    tree.put("sys/bus/acpi/devices/ACPI000D:00/status", "15\n")
    assert "sudo modprobe acpi_power_meter" in told(diagnosed(tree)["device power"])


# -- Jetson -------------------------------------------------------------------


def test_a_jetson_without_the_driver_of_its_meter(tree: Tree) -> None:
    jetson(tree)
    found = diagnosed(tree)
    assert found["device power"].remedy == "sudo modprobe ina3221"
    assert "the meter 1-0040 of the board has no driver" in told(found["device power"])
    assert found["device temperature"].state == WORKS
    assert "/boot/extlinux/extlinux.conf && sudo reboot" in found["device cpu pressure"].remedy
    assert found["GPU 0"].remedy.startswith("run as root"), "memory by process is in debugfs"


def test_a_rail_that_may_not_be_read(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    jetson(tree)
    for name, text in {
        "name": "ina3221", "in1_label": "VDD_IN", "in1_input": "5000", "curr1_input": "1000",
    }.items():  # fmt: skip
        tree.put(f"sys/class/hwmon/hwmon0/{name}", text)
    tree.put("sys/bus/i2c/devices/1-0040/hwmon/hwmon0/name", "ina3221")
    refuse(monkeypatch, "in1_input")
    power = diagnosed(tree)["device power"]
    assert power.findings[0].cause.value == "no permission"
    assert power.remedy.startswith("sudo chmod a+r ")


# -- containers, virtual machines, nothing at all ------------------------------------


def test_a_container_is_told_what_to_do_on_the_host_or_when_it_is_started(tree: Tree) -> None:
    docker(tree)
    without_pressure(tree)
    found = diagnosed(tree)
    power = found["device power"]
    assert power.remedy == "docker run --security-opt systempaths=unconfined IMAGE"
    assert found["device temperature"].remedy.startswith("on the host: ")
    assert found["device io pressure"].remedy.startswith("on the host: add psi=1")
    assert "systempaths=unconfined" in told(found["throttling"])
    assert found["container memory"].remedy.endswith("docker run --memory=1g IMAGE")
    tree.remove(".dockerenv")
    tree.put("run/.containerenv", "")
    assert "podman run --security-opt unmask=ALL" in diagnosed(tree)["device power"].remedy


def test_in_a_container_no_capability_makes_the_counters_readable(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(tree)
    (tree.root / "sys/class/powercap/intel-rapl:0").unlink()
    unreadable_counters(tree, monkeypatch)
    power = diagnosed(tree)["device power"]
    assert "cap_add does not help" in told(power)
    assert power.remedy.startswith("on the host: echo 'z ")


def test_a_virtual_machine_is_not_told_to_load_drivers(tree: Tree) -> None:
    laptop(tree, HYPERVISOR)
    (tree.root / "sys/class/power_supply/BAT0/type").write_text("UPS")
    found = diagnosed(tree)
    for name in ("device power", "device temperature", "GPU"):
        assert found[name].state == ABSENT
        assert "no such device" in told(found[name])
    assert found["throttling"].state == WORKS


def test_a_machine_with_nothing_at_all_is_explained_and_nothing_raises(tree: Tree) -> None:
    for folder in ("proc", "sys"):
        for path in sorted((tree.root / folder).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    for user in (USER, ROOT):
        for name, one in diagnosed(tree, user).items():
            assert one.state != WORKS or name == "throttling"
            assert one.findings or one.state == WORKS
            assert all(finding.reason for finding in one.findings)


@pytest.mark.parametrize(
    ("systemd", "user", "remedy"),
    [
        (True, USER, "systemd-run --user --scope -p MemoryMax=1G COMMAND"),
        (True, ROOT, "systemd-run --scope -p MemoryMax=1G COMMAND"),
        (False, USER, "sudo mkdir -p /sys/fs/cgroup/amptalk && echo +memory | sudo tee"),
        (False, ROOT, "mkdir -p /sys/fs/cgroup/amptalk && echo +memory | tee"),
    ],
)
def test_a_group_of_its_own_is_made_by_who_runs_the_machine(
    tree: Tree, systemd: bool, user: object, remedy: str
) -> None:
    if systemd:
        tree.put("run/systemd/system/x", "")
    assert isinstance(user, type(USER))
    memory = diagnosed(tree, user)["container memory"]
    assert memory.remedy.startswith(remedy)
    assert memory.findings[0].cause.value == "no control group of its own"


def test_in_version_1_the_group_is_made_in_the_controllers_own_hierarchy(tree: Tree) -> None:
    tree.cgroups(
        "3:cpu,cpuacct:/\n", "30 20 0:1 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
    )
    tree.put("sys/fs/cgroup/cpu/cpuacct.usage", "1")
    tree.put("sys/fs/cgroup/cpu/release_agent", "")
    remedy = diagnosed(tree, ROOT)["container CPU"].remedy
    assert remedy == (
        "mkdir -p /sys/fs/cgroup/cpu/amptalk && "
        "echo $$ | tee /sys/fs/cgroup/cpu/amptalk/cgroup.procs && COMMAND"
    )


def test_processes_of_others_are_for_root(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "smaps_rollup")
    tree.put(f"proc/{PID}/status", "RssAnon:\t10 kB\nRssFile:\t10 kB\nRssShmem:\t0 kB\n")
    memory = diagnosed(tree)["application memory"]
    assert "may not be dumped" in told(memory)
    assert memory.remedy == "run the application as root"
    mounts = (tree.root / "proc/self/mountinfo").read_text()
    tree.put("proc/self/mountinfo", f"{mounts}22 1 0:5 / /proc rw - proc proc rw,hidepid=2\n")
    assert diagnosed(tree)["application memory"].remedy == "sudo mount -o remount,hidepid=0 /proc"
    tree.put("proc/self/mountinfo", f"{mounts}22 1 0:5 / /proc rw - proc proc rw,hidepid=0\n")
    assert diagnosed(tree)["application memory"].remedy == "run the application as root"
