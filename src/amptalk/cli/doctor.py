"""`amptalk doctor`: each sensor's value, or why it is missing and how to enable it."""

from __future__ import annotations

import argparse
import json
import sys
import time

from amptalk.config import SCOPES
from amptalk.sensors.report import SensorReport
from amptalk.sensors.suite import SensorSuite

RATE_SECONDS = 0.3
"""Rates are differences: so long after the first counters they can be told."""
NAME = 22


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this verb's flags."""
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--scope", default="application", choices=SCOPES)


def run(options: argparse.Namespace) -> int:
    """Print the state of every sensor."""
    suite = SensorSuite(options.scope)
    time.sleep(RATE_SECONDS)
    try:
        reports = suite.describe()
        capacity = suite.capacity
    finally:
        suite.close()
    if options.json:
        whole = {
            "capacity": capacity._asdict(),
            "sensors": [report._asdict() for report in reports],
        }
        sys.stdout.write(json.dumps(whole, indent=2) + "\n")
        return 0
    out = sys.stdout.write
    out(f"capacity  {capacity.cpu_cores:g} cores ({capacity.cpu_reason}), ")
    out(f"{capacity.memory_mb:.0f} MB ({capacity.memory_reason})\n\n")
    for report in reports:
        if report.missing:
            out(f"missing  {report.name:{NAME}s} {report.missing}\n")
            if report.remedy:
                out(f"{'':{9 + NAME}s} to enable: {report.remedy}\n")
        else:
            out(f"ok       {report.name:{NAME}s} {report.value}\n")
            out(f"{'':{9 + NAME}s} from {report.source}{_cost(report)}\n")
    return 0


def _cost(report: SensorReport) -> str:
    return f", {report.cost_us:.0f} µs a reading" if report.cost_us >= 1 else ""
