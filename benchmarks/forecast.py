#!/usr/bin/env python3
"""Forecasts and warnings, ours beside public methods, replayed over the same traces in one run.

    python benchmarks/forecast.py [--traces DIR] [--only TEXT] [--jobs N] [--quick]
        [--ablation] [--out FILE]

Without `--traces` it runs on the project's own recordings (benchmarks/traces) and on generated
traces, which are marked as such. DIR holds files of two columns, seconds and value, with a header.
With `--ablation` it is ours alone, whole and with each of its parts left out. The protocol is
described in benchmarks/README.md; a peer whose package is missing is left out with a word.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # before numpy: matrices here are small
    os.environ.setdefault(threads, "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks.forecasting import (  # noqa: E402
    ablation,
    cost,
    generated,
    reach,
    replay,
    report,
    traces,
)
from benchmarks.forecasting.peers.table import left_out  # noqa: E402
from benchmarks.forecasting.summary import Footprint, Run  # noqa: E402
from benchmarks.forecasting.traces import Trace  # noqa: E402

QUICK_SAMPLES = 600
QUICK_TRACES = ("gen_daily", "gen_bursts", "model_server_app_memory")


def chosen(options: argparse.Namespace) -> list[Trace]:
    """The traces to run on."""
    if options.traces:
        found = traces.load(options.traces)
    else:
        found = traces.load(traces.OWN) + generated.all_traces()
    if options.quick and not options.traces:
        found = [trace for trace in found if trace.name in QUICK_TRACES]
    found = [trace for trace in found if options.only in trace.name]
    if not found:
        raise SystemExit(f"--only {options.only!r} leaves no trace")
    return found


def run(found: list[Trace], options: argparse.Namespace) -> Run:
    """Run everything: replays side by side on `--jobs` processes, the cost alone at the end."""
    growth_updates = 5000 if options.quick else 1_000_000
    with ProcessPoolExecutor(options.jobs) as pool:

        def started(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
            future = pool.submit(timed, function, *arguments)
            future.add_done_callback(lambda done: say(done.result()[0]))
            return future

        growth = started(cost.growth, growth_updates)
        full = {
            trace.name: started(replay.errors_in_full, trace)
            for trace in found
            if by_days(trace, options)
        }
        replays = [started(replay.run, shortened(trace, options)) for trace in found]
        reaches = [
            started(reach.told, name, 1 if options.quick else 3)
            for name in reach.courses()
            if "2 h" not in name or not options.quick
        ]
        heaps = {
            "1 Hz": started(cost.heap, 500 if options.quick else 5000, 1.0),
            "1 min, 3 days": started(cost.heap, 500 if options.quick else 4500, 60.0),
        }
        results = [future.result()[1] for future in replays]
        in_full = {name: future.result()[1] for name, future in full.items()}
        told = [future.result()[1] for future in reaches]
        sizes = {name: future.result()[1] for name, future in heaps.items()}
        grown = growth.result()[1]
    loop, costs = cost.costs(4 if options.quick else 20)
    return Run(results, in_full, told, Footprint(loop, costs, sizes, growth_updates, grown))


def ablated(found: list[Trace], options: argparse.Namespace) -> str:
    """The table of ours with each part left out."""
    taken = [each if by_days(each, options) else shortened(each, options) for each in found]
    with ProcessPoolExecutor(options.jobs) as pool:
        return ablation.report(list(pool.map(ablation.run, taken)))


def by_days(trace: Trace, options: argparse.Namespace) -> bool:
    """Whether errors are taken over its whole length too, or a day could not be learned."""
    return trace.has_days and not options.quick


def shortened(trace: Trace, options: argparse.Namespace) -> Trace:
    """As much of a trace as the protocol takes."""
    taken = trace.shortened()
    if not options.quick:
        return taken
    return taken._replace(
        seconds=taken.seconds[:QUICK_SAMPLES], values=taken.values[:QUICK_SAMPLES]
    )


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[str, Any]:
    """Call in a worker process; what was done and how long it took, and the result."""
    begun = time.process_time()
    result = function(*arguments)
    about = " ".join(getattr(argument, "name", str(argument)) for argument in arguments)
    return f"{function.__name__} {about}: {time.process_time() - begun:.1f} s", result


def say(line: str) -> None:
    """Progress, beside the report."""
    print(line, file=sys.stderr, flush=True)


def title(found: list[Trace], options: argparse.Namespace) -> str:
    """Where, when and on what."""
    made = sum(trace.generated for trace in found)
    command = ["python benchmarks/forecast.py"]
    command += ["--traces DIR"] if options.traces else []
    command += [f"--only {shlex.quote(options.only)}"] if options.only else []
    command += ["--quick"] if options.quick else []
    command += ["--ablation"] if options.ablation else []
    lines = [
        "# Forecasts and warnings",
        f"{date.today()}, {platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()}: `{' '.join(command)}`",
        f"{len(found)} traces: {len(found) - made} recorded, {made} generated.",
        *([] if options.ablation else left_out()),
    ]
    if options.quick:
        lines.append("A smoke test: too few and too short traces for the figures to mean much.")
    return "\n\n".join(lines)


def main() -> int:
    """Run and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--traces", type=Path, metavar="DIR", help="two-column .csv files; default: our own")
    add("--only", default="", metavar="TEXT", help="only traces whose name has this in it")
    add("--jobs", type=int, default=2, metavar="N", help="processes side by side (default 2)")
    add("--quick", action="store_true", help="a smoke test: few and short traces")
    add("--ablation", action="store_true", help="only ours, with each of its parts left out")
    add("--out", type=Path, metavar="FILE", help="write the report there too")
    options = parser.parse_args()
    found = chosen(options)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
    body = ablated(found, options) if options.ablation else report.whole(run(found, options))
    text = f"{title(found, options)}\n\n{body}\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
