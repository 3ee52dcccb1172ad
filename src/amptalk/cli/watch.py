"""`amptalk watch`: samples as they are taken, as lines for people or JSON for programs.

With `--recommend` also what follows from them: limits and reservations that would suit.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from typing import TYPE_CHECKING

from amptalk.config import SCOPES
from amptalk.manager import ResourceManager
from amptalk.model.sample import FIELDS, SIGNALS_AT, Sample

if TYPE_CHECKING:
    from amptalk.limits.recommendation import Recommendation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this verb's flags."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--scope", default="device", choices=SCOPES)
    parser.add_argument("--interval", type=float, default=1.0, metavar="S")
    parser.add_argument(
        "--recommend", action="store_true",
        help="say at the end (or on Ctrl-C) which limits and reservations would suit",
    )  # fmt: skip
    parser.add_argument(
        "--duration", type=float, default=math.inf, metavar="S", help="stop after (default: never)"
    )


def run(options: argparse.Namespace) -> int:
    """Print samples until the duration is over or the user interrupts."""
    manager = ResourceManager(
        scope=options.scope, monitoring_interval=options.interval, handling="observe", name="watch"
    )
    try:
        _watch(manager, options)
    except KeyboardInterrupt:
        if not options.recommend:
            raise
    if options.recommend:
        tell = _json_recommendations if options.json else _text_recommendations
        sys.stdout.write(tell(manager.recommendations()))
    return 0


def _watch(manager: ResourceManager, options: argparse.Namespace) -> None:
    write = _json_line if options.json else _text_line
    until = time.monotonic() + options.duration
    while True:
        sys.stdout.write(write(manager.get_current_metrics()))
        sys.stdout.flush()
        manager.recommendations.follow()
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(options.interval, left))


def _json_line(sample: Sample) -> str:
    return json.dumps(as_plain(sample), allow_nan=False) + "\n"


def as_plain(sample: Sample) -> dict[str, object]:
    """A sample as JSON carries it: what is missing or without bound is null."""
    line: dict[str, object] = {"time": sample.time, "monotonic": sample.monotonic}
    line.update(
        (name, value if value is None or math.isfinite(value) else None)
        for name, value in sample.as_dict().items()
    )
    line["cpu_percent_per_core"] = [
        None if math.isnan(core) else core for core in sample.cpu_percent_per_core
    ]
    line["missing"] = dict(sample.missing)
    return line


def _json_recommendations(recommended: tuple[Recommendation, ...]) -> str:
    told = [one._asdict() for one in recommended]
    return json.dumps({"recommendations": told}, allow_nan=False) + "\n"


def _text_recommendations(recommended: tuple[Recommendation, ...]) -> str:
    if not recommended:
        return "\nnothing recommended: ten seconds of values are needed to begin with\n"
    lines = [f"\n{'':20s}{'set':>10s}{'reserve':>10s}  confidence  because"]
    for one in recommended:
        limit = "-" if one.limit is None else f"{one.limit:g}"
        reservation = "-" if one.reservation is None else f"{one.reservation:g}"
        lines.append(
            f"{one.argument:20s}{limit:>10s}{reservation:>10s}  {one.confidence:10.0%}  "
            f"{one.reason}"
        )
    return "\n".join(lines) + "\n"


def _text_line(sample: Sample) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(sample.time))
    return f"{clock}  {known_values(sample)}\n"


def known_values(sample: Sample) -> str:
    """The short names and signals that have a value, with their units."""
    shown = [*zip(FIELDS[:7], sample.row, strict=False)]
    shown += zip(sample.columns.signals, sample.row[SIGNALS_AT:], strict=True)
    known = [
        f"{field.name} {value:.1f} {field.unit}" for field, value in shown if not math.isnan(value)
    ]
    return "  ".join(known)
