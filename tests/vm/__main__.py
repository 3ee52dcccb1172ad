"""Run the tests of `guest/` in the virtual machine: `python -m tests.vm [-- PYTEST ARGUMENTS]`.

Exit status 0 when they pass, and also when no machine can be had here, with the reason; 1 when
they fail, when the kernel dies, hangs or does not come to an end in time.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.helpers import ROOT
from tests.vm import kernel, needs
from tests.vm.machine import Ending, Machine

LIMIT = 600.0
"""Seconds for a whole run."""
_PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "--durations=5", "tests/vm/guest")
_ENVIRONMENT = {
    "AMPTALK_VM": "1",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # loading them takes seconds there
}


def main() -> int:
    """Run the tests, and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m tests.vm", description=__doc__)
    parser.add_argument("--install", action="store_true", help="install what is missing (root)")
    parser.add_argument("--keep", action="store_true", help="keep the run's folder in any case")
    parser.add_argument("arguments", nargs="*", help="for pytest in the guest, such as -k hwmon")
    options = parser.parse_args()
    try:
        needs.check(install=options.install)
        found = kernel.obtain()
    except needs.Unavailable as reason:
        _say(f"skipped: {reason}")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="amptalk-vm-"))
    trouble = _run(Machine(folder, found), options.arguments)
    if trouble or options.keep:
        _say(f"everything of this run is in {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if trouble else 0


def _run(machine: Machine, arguments: Sequence[str]) -> str:
    """Run the tests once; what went wrong, empty when nothing did."""
    machine.prepare([sys.executable, *_PYTEST, *arguments], ROOT, _ENVIRONMENT)
    ending = machine.run(LIMIT)
    trouble = verdict(ending)
    if ending.status is None:
        sys.stdout.write(f"{machine.last_words()}\n")
    _say(trouble or f"passed in {ending.seconds:.0f} s")
    return trouble


def _say(words: str) -> None:
    sys.stdout.write(f"real kernel: {words}\n")
    sys.stdout.flush()


def verdict(ending: Ending) -> str:
    """What went wrong, empty when nothing did."""
    if ending.timed_out:
        return f"stopped after {ending.seconds:.0f} s: the guest hangs or is too slow"
    if ending.status is None:
        return f"the guest died after {ending.seconds:.0f} s without a status"
    if ending.status:
        return f"the guest's tests failed with status {ending.status}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
