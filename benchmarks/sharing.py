#!/usr/bin/env python3
"""What sharing costs: to take a share, to get one back, and whether everybody has a turn.

    python benchmarks/sharing.py [--quick] [--seconds S] [--rounds N] [--output FILE.md]

Processes take a token of a budget that is never short and give it back, with nothing in between
(hot) or 2 ms of thought. Rounds of all ways are interleaved; figures are medians over the rounds.
As root it runs with raised priority, because machines are shared.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from amptalk import create_resource_manager  # noqa: E402
from amptalk.model.decision import Ask  # noqa: E402
from amptalk.sharing.ledgers.contract import Entry  # noqa: E402
from amptalk.sharing.ledgers.memory import MemoryLedger  # noqa: E402
from benchmarks.dividing.crowd import Crowd, crowd, percentile  # noqa: E402
from benchmarks.dividing.reclaim import (  # noqa: E402
    LENT_MB,
    SHRINK_SECONDS,
    of_a_borrower,
    of_a_killed_holder,
)
from benchmarks.dividing.ways import WAYS, Jobserver  # noqa: E402
from benchmarks.serving.priority import raised  # noqa: E402

THINK = 0.002
KINDS = ((2, 0.0), (8, 0.0), (2, THINK), (8, THINK))


def main() -> None:
    """Measure and tell."""
    options = _options()
    with raised():
        text = _measured(options)
    sys.stdout.write(text)
    if options.output:
        Path(options.output).write_text(text, encoding="utf-8")


def _measured(options: argparse.Namespace) -> str:
    crowds: dict[tuple[str, int, float], list[Crowd]] = {}
    for _ in range(options.rounds):
        for workers, think in KINDS:
            for way in WAYS:
                with _folder() as folder:
                    if way is Jobserver:
                        Jobserver.prepare(folder)
                    found = crowd(way, folder, workers, think, options.seconds)
                crowds.setdefault((way.name, workers, think), []).append(found)
    with _folder() as folder:
        killed = of_a_killed_holder(folder, options.times)
        lent = of_a_borrower(folder, options.times)
    return _report(crowds, killed, lent, options)


def _report(
    crowds: dict[tuple[str, int, float], list[Crowd]],
    killed: Sequence[float],
    lent: Sequence[float],
    options: argparse.Namespace,
) -> str:
    rows = [
        f"| {name} | {workers} | {'2 ms' if think else 'hot'} | "
        + " | ".join(_figures(found))
        + " |"
        for (name, workers, think), found in crowds.items()
    ]
    direct, component = in_process(options.times * 200)
    lines = [
        "# Sharing",
        *(["**A quick run: it shows that everything runs, its figures mean nothing.**"]
          * options.quick),
        f"Measured on {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC by `python "
        f"benchmarks/sharing.py` on {os.cpu_count()} cores ({platform.machine()}, Linux "
        f"{platform.release()}, Python {platform.python_version()}), load average "
        f"{os.getloadavg()[0]:.1f} at the end; {options.rounds} rounds of {options.seconds:g} s.",
        "## To take a share that is free",
        "| way | processes | think | acquire p50 µs | p99 µs | longest ms | Jain | acquires/s |\n"
        "|---|---:|---|---:|---:|---:|---:|---:|\n" + "\n".join(rows),
        f"In one process (`memory:`), µs, p50 / p99: the ledger {_two(direct, 1e6)}, through a "
        f"component and its manager {_two(component, 1e6)}.",
        "## To get a share back",
        f"| what | p50 ms | p99 ms |\n|---|---:|---:|\n"
        f"| its holder is killed ({len(killed)} times) | {_two(killed, 1e3, ' | ')} |\n"
        f"| another program is asked, and takes {SHRINK_SECONDS * 1e3:.0f} ms to free {LENT_MB} MB "
        f"({len(lent)} times) | {_two(lent, 1e3, ' | ')} |",
        "A token of a jobserver or a semaphore whose holder is killed never comes back.",
    ]  # fmt: skip
    return "\n\n".join(lines) + "\n"


def in_process(times: int) -> tuple[list[float], list[float]]:
    """Seconds of an acquire in one process: of the ledger alone, and of a component."""
    ledger = MemoryLedger({"memory": 1000.0})
    for number in range(8):
        ledger.join(Entry(f"part {number}", {"memory": Ask(0.0, 100.0)}, {"memory": 0.0}))
    manager = create_resource_manager(max_memory_mb=1000.0, strategy="cooperative")
    part = manager.component("part", memory_mb=(0, 100))
    part.demand(memory_mb=0)
    manager.tick()
    direct = _timed(
        times,
        lambda: ledger.change("part 0", "memory", demand=10.0),
        lambda: ledger.change("part 0", "memory", demand=0.0, charged=0.0),
    )
    component = _timed(times, lambda: part.demand(memory_mb=10), lambda: part.demand(memory_mb=0))
    manager.stop_monitoring()
    return direct, component


def _timed(times: int, acquire: Callable[[], object], release: Callable[[], object]) -> list[float]:
    clock, waits = time.perf_counter, []
    for _ in range(times):
        begun = clock()
        acquire()
        waits.append(clock() - begun)
        release()
    return sorted(waits)


def _figures(found: Sequence[Crowd]) -> list[str]:
    middle = [statistics.median(values) for values in zip(*found, strict=True)]
    return [
        f"{middle[0]:.1f}", f"{middle[1]:.0f}", f"{middle[2] / 1e3:.1f}", f"{middle[3]:.3f}",
        f"{middle[4]:.0f}",
    ]  # fmt: skip


def _two(ordered: Sequence[float], unit: float, between: str = " / ") -> str:
    return between.join(f"{percentile(ordered, part) * unit:.1f}" for part in (0.5, 0.99))


@contextmanager
def _folder() -> Iterator[Path]:
    """A directory of memory, where there is one."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="some seconds, to see that it runs")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--times", type=int, default=100, help="shares that are taken back")
    parser.add_argument("--output", metavar="FILE", help="write the report there, too")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rounds, options.times = 0.3, 1, 3
    return options


if __name__ == "__main__":
    main()
