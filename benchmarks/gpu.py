#!/usr/bin/env python3
"""A real NVIDIA GPU: our readings against `nvidia-smi`, what a call costs, whose memory it is.

    python benchmarks/gpu.py [--quick] [--gpu NUMBER|UUID|ADDRESS] [--out FOLDER]

Writes `gpu-<card>.json` and `.md` into FOLDER (benchmarks/results). Needs the driver, `nvidia-smi`
and nvidia-ml-py. It reads; it changes no setting of the card. A process of its own holds 256 MB
for some seconds, through the CUDA driver API, and through torch where that is installed.

- fields: ours between two readings of `nvidia-smi`, as the card does other things meanwhile
- calls: wall time of each NVML call in µs; a reading: processor and wall time of all of them
- share: what the sample says of the application's memory before, while and after it is held
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from amptalk.model.gpu import Gpu  # noqa: E402
from amptalk.sensors.gpu.nvidia_board import REASONS  # noqa: E402
from amptalk.sensors.suite import SensorSuite  # noqa: E402

HELD_MB = 256
FIELDS = {
    "utilization": ("utilization.gpu", 15.0),
    "memory_used_mb": ("memory.used", 64.0),
    "memory_total_mb": ("memory.total", 2.0),
    "power_watts": ("power.draw", 25.0),
    "temperature_celsius": ("temperature.gpu", 4.0),
    "clock_mhz": ("clocks.sm", 150.0),
    "memory_clock_mhz": ("clocks.mem", 150.0),
}
"""Ours to the name in `nvidia-smi` and how far ours may be from both of its readings."""
CALLS: tuple[tuple[Any, ...], ...] = (
    ("nvmlDeviceGetName",), ("nvmlDeviceGetUUID",), ("nvmlDeviceGetPciInfo",),
    ("nvmlDeviceGetMigMode",), ("nvmlDeviceGetUtilizationRates",), ("nvmlDeviceGetMemoryInfo",),
    ("nvmlDeviceGetTotalEnergyConsumption",), ("nvmlDeviceGetPowerUsage",),
    ("nvmlDeviceGetTemperature", 0), ("nvmlDeviceGetClockInfo", 1),
    ("nvmlDeviceGetCurrentClocksEventReasons",), ("nvmlDeviceGetComputeRunningProcesses",),
    ("nvmlDeviceGetGraphicsRunningProcesses",),
)  # fmt: skip
BY_DRIVER = """
import ctypes, sys
cuda = ctypes.CDLL("libcuda.so.1")
context, pointer = ctypes.c_void_p(), ctypes.c_uint64()
for code in (
    cuda.cuInit(0),
    cuda.cuCtxCreate_v2(ctypes.byref(context), 0, 0),
    cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(int(sys.argv[1]) << 20)),
):
    if code:
        sys.exit(f"the CUDA driver answers {code}")
print("held", flush=True)
sys.stdin.readline()
"""
BY_TORCH = """
import sys, torch
held = torch.empty(int(sys.argv[1]) << 20, dtype=torch.uint8, device="cuda")
torch.cuda.synchronize()
print("held", flush=True)
sys.stdin.readline()
"""


def smi(address: str, *names: str) -> list[str]:
    """What `nvidia-smi` says of one GPU."""
    command = ["nvidia-smi", f"--query-gpu={','.join(names)}", f"--id={address}"]
    command.append("--format=csv,noheader,nounits")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise SystemExit(f"nvidia-smi fails: {done.stdout.strip()} {done.stderr.strip()}")
    return [part.strip() for part in done.stdout.strip().splitlines()[0].split(",")]


def plain(text: str) -> float:
    """A number, or `nan` for "[N/A]" and "[Not Supported]"."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def await_reading(suite: SensorSuite, good: Callable[[Gpu], bool], seconds: float = 20) -> Gpu:
    """Read until the sample's GPU is as wanted, or the time is over; returns it as it is then."""
    end = time.monotonic() + seconds
    while True:
        suite.read()
        found = next((one for one in suite.gpus() if one.sampled), None)
        if found is not None and good(found):
            return found
        if time.monotonic() > end:
            if found is None:
                raise SystemExit("no GPU is read; `amptalk doctor` says why")
            return found
        time.sleep(0.05)


def compare(suite: SensorSuite, one: Gpu) -> dict[str, dict[str, Any]]:
    """Ours between two of theirs, field by field."""
    names = [name for name, _ in FIELDS.values()]
    before = smi(one.pci_address, *names)
    since = time.monotonic()
    ours = await_reading(suite, lambda gpu: gpu.measured_at > since)
    after = smi(one.pci_address, *names)
    found: dict[str, dict[str, Any]] = {}
    for (field, (_, far)), first, last in zip(FIELDS.items(), before, after, strict=True):
        value, theirs = getattr(ours, field), [plain(first), plain(last)]
        if math.isnan(theirs[0]) or math.isnan(theirs[1]):
            origin = ours.provenance.get(field)
            agrees = math.isnan(value) or (origin is not None and origin.method == "derived")
        else:
            agrees = min(theirs) - far <= value <= max(theirs) + far
        reason = ours.missing.get(field, "")
        found[field] = {"ours": value, "theirs": [first, last], "agrees": agrees, "missing": reason}
    name, uuid, bus = smi(one.pci_address, "name", "uuid", "pci.bus_id")
    for field, value, text in (
        ("name", ours.name, name), ("uuid", ours.uuid, uuid),
        ("pci_address", ours.pci_address.rpartition(".")[0], bus.lower()[4:].rpartition(".")[0]),
    ):  # fmt: skip
        found[field] = {"ours": value, "theirs": [text], "agrees": value == text, "missing": ""}
    return {**found, "throttle_reasons": reasons(ours)}


def reasons(ours: Gpu) -> dict[str, Any]:
    """What holds the clocks back, by the query's name of today or of before 2023."""
    try:
        (text,) = smi(ours.pci_address, "clocks_event_reasons.active")
    except SystemExit:
        (text,) = smi(ours.pci_address, "clocks_throttle_reasons.active")
    bits = int(text, 16) if text.startswith("0x") else 0
    theirs = [words for bit, words in REASONS.items() if bits & bit]
    agrees = theirs == list(ours.throttle_reasons)
    missing = ours.missing.get("throttle_reasons", "")
    return {"ours": ours.throttle_reasons, "theirs": theirs, "agrees": agrees, "missing": missing}


def call_costs(address: str, rounds: int) -> dict[str, Any]:
    """Wall time of each call in µs: median and longest; the error of one that is refused."""
    pynvml = importlib.import_module("pynvml")
    pynvml.nvmlInit()
    try:
        handle = pynvml.nvmlDeviceGetHandleByPciBusId(address.encode())
        found: dict[str, Any] = {}
        for name, *more in CALLS:
            arguments = [pynvml.nvmlMemory_v2] if name == "nvmlDeviceGetMemoryInfo" else more
            costs = []
            try:
                for _ in range(rounds):
                    begun = time.perf_counter()
                    getattr(pynvml, name)(handle, *arguments)
                    costs.append((time.perf_counter() - begun) * 1e6)
            except pynvml.NVMLError as error:
                found[name] = {"error": str(error)}
                continue
            found[name] = {"median_us": statistics.median(costs), "longest_us": max(costs)}
        return found
    finally:
        pynvml.nvmlShutdown()


def reading_cost(rounds: int) -> dict[str, float]:
    """Processor and wall time of one reading of all NVIDIA GPUs, in µs."""
    from amptalk.clock import SystemClock
    from amptalk.sensors.gpu.nvidia import NvidiaReader
    from amptalk.sensors.gpu.places import find_places
    from amptalk.sensors.roots import Roots

    roots = Roots()
    places = tuple(place for place in find_places(roots) if place.kind == "nvidia")
    reader = NvidiaReader(roots, places, SystemClock())
    gpus = len(reader.read((os.getpid(),)))
    wall, processor = [], []
    for _ in range(rounds):
        begun = time.perf_counter(), time.thread_time()
        reader.read((os.getpid(),))
        wall.append((time.perf_counter() - begun[0]) * 1e6)
        processor.append((time.thread_time() - begun[1]) * 1e6)
    reader.release()
    return {
        "gpus": gpus, "wall_us": statistics.median(wall), "longest_us": max(wall),
        "processor_us": statistics.median(processor),
    }  # fmt: skip


def share(suite: SensorSuite, one: Gpu, script: str) -> dict[str, Any]:
    """The application's memory before, while and after a child of ours holds some."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": one.uuid}
    before = await_reading(suite, lambda gpu: not math.isnan(gpu.application_mb), 5)
    begin = 0.0 if math.isnan(before.application_mb) else before.application_mb
    with subprocess.Popen(
        [sys.executable, "-c", script, str(HELD_MB)], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdin and child.stdout and child.stderr
        if child.stdout.readline().strip() != "held":
            return {"error": child.stderr.read().strip()[-300:]}
        held = await_reading(suite, lambda gpu: gpu.application_mb >= begin + HELD_MB)
        child.stdin.write("\n")
    after = await_reading(suite, lambda gpu: gpu.application_mb < begin + HELD_MB)
    return {
        "held_mb": HELD_MB, "before_mb": before.application_mb, "while_mb": held.application_mb,
        "after_mb": after.application_mb, "missing": held.missing.get("application_mb", ""),
    }  # fmt: skip


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, as one document."""
    rounds = 20 if options.quick else 200
    suite = SensorSuite(gpu=options.gpu)
    try:
        one = await_reading(suite, lambda gpu: bool(gpu.pci_address) and bool(gpu.provenance))
        if one.kind != "nvidia" or not one.provenance:
            raise SystemExit(f"{one.name} is not an NVIDIA GPU that can be read: {one.missing}")
        (driver,) = smi(one.pci_address, "driver_version")
        shares = {"CUDA driver": share(suite, one, BY_DRIVER)}
        if importlib.util.find_spec("torch") is not None:
            shares["torch"] = share(suite, one, BY_TORCH)
        fields = compare(suite, one)
    finally:
        suite.close()
    return {
        "card": one.name, "driver": driver, "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "fields": fields, "share": shares,
        "calls": call_costs(one.pci_address, rounds), "reading": reading_cost(rounds),
    }  # fmt: skip


def as_text(found: dict[str, Any]) -> str:
    """The document for people."""
    lines = [f"# {found['card']}, driver {found['driver']}, {found['date']}", ""]
    lines += ["| field | ours | nvidia-smi before, after | agrees |", "|---|---|---|---|"]
    for name, one in found["fields"].items():
        theirs = ", ".join(map(str, one["theirs"]))
        lines.append(f"| {name} | {one['ours'] or one['missing']} | {theirs} | {one['agrees']} |")
    lines += ["", "| NVML call | median µs | longest µs |", "|---|---|---|"]
    for name, one in found["calls"].items():
        cost = one.get("error") or f"{one['median_us']:.0f} | {one['longest_us']:.0f}"
        lines.append(f"| {name} | {cost} |")
    one = found["reading"]
    lines += ["", f"One reading of {one['gpus']} GPU(s): {one['wall_us']:.0f} µs, of them"]
    lines += [
        f"{one['processor_us']:.0f} µs processor time; longest {one['longest_us']:.0f} µs.",
        "",
    ]
    lines += [f"Share, by {name}: {one}" for name, one in found["share"].items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="20 calls each instead of 200")
    parser.add_argument("--gpu", help="which one, when there are several")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results")
    options = parser.parse_args()
    if shutil.which("nvidia-smi") is None:
        raise SystemExit("there is no nvidia-smi here, so there is nothing to compare with")
    found = measure(options)
    options.out.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^a-z0-9]+", "-", found["card"].lower()).strip("-")
    path = options.out / f"gpu-{slug}.json"
    path.write_text(json.dumps(found, indent=1).replace("NaN", "null") + "\n")
    path.with_suffix(".md").write_text(as_text(found))
    print(as_text(found), f"\nwritten to {path}", sep="")


if __name__ == "__main__":
    main()
