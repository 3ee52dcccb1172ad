#!/usr/bin/env python3
"""Real jobs of one kind, run in this process and written down run by run.

    python benchmarks/real_jobs.py KIND [--runs N] [--seed N] [--threads N --limit MB]

`benchmarks/jobs.py` starts it, a process for each kind, and makes the table. Prints a line of
JSON for each run: its size, what the manager said of it before it began, and what it took.

What it took does not come from the learner, which samples: it is the highest resident set that
the kernel kept (`VmHWM`, set back through `clear_refs` just before the run) less the resident set
before it, plus what other processes say of themselves. With several threads the kernel cannot
tell their jobs apart; then it is what each job allocated.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from amptalk import ResourceManager, create_resource_manager  # noqa: E402

PAGE = b"x" * 4096
TOLD_AFTER = (5, 20)
"""After so many runs it is written down what is told of every size."""


class Took(NamedTuple):
    """What one run allocated, in MB."""

    here: float
    """In this process, as far as the job knows it."""
    elsewhere: float = 0.0
    """Anonymous memory of other processes, at their highest, as the kernel told them."""


class Kind(NamedTuple):
    """One kind of job."""

    about: str
    run: Callable[[float], Took]
    sizes: Sequence[float]
    declared: bool = True
    """Whether the manager is told the size."""
    needs: str = ""
    """A module that may not be installed."""


def resident(field: str = "VmRSS") -> float:
    """A figure of this process from the kernel, in MB."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"{field}:\s+(\d+)", text)
    assert found is not None, f"the kernel says no {field}"
    return int(found[1]) / 1024.0


def forget_highest() -> None:
    """Let the highest resident set begin anew (proc_pid_clear_refs(5))."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def scattered(megabytes: float, by: float = 0.05) -> float:
    """An amount a little above or below."""
    return megabytes * random.uniform(1.0 - by, 1.0 + by)


def block(megabytes: float) -> bytearray:
    """One piece of memory, written to, so that it is resident."""
    return bytearray(PAGE) * int(megabytes * 256)


def one_block(megabytes: float) -> Took:
    """Hold one piece of memory for a while."""
    amount = scattered(megabytes)
    held = block(amount)
    time.sleep(0.04)
    del held
    return Took(amount)


def pieces(size: float) -> Took:
    """Hold many small pieces: malloc keeps some of what is freed for the next run."""
    held = [b"x" * random.randrange(20_000, 110_000) for _ in range(int(scattered(size) * 16))]
    time.sleep(0.04)
    return Took(math.fsum(map(len, held)) / 2**20)


def parsed(size: float) -> Took:
    """Write and read a document of so many thousand records, and sort it."""
    rows = [{"number": i, "name": f"row {i}", "values": [i, -i]} for i in range(int(size * 1000))]
    again = json.loads(json.dumps(rows))
    again.sort(key=lambda row: row["name"])
    return Took(math.nan)


def spike(size: float) -> Took:
    """Have a short peak in the midst of a longer run."""
    held = block(30.0)
    time.sleep(0.06)
    amount = scattered(size)
    peak = block(amount)
    time.sleep(0.01)
    del peak
    time.sleep(0.06)
    del held
    return Took(30.0 + amount)


CHILD = r"""
import re, sys, time
held = bytearray(b"x" * 4096) * int(float(sys.argv[1]) * 256)
time.sleep(0.05)
text = open("/proc/self/status").read()
print(*[re.search(field + r":\s+(\d+)", text)[1] for field in ("VmHWM", "RssFile")])
"""


def child(size: float) -> Took:
    """Have the work done by another process, such as a converter."""
    command = [sys.executable, "-S", "-c", CHILD, str(scattered(40.0 + 3.0 * size))]
    highest, file = subprocess.run(command, capture_output=True, check=True).stdout.split()
    return Took(0.0, (int(highest) - int(file)) / 1024.0)


_LOADED: dict[str, Any] = {}


def reader(megapixels: float) -> Took:
    """Read a page with a text recognition model; the first run loads it, as applications do."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    if not _LOADED:
        from rapidocr_onnxruntime import RapidOCR

        _LOADED["engine"] = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
        _LOADED["font"] = ImageFont.load_default(size=16)
    width = int(math.sqrt(megapixels * 1e6 / 1.4))
    image = Image.new("RGB", (width, int(1.4 * width)), "white")
    draw = ImageDraw.Draw(image)
    for row in range(40, int(1.4 * width) - 40, 320):
        text = f"Line {random.randrange(10**6)} of a page"
        draw.text((40, row), text, "black", font=_LOADED["font"])
    _LOADED["engine"](np.array(image))
    return Took(math.nan)


KINDS = {
    "fixed": Kind("80 MB, no size declared", lambda _: one_block(80.0), (1.0,), declared=False),
    "two modes": Kind(
        "60 MB, every third time 120 MB, no size declared",
        one_block, (60.0, 60.0, 120.0), declared=False,
    ),
    "line": Kind("20 + 4·size MB", lambda s: one_block(20.0 + 4.0 * s), range(5, 45, 5)),
    "square": Kind("10 + size²/20 MB", lambda s: one_block(10.0 + s * s / 20.0), range(30, 65, 5)),
    "pieces": Kind("16·size pieces of some 64 KB", pieces, (10, 20, 30, 50, 70, 90)),
    "spike": Kind("30 MB, for 10 ms size MB more", spike, (20, 40, 60, 80, 100)),
    "parsed": Kind("JSON of size thousand records, sorted", parsed, (15, 20, 30, 40, 60)),
    "child": Kind("40 + 3·size MB in another process", child, (5, 10, 20, 30, 40)),
    "reader": Kind(
        "text recognition (rapidocr), size in megapixels",
        reader, (0.8, 1.0, 1.2, 1.5, 1.8), needs="rapidocr_onnxruntime",
    ),
}  # fmt: skip
TOGETHER = ("line", "square", "pieces", "fixed")
"""What several threads run at once, mixed."""


def told(manager: ResourceManager, name: str, size: float) -> dict[str, float | None]:
    """What the manager says of the next run."""
    cost = manager.jobs(size if KINDS[name].declared else None).get(name)
    memory = cost.memory_mb if cost is not None else None
    if cost is None or memory is None or cost.seconds is None or cost.cpu_seconds is None:
        return {"p95": None, "reserve": None, "p95_seconds": None, "p95_cpu": None}
    return {
        "p95": memory.p95, "reserve": memory.reserve, "p95_seconds": cost.seconds.p95,
        "p95_cpu": cost.cpu_seconds.p95,
    }  # fmt: skip


def run_once(manager: ResourceManager, name: str, *, alone: bool) -> dict[str, Any]:
    """Run one job of a random size and say what it took and what was told of it."""
    kind = KINDS[name]
    size = float(random.choice(kind.sizes))
    row: dict[str, Any] = {"name": name, "size": size, **told(manager, name, size)}
    before = resident()
    if alone:
        forget_highest()
    with manager.admit(name, size=size if kind.declared else None):
        begun, cpu = time.perf_counter(), time.process_time()
        took = kind.run(size)
        row["seconds"] = time.perf_counter() - begun
        row["cpu"] = time.process_time() - cpu
    row["took"] = resident("VmHWM") - before + took.elsewhere if alone else took.here
    return row


def one_after_the_other(name: str, runs: int) -> None:
    """Run a kind of job and print a line for each run."""
    with create_resource_manager(handling="observe") as manager:
        for number in range(1, runs + 1):
            row = run_once(manager, name, alone=True)
            if number in TOLD_AFTER:
                sizes = sorted(set(KINDS[name].sizes))
                row["told"] = [(size, told(manager, name, size)["p95"]) for size in sizes]
            print(json.dumps(row), flush=True)


def at_once(threads: int, runs: int, limit: float) -> None:
    """Run mixed jobs on several threads below a limit that makes them wait for each other."""
    with create_resource_manager(max_memory_mb=limit, monitoring_interval=0.25) as manager:
        left = iter(range(runs))
        lock = threading.Lock()

        def work() -> None:
            while next(left, None) is not None:
                row = run_once(manager, random.choice(TOGETHER), alone=False)
                with lock:
                    row["highest"] = resident("VmHWM") - resident("RssFile")
                    forget_highest()
                    print(json.dumps(row), flush=True)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        waited = manager.effectiveness()["admission"]
        print(json.dumps({"waited": waited}), flush=True)


def main() -> int:
    """Run one kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=[*KINDS, "together"])
    parser.add_argument("--runs", type=int, default=205)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--limit", type=float, default=400.0, help="MB, for together")
    options = parser.parse_args()
    random.seed(options.seed)
    if options.kind == "together":
        at_once(options.threads, options.runs, options.limit)
    else:
        one_after_the_other(options.kind, options.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
