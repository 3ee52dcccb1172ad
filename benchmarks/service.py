#!/usr/bin/env python3
"""A real service under memory and CPU pressure: what ours saves against restarts.

    python benchmarks/service.py [--quick] [--seconds S] [--seeds N] [--scenarios A,B]
        [--arms A,B] [--log FILE.jsonl] [--output FILE.md] [--search]

Each trial runs all arms at once, each in a memory control group of its own, with the same
requests. Needs root (control groups, namespaces) and earlyoom; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks.serving import log  # noqa: E402
from benchmarks.serving.arms import ALL, CEILING, EARLYOOM, SEARCHED, Arm  # noqa: E402
from benchmarks.serving.choosing import FIRST_SEED, best_settings, candidates, chosen  # noqa: E402
from benchmarks.serving.groups import GroupError  # noqa: E402
from benchmarks.serving.priority import raised  # noqa: E402
from benchmarks.serving.scenarios import BY_NAME, SCENARIOS  # noqa: E402
from benchmarks.serving.summary import summarise  # noqa: E402
from benchmarks.serving.telling import detail_table, goodput_table, ratio_table  # noqa: E402
from benchmarks.serving.trial import run_trial  # noqa: E402

SECONDS, SEEDS = 150.0, 5
QUICK_SECONDS, QUICK_ARMS, QUICK_SCENARIOS = 5.0, (CEILING, "dynamic"), ("tight-fast",)


def main() -> None:
    """Run what is not in the log yet, then print the tables of all that is."""
    options = _options()
    path = Path(options.log)
    names = options.scenarios.split(",")
    kinds = _runnable(options.arms.split(","))
    try:
        with raised():
            _run_all(options, path, names, kinds)
    except GroupError as error:
        raise SystemExit(f"no trial: {error}") from error
    except asyncio.CancelledError:
        raise SystemExit("stopped; what was begun is undone, what ended is in the log") from None
    trials = log.read(path)
    if options.search:
        found = {n: best_settings([t for t in trials if t["scenario"] == n]) for n in names}
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    text = report(trials, names, quick=options.quick)
    sys.stdout.write(text)
    if options.output:
        Path(options.output).write_text(text, encoding="utf-8")


def report(trials: Sequence[log.Trial], names: Sequence[str], *, quick: bool = False) -> str:
    """All tables."""
    summaries = [one for name in names if (one := summarise(name, trials)).trials]
    began = sorted(trial["began"] for trial in trials)
    lengths = sorted({f"{trial['seconds']:g}" for trial in trials})
    lines = [
        "# A service under pressure",
        *(["**A quick run: it shows that everything runs, its figures mean nothing.**"] * quick),
        f"Measured from {began[0]} to {began[-1]} UTC by `python benchmarks/service.py` on "
        f"{os.cpu_count()} cores ({platform.machine()}, Linux {platform.release()}, Python "
        f"{platform.python_version()}); trials of {', '.join(lengths)} s, all arms at once.",
        "## Ours over the best other arm",
        "Goodput over that of the other arm with the best mean in the scenario; in brackets the "
        "least and the greatest of the trials; then the share of the gap to the ceiling that is "
        "closed. What is missed stands in bold.",
        ratio_table(summaries),
        "## Goodput",
        "Percent of the requests that were answered in time, means of the valid trials; the best "
        "other arm in italics. A trial is void when its ceiling is below 95 %. A/A is the mean "
        "difference between the ceiling and a copy of it: less is chance.",
        goodput_table(summaries),
    ]
    for one in summaries:
        if one.arms:
            about = BY_NAME[one.scenario].about
            lines += [f"## {one.scenario}", f"{about[0].upper()}{about[1:]}.", detail_table(one)]
    return "\n\n".join(line.rstrip("\n") for line in lines) + "\n"


def _run_all(
    options: argparse.Namespace, path: Path, names: Sequence[str], kinds: Sequence[str]
) -> None:
    for seed in range(options.seeds):
        for name in names:
            if options.search:
                arms = [*chosen(name, [CEILING]), *candidates(k for k in kinds if k in SEARCHED)]
                _run(path, name, seed, options.seconds, arms)
            else:
                _run(path, name, FIRST_SEED + seed, options.seconds, chosen(name, kinds))


def _run(path: Path, name: str, seed: int, seconds: float, arms: Sequence[Arm]) -> None:
    if log.done(log.read(path), name, seed, seconds, arms):
        return
    trial = asyncio.run(run_trial(BY_NAME[name], arms, seconds, seed))
    log.append(path, trial)
    goods = ", ".join(f"{k} {v['goodput']:.0f}" for k, v in trial["arms"].items())
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {name} {seed}: {goods}\n")


def _runnable(kinds: Sequence[str]) -> list[str]:
    if EARLYOOM in kinds and shutil.which("earlyoom") is None:
        sys.stderr.write("earlyoom is not installed (apt install earlyoom): left out\n")
        return [kind for kind in kinds if kind != EARLYOOM]
    return list(kinds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="some seconds, to see that it runs")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a trial")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument(
        "--scenarios", default=",".join(one.name for one in SCENARIOS if not one.real)
    )
    parser.add_argument("--arms", default=",".join(ALL))
    parser.add_argument("--log", default="service.jsonl", help="trials are added to this file")
    parser.add_argument("--output", metavar="FILE", help="write the tables there, too")
    parser.add_argument("--search", action="store_true", help="try settings on other seeds")
    options = parser.parse_args()
    if options.quick:
        options.log = str(Path(tempfile.mkdtemp()) / "quick.jsonl")
        options.seconds, options.seeds = QUICK_SECONDS, 1
        options.arms, options.scenarios = ",".join(QUICK_ARMS), ",".join(QUICK_SCENARIOS)
    for given, known in ((options.scenarios, BY_NAME), (options.arms, ALL)):
        unknown = [name for name in given.split(",") if name not in known]
        if unknown:
            parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return options


if __name__ == "__main__":
    main()
