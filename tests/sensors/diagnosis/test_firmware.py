"""A Raspberry Pi 5 whose firmware cannot be asked for power and throttling: why, what helps."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator

import pytest

from amptalk.sensors.diagnosis.diagnose import ABSENT, FIXABLE, WORKS, Diagnosis
from tests.sensors.diagnosis.machines import ROOT, USER, diagnosed, namespaces, raspberry_pi_5, told
from tests.sensors.diagnosis.test_devices import refuse
from tests.sensors.test_raspberry import Mailbox
from tests.sensors.trees import Tree

MEMBER = USER._replace(groups=frozenset({"video"}))


@pytest.fixture
def pi(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tree]:
    """As delivered, without the program."""
    raspberry_pi_5(tree)
    monkeypatch.setenv("PATH", "/nonexistent")
    yield tree


def in_container(tree: Tree, *, kind: str = ".dockerenv") -> None:
    for name in ("pid", "cgroup"):
        tree.remove(f"proc/self/ns/{name}")
    namespaces(tree, own=True)
    tree.put(kind, "")


def power(tree: Tree) -> Diagnosis:
    return diagnosed(tree)["device power"]


def test_a_firmware_that_answers_gives_the_power(pi: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    Mailbox(pi, monkeypatch)
    found = power(pi)
    assert (found.state, found.findings) == (WORKS, ())
    throttling = told(diagnosed(pi)["throttling"])
    assert (
        throttling == "power cap|not given by the driver|no file of this hardware or its "
        "drivers shows it|"
    )


def test_a_user_outside_the_group_may_not_ask(pi: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "/dev/vcio")
    found = power(pi)
    assert found.state == FIXABLE
    assert "PMIC|no permission|only members of the group video may ask" in told(found)
    assert found.remedy == "sudo usermod -aG video $USER  # then log in again"
    in_container(pi)
    assert power(pi).remedy == "docker run --device /dev/vcio --group-add video IMAGE"


def test_a_member_who_may_not_ask_either_reads_the_reason_itself(
    pi: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "/dev/vcio")
    assert "vcio may not be read by this user" in told(diagnosed(pi, MEMBER)["device power"])


def test_without_device_and_program_there_is_a_package(pi: Tree) -> None:
    pi.remove("dev/vcio")
    found = power(pi)
    assert "PMIC|not installed|there is neither" in told(found)
    assert found.remedy == "sudo apt install raspi-utils"


def test_a_container_without_the_device_is_started_with_it(pi: Tree) -> None:
    pi.remove("dev/vcio")
    in_container(pi)
    found = diagnosed(pi, ROOT)["device power"]
    assert "PMIC|no permission|the container has no" in told(found)
    assert found.remedy == "docker run --device /dev/vcio IMAGE"


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        (".dockerenv", "docker run --security-opt systempaths=unconfined"),
        ("run/.containerenv", "podman run --security-opt unmask=ALL"),
    ],
)
def test_a_container_that_hides_the_board_is_started_so_that_it_shows_it(
    pi: Tree, kind: str, start: str
) -> None:
    pi.remove("proc/device-tree/model")
    pi.put("proc/cpuinfo", "Model\t\t: Raspberry Pi 5 Model B Rev 1.0\n")
    in_container(pi, kind=kind)
    found = power(pi)
    assert "PMIC|no permission|the container runtime hides which board it is" in told(found)
    assert found.remedy == f"{start} --device /dev/vcio --group-add video IMAGE"


def test_a_recording_does_not_hold_the_answers_and_nothing_helps(pi: Tree) -> None:
    pi.roots = pi.roots._replace(recorded=True)
    found = power(pi)
    assert found.state == ABSENT
    assert "PMIC|not given by the driver|a recording does not hold" in told(found)
    assert "a recording does not hold" in told(diagnosed(pi)["throttling"])


def test_a_firmware_that_refuses_leaves_a_meter_to_add(
    pi: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    Mailbox(pi, monkeypatch).error = 1
    found = power(pi)
    assert "PMIC|not given by the driver|" in told(found)
    assert "the firmware refuses 'pmic_read_adc'" in told(found)
    assert "dtoverlay=i2c-sensor,ina219" in found.remedy


def test_a_mailbox_that_fails_is_not_taken_for_a_missing_right(
    pi: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ioctl(_fd: int, _request: int, _message: bytearray) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    assert "vcio cannot be read: Input/output error" in told(power(pi))


def test_the_alarm_needs_a_driver_and_the_other_flags_a_group(pi: Tree) -> None:
    throttling = told(diagnosed(pi)["throttling"])
    assert "under-voltage|no driver|" in throttling
    assert "sudo modprobe raspberrypi-hwmon" in throttling
    assert "frequency cap|no permission|the firmware is not asked for get_throttled" in throttling
    assert "sudo usermod -aG video $USER" in throttling
    assert "usermod" not in told(diagnosed(pi, MEMBER)["throttling"])
