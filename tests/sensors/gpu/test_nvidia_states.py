"""NVIDIA GPUs that sleep, are left alone, are lost, hidden or out of reach; on the double."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.sensors.gpu.doubled import MB, Machine, gpu, without_compiler

pytestmark = without_compiler
FIRST, SECOND = "0000:01:00.0", "0001:01:00.0"


def test_a_lost_gpu_is_an_error_with_its_reason_and_found_again(machine: Machine) -> None:
    before, lost, back = machine.run(
        {"count": 2, **gpu(), **gpu(1)}, {"0.error": 15}, {"0.error": None}
    )
    assert before["values"]["gpu_utilization"] == 37
    assert lost["values"]["device.gpu_memory_used_mb"] is None, "not a board of shared memory"
    assert "the GPU is lost" in lost["missing"]["gpu_utilization"]
    assert "Card 1" in " ".join(lost["rows"]), "the other one stays"
    assert [one["name"] for one in lost["gpus"]] == ["Card 0", "Card 1"], "and so do the numbers"
    assert back["values"]["gpu_utilization"] == 37
    assert machine.called().count("init") >= 2


def test_a_gpu_lost_when_its_handle_is_asked_for_keeps_its_number(machine: Machine) -> None:
    _, lost = machine.run({"count": 2, **gpu(), **gpu(1, util=99)}, {"0.handle.error": 15})
    assert lost["values"]["gpu_utilization"] is None, "99 would be the other GPU's"


def test_a_gpu_that_the_driver_lists_no_more_keeps_its_number(machine: Machine) -> None:
    """Started anew after a loss, NVML numbers those that are left from 0."""
    both = {"count": 2, **gpu(), **gpu(1)}
    left = {"count": 1, **{f"0.{key[2:]}": value for key, value in gpu(1, util=99).items()}}
    _, gone, back = machine.run(both, left, both)
    assert gone["values"]["gpu_utilization"] is None, "99 would be the other GPU's"
    assert "no longer lists" in gone["missing"]["gpu_utilization"]
    assert [one["utilization"] for one in gone["gpus"]][1] == 99
    assert back["values"]["gpu_utilization"] == 37


def test_a_lost_board_keeps_the_numbers_of_its_mig_instances(machine: Machine) -> None:
    state = {
        "count": 2, **gpu(mig=7), **gpu(100, uuid="MIG-a"), **gpu(101, uuid="MIG-b"),
        **gpu(1, util=50),
    }  # fmt: skip
    _, lost = machine.run(state, {"0.error": 15}, gpu="2")
    assert [one["uuid"] for one in lost["gpus"]] == ["MIG-a", "MIG-b", "GPU-1"]
    assert lost["values"]["gpu_utilization"] == 50


def test_a_container_that_lost_its_devices_is_told_what_helps(machine: Machine) -> None:
    _, cut, back = machine.run({"count": 1, **gpu()}, {"0.error": 999}, {"0.error": None})
    assert "unknown" in cut["missing"]["gpu_utilization"]
    assert any("restart" in remedy for remedy in cut["remedies"])
    assert back["values"]["gpu_utilization"] == 37
    (start,) = machine.run({"init": 999})
    assert "a container loses its GPUs" in start["missing"]["gpu_utilization"]


def test_no_gpu_for_this_container_is_a_reason_not_a_first_answer_for_ever(
    machine: Machine,
) -> None:
    (said,) = machine.run({"count": 0})
    assert "lets this process use none" in said["missing"]["gpu_utilization"]
    assert said["remedies"] == ["in a container: docker run --gpus all"]


def test_gpus_of_the_host_that_a_container_was_not_given_are_passed_by(machine: Machine) -> None:
    state = {"count": 2, **gpu(), **gpu(1, util=55), "0.handle.error": 4}
    (said,) = machine.run(state)
    assert said["values"]["gpu_utilization"] == 55
    for address, status in ((FIRST, "active"), (SECOND, "active"), ("0002:01:00.0", "suspended")):
        machine.card(address, power__runtime_status=status)
    (said,) = machine.run(state)
    assert [one["pci_address"] for one in said["gpus"]] == [SECOND, "0002:01:00.0"]


def test_a_sleeping_gpu_is_never_asked(machine: Machine) -> None:
    machine.card(FIRST, power__runtime_status="suspended")
    machine.card(SECOND, power__runtime_status="active")
    (said,) = machine.run({"count": 2, **gpu(), **gpu(1, util=55)})
    assert "asleep" in said["missing"]["gpu_utilization"]
    assert [one["asleep"] for one in said["gpus"]] == [True, False]
    assert "handle 0" not in machine.called()
    assert "handle 1" in machine.called()
    machine.card(SECOND, power__runtime_status="suspended")
    machine.calls.write_text("")
    machine.run({"count": 2, **gpu(), **gpu(1)})
    assert machine.calls.read_text() == "", "with all asleep not even the library is started"


def test_a_sleeping_gpu_may_be_asked_for_by_a_name_that_is_not_known_yet(machine: Machine) -> None:
    machine.card(FIRST, power__runtime_status="suspended")
    (said,) = machine.run({"count": 1, **gpu()}, gpu="GPU-0")
    assert "asleep" in said["reasons"][0]["utilization"]
    assert "there are: 0 = NVIDIA GPU (0000:01:00.0)" in said["missing"]["gpu_utilization"]


def test_an_idle_gpu_that_could_sleep_is_let_go(machine: Machine) -> None:
    machine.card(FIRST, power__control="auto")
    idle = {"count": 1, **gpu(util=0, compute="", graphics="")}
    (said,) = machine.run(idle)
    assert machine.called() == ["init", "handle 0", "shutdown"]
    assert said["values"]["gpu_utilization"] == 0
    assert said["age"] == 3, "it is the reading of before the pause, and says so"
    machine.calls.write_text("")
    machine.run(idle, seconds=20)
    assert machine.called().count("init") == 2, "after the pause of 30 s it is read again"


def test_it_is_read_again_at_once_when_the_application_opens_it(machine: Machine) -> None:
    machine.card(FIRST, power__control="auto")
    opening = f"""
import os, pathlib
import amptalk.sensors.gpu.rest as rest
real = rest.Rest.lasts
def lasts(self, now):
    if now >= 2 and not os.path.lexists({str(machine.tree.root)!r} + "/proc/4242/fd/9"):
        os.makedirs({str(machine.tree.root)!r} + "/proc/4242/fd", exist_ok=True)
        os.symlink("/dev/nvidia0", {str(machine.tree.root)!r} + "/proc/4242/fd/9")
    return real(self, now)
rest.Rest.lasts = lasts
"""
    (said,) = machine.run({"count": 1, **gpu(util=0, compute="", graphics="")}, before=opening)
    assert machine.called().count("init") == 2
    assert "shutdown" not in machine.called()[3:5], "and not let go again while it is held"
    assert said["age"] == 0


def in_a_namespace(machine: Machine, *pids: int) -> None:
    folder = machine.tree.root / "proc/self/ns"
    folder.mkdir(parents=True)
    (folder / "pid").symlink_to("pid:[4026532999]")
    for pid in pids:
        (machine.tree.root / f"proc/{pid}").mkdir()


@pytest.mark.parametrize(
    ("compute", "share"),
    [
        (f"99:{MB}", None),
        ("", None),
        (f"4242:{300 * MB} 99:{MB}", None),
        ("4242:0 77:0", None),
        (f"4242:{300 * MB} 77:{MB}", 300),
    ],
    ids=["host's", "hidden", "one that happens to have our number", "without memory", "ours"],
)
def test_a_host_pid_seen_from_a_namespace_is_missing_not_0(
    machine: Machine, compute: str, share: float | None
) -> None:
    in_a_namespace(machine, 77)
    (said,) = machine.run({"count": 1, **gpu(compute=compute, graphics=None)})
    assert said["values"]["application.gpu_memory_mb"] == share
    if share is None:
        assert "pid namespace" in said["missing"]["application.gpu_memory_mb"]
        assert any("--pid=host" in remedy for remedy in said["remedies"])


@pytest.mark.parametrize(
    ("code", "reason", "remedy"),
    [(9, "driver is not loaded", "modprobe"), (18, "different versions", "reboot"),
     (4, "may not use", "usermod -aG video,render")],
)  # fmt: skip
def test_a_driver_that_cannot_be_used_says_what_helps(
    machine: Machine, code: int, reason: str, remedy: str
) -> None:
    (said,) = machine.run({"init": code})
    assert reason in said["missing"]["gpu_utilization"]
    assert remedy in said["remedies"][0]


def test_without_the_binding_doctor_says_what_to_install(machine: Machine) -> None:
    (said,) = machine.run({}, before="import sys; sys.modules['pynvml'] = None\n")
    assert "nvidia-ml-py is not installed" in said["missing"]["gpu_utilization"]
    assert said["remedies"][0] == 'pip install "amptalk[nvidia]"'


def test_without_the_library_doctor_says_what_to_install(machine: Machine, tmp_path: Path) -> None:
    if os.path.exists("/dev/nvidiactl"):
        pytest.skip("this machine has the real library")
    machine.library = tmp_path
    (said,) = machine.run({})
    assert "libnvidia-ml.so.1 is not found" in said["missing"]["gpu_utilization"]
    assert "libnvidia-ml1" in said["remedies"][0]


def test_another_drivers_card_is_named_not_blamed_on_a_missing_library(machine: Machine) -> None:
    machine.tree.remove("proc/driver/nvidia/version")
    folder = machine.tree.root / machine.card(FIRST)
    (folder / "driver").symlink_to("/sys/bus/pci/drivers/nouveau")
    (said,) = machine.run({})
    assert "no reader for the GPU of driver nouveau" in said["missing"]["gpu_utilization"]


def test_two_gpus_and_which_one_counts(machine: Machine) -> None:
    state = {"count": 2, **gpu(util=1), **gpu(1, util=2)}
    for asked, expected in (("1", 2), ("GPU-1", 2), (SECOND, 2)):
        (said,) = machine.run(state, gpu=asked)
        assert said["values"]["gpu_utilization"] == expected
    assert "0 = Card 0 (GPU-0, 0000:01:00.0); 1 = Card 1" in machine.run(state, gpu="GPU-9")
