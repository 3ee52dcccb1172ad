"""`amptalk doctor`: each sensor and limit, whether it works, else why not and what enables it.

Exit status: 0 when everything asked for works, 1 when something is missing, 2 for a name that
does not exist. Without names nothing is asked for, but for what the environment names
(`AMPTALK_GPU`, `AMPTALK_TEMPERATURE`) and the scope.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

from amptalk.cli import doctor_text
from amptalk.cli.doctor_needs import Asked, asked, check_names
from amptalk.cli.doctor_view import View, as_json, view
from amptalk.config import SCOPES
from amptalk.model.errors import ConfigurationError, ScopeError
from amptalk.sensors.diagnosis.causes import Cause, Finding
from amptalk.sensors.diagnosis.machine import read_machine
from amptalk.sensors.roots import Roots
from amptalk.sensors.suite import SensorSuite
from amptalk.sensors.temperature import CHOICE

RATE_SECONDS = 0.3
"""Rates are differences: so long after the first counters they can be told."""
_GPU = "AMPTALK_GPU"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this verb's flags."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME",
        help="show only these and exit 1 unless all work: power, gpu, psi, a sample's field, "
        "a limit such as max_gpu_memory_mb",
    )  # fmt: skip
    parser.add_argument(
        "--need", action="append", default=[], metavar="NAME", help="the same, one at a time"
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--scope", default="application", choices=SCOPES)


def run(options: argparse.Namespace) -> int:
    """Print what works and what is missing; returns the exit status."""
    names = (*options.names, *options.need)
    check_names(names)
    faults: list[Asked] = []
    suite = _open(options.scope, faults)
    time.sleep(RATE_SECONDS)
    try:
        seen = view(suite, read_machine(Roots()), os.getpid())
    finally:
        suite.close()
    wanted = (*faults, *asked((*names, *_of_environment(faults)), seen))
    if options.json:
        _print_json(seen, wanted)
    else:
        text = doctor_text.answer(seen, wanted) if names else doctor_text.whole(seen, wanted)
        sys.stdout.write(text)
    return 0 if all(one.works for one in wanted) else 1


def _open(scope: str, faults: list[Asked]) -> SensorSuite:
    """Open the sensors; what was asked for and is not there becomes a fault, not an error."""
    gpu = None
    while True:
        try:
            suite = SensorSuite(scope, gpu=gpu)
        except ScopeError as error:
            faults.append(_fault(f"--scope {scope}", Cause.NO_GROUP, str(error)))
            scope = "application"
        except ConfigurationError as error:
            if gpu is not None:
                raise
            faults.append(_fault(_GPU, Cause.NAMED_WRONGLY, str(error)))
            gpu = 0  # there are others
        else:
            faults += _no_gpu(suite)
            return suite


def _no_gpu(suite: SensorSuite) -> list[Asked]:
    """What the environment asks for where there is no GPU at all, which stops no manager."""
    name = os.environ.get(_GPU, "").strip()
    if not name or suite.gpus():
        return []
    text = f"{_GPU}={name!r} names no GPU here; there are: none"
    return [_fault(_GPU, Cause.NAMED_WRONGLY, text)]


def _fault(name: str, cause: Cause, text: str) -> Asked:
    return Asked(name, works=False, state="missing", findings=(Finding("", cause, text),), rows=())


def _of_environment(faults: list[Asked]) -> tuple[str, ...]:
    """What the environment asks for, but for what is known to be missing."""
    known = {fault.name for fault in faults}
    chosen = ((_GPU, "gpu"), (CHOICE, "temperature"))
    return tuple(
        name
        for variable, name in chosen
        if os.environ.get(variable, "").strip() and variable not in known
    )


def _print_json(seen: View, wanted: tuple[Asked, ...]) -> None:
    whole = as_json(seen)
    whole["asked"] = [
        {
            "name": one.name,
            "works": one.works,
            "state": one.state,
            "because": [finding._asdict() for finding in one.findings],
        }
        for one in wanted
    ]
    whole["ok"] = all(one.works for one in wanted)
    sys.stdout.write(json.dumps(whole, indent=2, allow_nan=False) + "\n")
