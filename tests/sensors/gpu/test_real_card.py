"""`pytest -m gpu`: a real NVIDIA GPU against `nvidia-smi`, by `benchmarks/gpu.py` that only reads.

Where there is none these tests are skipped; what they say is tried on doubles of `nvidia-smi`, of
the driver's library and of CUDA, so that it is known to work when it is needed.
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
from tests.sensors.gpu.doubled import COMPILER, Machine, gpu, without_compiler

SMI = """#!{python}
import os, sys
state = dict(line.rstrip("\\n").split(" ", 1) for line in open(os.environ["NVML_DOUBLE"]))
of = lambda key: state["0." + key]
mega = lambda key: str(int(of(key)) // 2**20)
said = {{
    "driver_version": lambda: "999.1", "name": lambda: of("name"), "uuid": lambda: of("uuid"),
    "pci.bus_id": lambda: of("pci"), "utilization.gpu": lambda: of("util"),
    "memory.used": lambda: mega("used"), "memory.total": lambda: mega("total"),
    "power.draw": lambda: str(int(of("power")) / 1000), "temperature.gpu": lambda: of("temp"),
    "clocks.sm": lambda: of("sm"), "clocks.mem": lambda: "[N/A]",
    "clocks_throttle_reasons.active": lambda: of("events"),
}}
asked = next(one for one in sys.argv if one.startswith("--query-gpu=")).partition("=")[2]
try:
    print(", ".join(said[name]() for name in asked.split(",")))
except KeyError as error:
    sys.exit(f"Field {{error}} is not a valid field to query.")
"""
"""`nvidia-smi` of before 2023, which has other names."""
DRY = """
import runpy, sys
import amptalk.sensors.gpu.places as places
places._nvidia_nodes = lambda roots: True
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(out: Path, *, before: tuple[str, ...] = (), **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, *before, str(ROOT / "benchmarks/gpu.py"), "--quick", "--out", str(out)],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("gpu-*.json")
    assert path.with_suffix(".md").read_text() in done.stdout
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    if shutil.which("nvidia-smi") is None:
        pytest.skip("no nvidia-smi, so no NVIDIA GPU to compare with")
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    if listed.returncode or not listed.stdout.startswith("GPU "):
        pytest.skip(f"nvidia-smi shows no GPU: {listed.stdout.strip()[:80]}")
    return run(tmp_path_factory.mktemp("results"))


def check_fields(found: dict[str, Any]) -> None:
    wrong = {name: one for name, one in found["fields"].items() if not one["agrees"]}
    assert not wrong
    assert found["fields"]["memory_total_mb"]["ours"] or found["fields"]["uuid"]["ours"]


def check_costs(found: dict[str, Any]) -> None:
    told = [one for one in found["calls"].values() if "median_us" in one]
    assert len(told) >= 5
    assert all(0 < one["median_us"] <= one["longest_us"] for one in told)
    assert found["reading"]["gpus"] >= 1
    # Read once a second on the slow thread, which takes at most 1 % of a core.
    assert found["reading"]["processor_us"] < 50_000


def check_share(one: dict[str, Any]) -> None:
    if "error" in one:
        pytest.skip(f"no memory of the GPU can be held: {one['error']}")
    if one["missing"]:
        assert "namespace" in one["missing"], one
        return
    grown = one["while_mb"] - (one["before_mb"] or 0)
    assert one["held_mb"] <= grown < one["held_mb"] + 2000, "what is held, and a CUDA context"
    assert one["after_mb"] - (one["before_mb"] or 0) < one["held_mb"]


@pytest.mark.gpu
def test_a_real_card_agrees_with_nvidia_smi(measured: dict[str, Any]) -> None:
    check_fields(measured)


@pytest.mark.gpu
def test_what_a_real_card_costs_to_read(measured: dict[str, Any]) -> None:
    check_costs(measured)


@pytest.mark.gpu
@pytest.mark.parametrize("by", ["CUDA driver", "torch"])
def test_memory_that_we_hold_on_a_real_card_is_ours(measured: dict[str, Any], by: str) -> None:
    if by not in measured["share"]:
        pytest.skip(f"{by} is not installed")
    check_share(measured["share"][by])


@without_compiler
def test_these_tests_hold_on_doubles(machine: Machine, tmp_path: Path) -> None:
    if os.path.exists("/dev/nvidiactl"):
        pytest.skip("this machine has a real GPU, which stands for its double")
    folder = tmp_path / "cuda"
    folder.mkdir()
    source = Path(__file__).with_name("cuda_double.c")
    library = str(folder / "libcuda.so.1")
    command = [str(COMPILER), "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, str(source)]
    subprocess.run(command, check=True, timeout=60)
    tool = folder / "nvidia-smi"
    tool.write_text(SMI.format(python=sys.executable))
    tool.chmod(0o755)
    state = {"count": 1, **gpu(compute="1:0", graphics="", events="0x44")}
    text = "".join(f"{key} {value}\n" for key, value in state.items() if key != "0.mem")
    (machine.tree.root / "state").write_text(text)
    found = run(
        tmp_path / "results", before=("-c", DRY), NVML_DOUBLE=str(machine.tree.root / "state"),
        LD_LIBRARY_PATH=f"{machine.library}:{folder}", PATH=f"{folder}:{os.environ['PATH']}",
    )  # fmt: skip
    assert (found["card"], found["driver"]) == ("Card 0", "999.1")
    check_fields(found)
    assert found["fields"]["throttle_reasons"]["ours"] == ["power cap", "thermal (hardware)"]
    check_costs(found)
    check_share(found["share"]["CUDA driver"])
    assert found["share"]["CUDA driver"]["while_mb"] == 376
