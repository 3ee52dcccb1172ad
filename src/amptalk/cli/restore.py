"""`amptalk restore`: undo limits of the kernel that processes which have ended left behind."""

from __future__ import annotations

import argparse
import os
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this verb's flags."""
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be undone, and undo nothing"
    )
    parser.add_argument(
        "--when-ended", type=int, metavar="PID", help="wait for the end of this process first"
    )


def run(options: argparse.Namespace) -> int:
    """Undo and tell; 1 while something remains to be undone."""
    from amptalk.actuators.journal.folder import JournalFolder, usual_folder
    from amptalk.actuators.journal.restore import restore
    from amptalk.actuators.journal.undo import State
    from amptalk.sensors.identity import wait_for_end
    from amptalk.sensors.roots import Roots

    if options.when_ended is not None:
        wait_for_end(options.when_ended)
    path = usual_folder(os.environ, os.geteuid())
    out = sys.stdout.write
    if not os.path.lexists(path):
        out(f"nothing to restore: there is no journal in {path}\n")
        return 0
    folder = JournalFolder(path, create=False)
    try:
        results = restore(folder, Roots().proc, dry_run=options.dry_run)
        kept = len(folder.names())
    finally:
        folder.close()
    pending = 0
    for result in results:
        state = result.outcome.state
        planned = options.dry_run and state is State.UNDONE
        pending += planned or result.remains
        out(f"{'would be undone' if planned else state.value}: {result.outcome.text}"
            f" ({result.name})\n")  # fmt: skip
    in_use = kept - (len(results) if options.dry_run else pending)
    if in_use > 0:
        out(f"in use by processes that live: {in_use}\n")
    elif not results:
        out(f"nothing to restore: the journal {path} is empty\n")
    return 1 if pending else 0
