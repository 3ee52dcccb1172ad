#!/usr/bin/env python3
"""Do recommended limits suit what comes next? Learned on 60 % of a trace, judged on the rest.

    python benchmarks/recommendations.py                 # traces made here, always the same
    python benchmarks/recommendations.py --traces DIR    # CSV files: seconds, value (its unit)

Compared are our rule, that of Kubernetes' Vertical Pod Autoscaler (percentile 90 plus 15 %) and the
highest value seen plus 15 %. Peaks and means are those of ten seconds, or of the trace's period.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from amptalk.limits.recommendation import MEANS, PEAKS, quiet_limit  # noqa: E402
from amptalk.limits.usage import PERIOD, DecayingHistogram, Usage  # noqa: E402
from amptalk.model.resource import CPU, MEMORY, POWER, Resource  # noqa: E402

LEARNED = 0.6
MARGIN = 1.15
DAY = 86_400.0


class Trace(NamedTuple):
    """A recorded or made series."""

    name: str
    resource: Resource
    points: list[tuple[float, float]]


class Row(NamedTuple):
    """What came of one trace; percent of the peaks, and limits over the mean use."""

    not_quiet: float
    over: float
    over_vpa: float
    over_highest: float
    limit: float
    limit_vpa: float
    limit_highest: float
    reservation_exceeded: float


def made() -> Iterator[Trace]:
    """Five loads as devices have them, and one that changes for good."""
    draw = random.Random(20)

    def busy(at: float) -> float:
        return 0.5 + 0.5 * math.sin(2.0 * math.pi * at / DAY)

    def daily_memory(at: float) -> float:
        return 800.0 + 400.0 * busy(at) + draw.gauss(0, 20)

    def sawtooth(at: float) -> float:
        return 500.0 + (at % 1800.0) / 6.0 + draw.gauss(0, 5)

    def bursts(_at: float) -> float:
        return draw.choice((12.0, 15.0, 18.0, 45.0)) + draw.gauss(0, 3)

    def daily_cpu(at: float) -> float:
        return 10.0 + 40.0 * busy(at) * draw.random()

    def steps(at: float) -> float:
        return (4.0, 7.0, 7.0, 9.0)[int(at // 900.0) % 4] + draw.random()

    def for_good(at: float) -> float:
        return 500.0 if at < 1.3 * DAY else 900.0

    for name, resource, days, step, value in (
        ("memory, daily", MEMORY, 5, 10, daily_memory),
        ("memory, sawtooth", MEMORY, 1, 2, sawtooth),
        ("cpu, bursty", CPU, 1, 2, bursts),
        ("cpu, daily", CPU, 5, 10, daily_cpu),
        ("power, steps", POWER, 1, 2, steps),
        ("memory, grows for good", MEMORY, 2, 10, for_good),
    ):
        times = [float(step * number) for number in range(int(days * DAY / step))]
        yield Trace(name, resource, [(at, max(0.0, value(at))) for at in times])


def recorded(folder: Path) -> Iterator[Trace]:
    """Every CSV file of a folder; the second heading names the unit."""
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            (_, unit), *rows = csv.reader(file)
        resource = MEMORY if "mb" in unit else POWER if "watt" in unit else CPU
        yield Trace(path.stem, resource, [(float(at), float(value)) for at, value in rows if value])


def buckets(trace: Trace) -> list[tuple[float, float, float]]:
    """Start, peak and mean of each ten seconds with values."""
    found: dict[int, list[float]] = {}
    for at, value in trace.points:
        found.setdefault(int(at // PERIOD), []).append(value)
    return [(number * PERIOD, max(v), statistics.fmean(v)) for number, v in sorted(found.items())]


def row_of(trace: Trace) -> Row:
    """Learn and judge."""
    whole = buckets(trace)
    split = int(LEARNED * len(whole))
    usage, histogram = Usage(), DecayingHistogram()
    for at, peak, mean in whole[:split]:
        usage.add(at, peak, mean)
        histogram.add(at, peak)
    quiet = usage.peak(PEAKS, lowest=False)
    limits = (
        quiet_limit(trace.resource, quiet),
        MARGIN * histogram.not_above(90.0),
        MARGIN * max(peak for _, peak, _ in whole[:split]),
    )
    rest = whole[split:]
    mean = statistics.fmean(one for _, _, one in rest)

    def beyond(line: float) -> float:
        return 100.0 * sum(peak > line for _, peak, _ in rest) / len(rest)

    exceeded = sum(one > usage.mean(MEANS) for _, _, one in rest)
    return Row(
        beyond(quiet), *map(beyond, limits), *(limit / mean for limit in limits),
        100.0 * exceeded / len(rest),
    )  # fmt: skip


def main() -> int:
    """Print a row a trace, then median and mean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--traces", type=Path, metavar="DIR", help="recorded traces")
    options = parser.parse_args()
    traces = recorded(options.traces) if options.traces else made()
    print(f"{'':24s}{'% of the peaks beyond':>36s}{'limit ÷ mean use':>27s}{'% beyond':>13s}")
    heads = ("quiet", "limit", "VPA", "highest", "ours", "VPA", "highest", "reservation")
    print(f"{'':24s}" + "".join(f"{head:>9s}" for head in heads[:-1]) + f"{heads[-1]:>13s}")
    rows = []
    for trace in traces:
        rows.append(row_of(trace))
        print(f"{trace.name[:23]:24s}" + line(rows[-1]))
    for name, of in (("median", statistics.median), ("mean", statistics.fmean)):
        print(f"{name:24s}" + line(Row(*(of(column) for column in zip(*rows, strict=True)))))
    return 0


def line(row: Row) -> str:
    """The figures of a row."""
    return "".join(f"{value:9.2f}" for value in row[:-1]) + f"{row[-1]:13.1f}"


if __name__ == "__main__":
    sys.exit(main())
