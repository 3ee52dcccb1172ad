"""`amptalk doctor`: each sensor's value, or why it is missing and how to enable it."""

from __future__ import annotations

import argparse
import json
import sys

from amptalk.config import SCOPES
from amptalk.sensors.suite import SensorSuite


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this verb's flags."""
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--scope", default="application", choices=SCOPES)


def run(options: argparse.Namespace) -> int:
    """Print the state of every sensor."""
    suite = SensorSuite(options.scope)
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
        if report.missing is None:
            out(f"ok       {report.name:16s} {report.value}\n")
            out(f"         {'':16s} from {report.source}, {report.cost_us:.0f} µs\n")
        else:
            out(f"missing  {report.name:16s} {report.missing}\n")
            if report.remedy:
                out(f"         {'':16s} to enable: {report.remedy}\n")
    return 0
