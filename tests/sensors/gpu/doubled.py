"""A machine with NVIDIA's library doubled, for the real binding in a process of its own.

The double is built here and found by LD_LIBRARY_PATH, as the binding finds the real library. A
script there makes the tests' made-up machine, runs steps and prints what the sample says.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ROOT
from tests.sensors.trees import Tree

MB = 2**20
COMPILER = shutil.which("cc") or shutil.which("gcc")
without_compiler = pytest.mark.skipif(
    COMPILER is None, reason="no C compiler to build the double with"
)

SCRIPT = """
import json, sys
from pathlib import Path
from amptalk.clock import VirtualClock
from amptalk.model.errors import ConfigurationError
from amptalk.sensors.roots import Roots
from amptalk.sensors.suite import SensorSuite
import amptalk.sensors.slow
amptalk.sensors.slow._SHARE = 0.0  # time is virtual here, but what a reading costs is real
import os
folder, gpu = Path(sys.argv[1]), sys.argv[3] or None
pid = int(sys.argv[2]) or os.getpid()
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
        clock.advance(float(sys.argv[5]))
        sample = suite.read()
    reports = [one for one in suite.describe() if one.name.startswith("GPU")]
    said.append({
        "values": {k: v for k, v in sample.as_dict().items() if "gpu" in k},
        "missing": {k: v for k, v in sample.missing.items() if "gpu" in k},
        "origins": {k: v.method + " " + v.source for k, v in sample.provenance.items()
                    if "gpu" in k},
        "rows": [one.value or one.missing for one in reports],
        "remedies": [one.remedy for one in reports if one.remedy],
        "gpus": [{k: v for k, v in one._asdict().items() if k not in ("missing", "provenance")}
                 for one in suite.gpus()],
        "reasons": [dict(one.missing) for one in suite.gpus()],
        "sources": [{k: v.method + " " + v.source for k, v in one.provenance.items()}
                    for one in suite.gpus()],
        "throttling": [one for one in suite.throttling().reasons if one.startswith("GPU")],
        "age": sample.age("gpu_utilization"),
    })
suite.close()
print(json.dumps(said))
"""


def built(folder: Path, *options: str) -> Path:
    """Build the double into `folder`."""
    source = Path(__file__).with_name("nvml_double.c")
    command = [str(COMPILER), "-shared", "-fPIC", "-D_GNU_SOURCE", *options,
               "-Wl,-soname,libnvidia-ml.so.1", "-o", str(folder / "libnvidia-ml.so.1"),
               str(source)]  # fmt: skip
    subprocess.run(command, check=True, timeout=60)
    return folder


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("nvml"))


@pytest.fixture(scope="session")
def old_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A driver of before 2023: without the functions that came since."""
    return built(tmp_path_factory.mktemp("old-nvml"), "-DOLD_DRIVER")


class Machine:
    def __init__(self, tree: Tree, library: Path) -> None:
        pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
        self.tree = tree
        self.library = library
        self.pid = "4242"
        self.calls = tree.root / "calls"
        tree.put("proc/driver/nvidia/version", "NVRM version\n")

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "LD_LIBRARY_PATH": str(self.library),
            "NVML_DOUBLE": str(self.tree.root / "state"),
            "NVML_DOUBLE_CALLS": str(self.calls),
            "PYTHONPATH": str(ROOT / "src"),
        }

    def card(self, pci: str, **files: str) -> str:
        """Have the kernel list a card; returns its folder."""
        folder = f"sys/bus/pci/devices/{pci}"
        for name, text in {"vendor": "0x10de", "class": "0x030200", **files}.items():
            self.tree.put(f"{folder}/{name.replace('__', '/')}", f"{text}\n")
        return folder

    def called(self) -> list[str]:
        """What was asked of the library: `init`, `shutdown` and `handle` with its number."""
        return self.calls.read_text().splitlines()

    def run(
        self, *steps: dict[str, object], gpu: str = "", before: str = "", seconds: float = 1
    ) -> Any:
        """What is said after each step; a step adds to the state of the one before.

        Each step is read three times, `seconds` apart. `before` is run first in the process.
        """
        state: dict[str, object] = {}
        states = []
        for step in steps:
            state = {key: value for key, value in {**state, **step}.items() if value is not None}
            states.append("".join(f"{key} {value}\n" for key, value in state.items()))
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", before + SCRIPT, str(self.tree.root), self.pid,
             gpu, json.dumps(states), str(seconds)],
            env=self.environment(), capture_output=True, text=True, timeout=60, check=False,
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
