"""NVIDIA GPUs through the real binding and a double of the driver's library, built here.

The double is loaded in a process of its own by LD_LIBRARY_PATH, as the binding loads the real one.
A script there makes the tests' made-up machine, runs steps and prints what the sample says.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ROOT
from tests.sensors.trees import Tree, tree

__all__ = ["tree"]
MB = 2**20
COMPILER = shutil.which("cc") or shutil.which("gcc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler to build the double with")

SCRIPT = """
import json, sys
from pathlib import Path
from amptalk.clock import VirtualClock
from amptalk.model.errors import ConfigurationError
from amptalk.sensors.roots import Roots
from amptalk.sensors.suite import SensorSuite
folder, pid, gpu = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] or None
steps = json.loads(sys.argv[4])
roots = Roots(str(folder / "proc"), str(folder / "sys"))
clock = VirtualClock()
said = []
(folder / "state").write_text(steps[0])
try:
    suite = SensorSuite("device", clock, roots, pid=pid, gpu=gpu)
except ConfigurationError as error:
    print(json.dumps(str(error)))
    raise SystemExit
for step in steps:
    (folder / "state").write_text(step)
    for _ in range(3):
        clock.advance(1)
        sample = suite.read()
    reports = [one for one in suite.describe() if one.name.startswith("GPU")]
    said.append({
        "values": {k: v for k, v in sample.as_dict().items() if "gpu" in k},
        "missing": {k: v for k, v in sample.missing.items() if "gpu" in k},
        "origins": {k: v.method + " " + v.source for k, v in sample.provenance.items()
                    if "gpu" in k},
        "rows": [one.value or one.missing for one in reports],
        "remedies": [one.remedy for one in reports if one.remedy],
    })
suite.close()
print(json.dumps(said))
"""


@pytest.fixture(scope="module", params=["", "-DOLD_DRIVER"], ids=["driver", "old driver"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).with_name("nvml_double.c")
    command = [str(COMPILER), "-shared", "-fPIC", "-D_GNU_SOURCE", str(request.param) or "-DNEW",
               "-Wl,-soname,libnvidia-ml.so.1", "-o", str(folder / "libnvidia-ml.so.1"),
               str(source)]  # fmt: skip
    subprocess.run(command, check=True, timeout=60)
    return folder


class Machine:
    def __init__(self, tree: Tree, library: Path) -> None:
        pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
        self.tree = tree
        self.library = library
        self.old = False
        self.calls = tree.root / "calls"
        tree.put("proc/driver/nvidia/version", "NVRM version\n")

    def run(self, *steps: dict[str, object], gpu: str = "", blocked: str = "") -> Any:
        """What is said after each step; a step adds to the state of the one before."""
        state: dict[str, object] = {}
        states = []
        for step in steps:
            state = {key: value for key, value in {**state, **step}.items() if value is not None}
            states.append("".join(f"{key} {value}\n" for key, value in state.items()))
        environment = dict(os.environ)
        environment["LD_LIBRARY_PATH"] = str(self.library)
        environment["NVML_DOUBLE"] = str(self.tree.root / "state")
        environment["NVML_DOUBLE_CALLS"] = str(self.calls)
        environment["PYTHONPATH"] = str(ROOT / "src")
        script = f"import sys; sys.modules[{blocked!r}] = None\n" + SCRIPT if blocked else SCRIPT
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script, str(self.tree.root), "4242", gpu,
             json.dumps(states)],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def machine(tree: Tree, library: Path) -> Machine:
    return Machine(tree, library)


def gpu(number: int = 0, **more: object) -> dict[str, object]:
    usual: dict[str, object] = {
        "name": f"Card {number}", "uuid": f"GPU-{number}", "pci": f"0000000{number}:01:00.0",
        "util": 37, "total": 8192 * MB, "used": 1000 * MB, "reserved": 300 * MB, "bar1": 256 * MB,
        "power": 15250, "temp": 71, "sm": 1500, "mem": 7000, "events": "0x40",
        "compute": f"4242:{400 * MB} 77:{100 * MB}", "graphics": f"4242:{400 * MB} 78:{MB}",
    }  # fmt: skip
    return {f"{number}.{key}": value for key, value in {**usual, **more}.items()}


def test_values_of_a_card(machine: Machine, request: pytest.FixtureRequest) -> None:
    (said,) = machine.run({"count": 1, **gpu()})
    values = said["values"]
    assert values["device.gpu_utilization"] == values["gpu_utilization"] == 37
    assert values["application.gpu_memory_mb"] == 400, "800 would count the process twice"
    assert values["device.gpu_memory_total_mb"] == 8192
    old = "old driver" in request.node.name
    assert values["device.gpu_memory_used_mb"] == (1300 if old else 1000)
    assert ("reserves included" in said["origins"]["device.gpu_memory_used_mb"]) == old
    (row, *_) = said["rows"]
    for told in ("Card 0 (GPU-0, 0000:01:00.0)", "15.2 W", "71 °C", "1500 MHz",
                 "held back by thermal (hardware)"):  # fmt: skip
        assert told in row


def test_what_is_not_supported_is_missing_and_the_rest_stays(machine: Machine) -> None:
    (said,) = machine.run({"count": 1, **gpu(), "0.util": None, "0.power": None, "0.temp": None})
    assert said["values"]["gpu_utilization"] is None
    assert "does not support" in said["missing"]["gpu_utilization"]
    assert said["values"]["device.gpu_memory_total_mb"] == 8192
    assert any("power_watts" in row for row in said["rows"])


def test_a_lost_gpu_is_an_error_with_its_reason_and_found_again(machine: Machine) -> None:
    before, lost, back = machine.run(
        {"count": 2, **gpu(), **gpu(1)}, {"0.error": 15}, {"0.error": None}
    )
    assert before["values"]["gpu_utilization"] == 37
    assert lost["values"]["device.gpu_memory_used_mb"] is None, "not a board of shared memory"
    assert "the GPU is lost" in lost["missing"]["gpu_utilization"]
    assert "Card 1" in " ".join(lost["rows"]), "the other one stays"
    assert back["values"]["gpu_utilization"] == 37
    calls = machine.calls.read_text().split("\n")
    assert calls.count("init") >= 2


def test_a_gpu_lost_when_its_handle_is_asked_for_keeps_its_number(machine: Machine) -> None:
    _, lost = machine.run({"count": 2, **gpu(), **gpu(1, util=99)}, {"0.handle.error": 15})
    assert lost["values"]["gpu_utilization"] is None, "99 would be the other GPU's"


def test_mig_instances_have_memory_and_no_utilisation(machine: Machine) -> None:
    instance = {"util": 90, "compute": None, "graphics": None, "bar1": None}
    state = {
        "count": 1, **gpu(mig=7),
        **gpu(100, **instance, total=4864 * MB, used=500 * MB, uuid="MIG-a"),
        **gpu(102, **instance, total=9856 * MB, used=700 * MB, uuid="MIG-c"),
    }  # fmt: skip
    (said,) = machine.run(state)
    assert said["values"]["device.gpu_memory_total_mb"] == 4864
    assert "MIG" in said["missing"]["gpu_utilization"]
    assert sum("MIG-c" in row for row in said["rows"]) >= 1
    (second,) = machine.run(state, gpu="mig-C")
    assert second["values"]["device.gpu_memory_total_mb"] == 9856


def test_two_gpus_and_which_one_counts(machine: Machine) -> None:
    state = {"count": 2, **gpu(util=1), **gpu(1, util=2)}
    for asked, expected in (("", 1), ("1", 2), ("GPU-1", 2), ("0001:01:00.0", 2)):
        (said,) = machine.run(state, gpu=asked)
        assert said["values"]["gpu_utilization"] == expected
    wrong = machine.run(state, gpu="GPU-9")
    assert "0 = Card 0 (GPU-0, 0000:01:00.0); 1 = Card 1" in wrong


@pytest.mark.parametrize(
    "memory",
    [{"0.total": None}, {"0.total": 0}, {"0.total": 7800 * MB, "0.bar1": None}],
    ids=["not supported", "total 0", "total of the machine"],
)
def test_shared_memory_is_the_sum_of_processes_never_the_machines(
    machine: Machine, memory: dict[str, object]
) -> None:
    (said,) = machine.run({"count": 1, **gpu(used=7000 * MB), **memory})
    assert said["values"]["device.gpu_memory_used_mb"] == 501
    assert said["values"]["device.gpu_memory_total_mb"] == 7812.5
    assert said["origins"]["device.gpu_memory_used_mb"].startswith("derived")
    assert "shared memory" in said["rows"][0]


def test_a_card_as_large_as_the_machine_is_no_shared_memory(machine: Machine) -> None:
    (said,) = machine.run({"count": 1, **gpu(total=7800 * MB, used=2000 * MB, reserved=0)})
    assert said["values"]["device.gpu_memory_used_mb"] == 2000


def test_an_error_of_memory_is_no_sign_of_shared_memory(machine: Machine) -> None:
    (said,) = machine.run({"count": 1, **gpu(), "0.total.error": 4})
    assert said["values"]["device.gpu_memory_used_mb"] is None
    assert "may not call" in said["missing"]["device.gpu_memory_used_mb"]


def test_a_sleeping_gpu_is_never_asked(machine: Machine) -> None:
    for number, status in ((0, "suspended"), (1, "active")):
        folder = f"sys/bus/pci/devices/000{number}:01:00.0"
        for name, text in {"vendor": "0x10de", "class": "0x030200",
                           "power/runtime_status": status}.items():  # fmt: skip
            machine.tree.put(f"{folder}/{name}", f"{text}\n")
    (said,) = machine.run({"count": 2, **gpu(), **gpu(1, util=55)})
    assert "asleep" in said["missing"]["gpu_utilization"]
    assert "Card 1" in " ".join(said["rows"])
    calls = machine.calls.read_text().split("\n")
    assert "handle 0" not in calls
    assert "handle 1" in calls
    machine.tree.put("sys/bus/pci/devices/0001:01:00.0/power/runtime_status", "suspended\n")
    machine.calls.write_text("")
    machine.run({"count": 2, **gpu(), **gpu(1)})
    assert machine.calls.read_text() == "", "with all asleep not even the library is started"


def test_an_idle_gpu_that_could_sleep_is_let_go(machine: Machine) -> None:
    folder = "sys/bus/pci/devices/0000:01:00.0"
    for name, text in {"vendor": "0x10de", "class": "0x030000", "power/control": "auto"}.items():
        machine.tree.put(f"{folder}/{name}", f"{text}\n")
    machine.run({"count": 1, **gpu(util=0, compute="", graphics="")})
    assert machine.calls.read_text().split() == ["init", "handle", "0", "shutdown"]


def test_a_host_pid_seen_from_a_namespace_is_missing_not_0(machine: Machine) -> None:
    folder = machine.tree.root / "proc/self/ns"
    folder.mkdir(parents=True)
    (folder / "pid").symlink_to("pid:[4026532999]")
    (said,) = machine.run({"count": 1, **gpu(compute=f"99:{MB}", graphics=None)})
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
    (said,) = machine.run({}, blocked="pynvml")
    assert "nvidia-ml-py is not installed" in said["missing"]["gpu_utilization"]
    assert said["remedies"][0] == 'pip install "amptalk[nvidia]"'


def test_without_the_library_doctor_says_what_to_install(machine: Machine) -> None:
    if os.path.exists("/dev/nvidiactl"):
        pytest.skip("this machine has the real library")
    machine.library = machine.tree.root
    (said,) = machine.run({})
    assert "libnvidia-ml.so.1 is not found" in said["missing"]["gpu_utilization"]
    assert "libnvidia-ml1" in said["remedies"][0]


@pytest.mark.gpu
def test_a_real_card_agrees_with_nvidia_smi() -> None:
    """The one test that needs a card: `pytest -m gpu`."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        pytest.skip("no nvidia-smi, so no NVIDIA GPU to compare with")
    from amptalk.sensors.suite import SensorSuite
    from tests.sensors.trees import opened, until

    asked = [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits", "--id=0"]
    theirs = float(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    with opened(SensorSuite("device")) as suite:
        until(lambda: not math.isnan(suite.read().device.gpu_memory_total_mb), 30.0)
        sample = suite.read()
    assert sample.device.gpu_memory_total_mb == pytest.approx(theirs, rel=0.01)
    assert 0 <= sample.gpu_utilization <= 100
