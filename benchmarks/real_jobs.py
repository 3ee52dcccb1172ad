#!/usr/bin/env python3
"""Real jobs of one kind, run one after the other in this process and written down run by run.

    python benchmarks/real_jobs.py KIND [--runs N] [--seed N]

`benchmarks/jobs.py` starts it, a process for each kind, and makes the table. Prints a line of
JSON for each run: the size, what a new run of it was told to take before it began, and what the
kernel says it took: the highest resident set (`VmHWM`, set back through `clear_refs` just before
the run) less the resident set before it. The learner does not see that figure: it samples.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from amptalk import create_resource_manager  # noqa: E402

PAGE = b"x" * 4096


class Kind(NamedTuple):
    """One kind of job."""

    about: str
    run: Callable[[float], float]
    """Does the work for a size; returns MB that other processes took, by the kernel."""
    sizes: Sequence[float]
    declared: bool = True
    """Whether the manager is told the size."""
    make: Callable[[], Callable[[float], float]] | None = None
    """Loads what `run` needs; it then is what this returns."""


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


def one_block(size: float) -> float:
    held = block(scattered(size))
    time.sleep(0.04)
    del held
    return 0.0


def line(size: float) -> float:
    return one_block(20.0 + 4.0 * size)


def square(size: float) -> float:
    return one_block(10.0 + 0.05 * size * size)


def pieces(size: float) -> float:
    """Small pieces: malloc keeps what is freed, for the next run."""
    held = [b"x" * random.randrange(20_000, 110_000) for _ in range(int(scattered(size) * 16))]
    time.sleep(0.04)
    del held
    return 0.0


def parsed(size: float) -> float:
    """A document of so many thousand records, read and sorted."""
    rows = [
        {"number": i, "name": f"row {i}", "values": [i, i + 1, i + 2]}
        for i in range(int(size * 1000))
    ]
    again = json.loads(json.dumps(rows))
    again.sort(key=lambda row: row["name"])
    return 0.0


def spike(size: float) -> float:
    """A short peak in the midst of a longer run."""
    held = block(30.0)
    time.sleep(0.06)
    peak = block(scattered(size))
    time.sleep(0.01)
    del peak
    time.sleep(0.06)
    del held
    return 0.0


CHILD = """
import random, re, sys, time
held = bytearray(b"x" * 4096) * int(float(sys.argv[1]) * 256)
time.sleep(0.05)
text = open("/proc/self/status").read()
print(*[re.search(field + r":\\s+(\\d+)", text)[1] for field in ("VmHWM", "RssFile")])
"""


def child(size: float) -> float:
    """The work is done by another process, such as a converter."""
    amount = scattered(40.0 + 3.0 * size)
    command = [sys.executable, "-S", "-c", CHILD, str(amount)]
    highest, file = subprocess.run(command, capture_output=True, check=True).stdout.split()
    return (int(highest) - int(file)) / 1024.0


def reader() -> Callable[[float], float]:
    """Text recognition with a model that comes with its package, on pages of so many megapixels."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont
    from rapidocr_onnxruntime import RapidOCR

    engine = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
    font = ImageFont.load_default(size=16)

    def page(megapixels: float) -> Any:
        width = int(math.sqrt(megapixels * 1e6 / 1.4))
        image = Image.new("RGB", (width, int(1.4 * width)), "white")
        draw = ImageDraw.Draw(image)
        for row in range(40, int(1.4 * width) - 40, 160):
            draw.text((40, row), f"Line {random.randrange(10**6)} of a page", "black", font)
        return np.array(image)

    def read(megapixels: float) -> float:
        engine(page(megapixels))
        return 0.0

    return read


KINDS = {
    "fixed": Kind(
        "one block of 80 MB, ± 8 %",
        lambda _: one_block(scattered(80, 0.03)),
        (1.0,),
        declared=False,
    ),
    "two modes": Kind(
        "60 MB, every third time 120 MB", one_block, (60.0, 60.0, 120.0), declared=False
    ),
    "line": Kind("20 + 4·size MB", line, (5, 10, 15, 20, 25, 30, 35, 40)),
    "square": Kind("10 + size²/20 MB", square, (10, 15, 20, 30, 40, 50, 60)),
    "pieces": Kind("16·size pieces of some 64 KB", pieces, (10, 20, 30, 50, 70, 90)),
    "parsed": Kind("JSON of size thousand records", parsed, (5, 10, 15, 20, 30)),
    "spike": Kind("30 MB, for 10 ms size MB more", spike, (20, 40, 60, 80, 100)),
    "child": Kind("40 + 3·size MB in another process", child, (5, 10, 20, 30, 40)),
    "reader": Kind(
        "text recognition, size in megapixels",
        lambda _: 0.0,
        (0.8, 1.0, 1.2, 1.5, 1.8),
        make=reader,
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--runs", type=int, default=205)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kind = KINDS[options.kind]
    random.seed(options.seed)
    work = kind.run if kind.make is None else None
    with create_resource_manager(max_memory_mb=100_000) as manager:
        for _ in range(options.runs):
            size = random.choice(kind.sizes)
            if work is None:
                assert kind.make is not None
                # The first run loads the model, as it does in many applications.
                pass
            told = manager.jobs(size if kind.declared else None).get(options.kind)
            memory = told.memory_mb if told is not None else None
            forget_highest()
            before = resident()
            begun, cpu = time.perf_counter(), time.process_time()
            with manager.admit(options.kind, size=size if kind.declared else None):
                if work is None:
                    work = kind.make()
                others = work(size)
            seconds = time.perf_counter() - begun
            took = resident("VmHWM") - before + others
            watched = (
                manager._actuation.jobs._book._records[options.kind].models["memory"].known()[-1]
            )
            print(
                json.dumps(
                    {
                        "size": size,
                        "took": took,
                        "after": resident() - before,
                        "before": before,
                        "watched": watched.cost,
                        "seconds": seconds,
                        "cpu": time.process_time() - cpu,
                        "p95": memory.p95 if memory else None,
                        "reserve": memory.reserve if memory else None,
                    }
                ),
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
