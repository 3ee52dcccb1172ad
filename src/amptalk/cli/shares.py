"""`amptalk shares`: who holds what of the budget that programs share."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amptalk.sharing.shares import Share

_COLUMNS = ("COMPONENT", "RESOURCE", "GRANTED", "CHARGED", "OF", "WANTS", "LENT", "BORROWED",
            "OWED", "PROGRAM")  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this verb's flags."""
    parser.add_argument(
        "--sharing", default="sqlite:", metavar="URL", help="the ledger, as programs name it"
    )
    parser.add_argument("--json", action="store_true", help="one object a line")


def run(options: argparse.Namespace) -> int:
    """Print a line for each component and resource."""
    from amptalk.sharing.ledgers.sqlite.ledger import FILE, SqliteLedger
    from amptalk.sharing.ledgers.urls import folder_of
    from amptalk.sharing.shares import shares_of

    folder = folder_of(options.sharing)
    if not os.path.lexists(os.path.join(folder, FILE)):
        sys.stdout.write(f"nobody shares: there is no ledger in {folder}\n")
        return 0
    ledger = SqliteLedger(folder, {}, "amptalk shares")
    try:
        rows, capacities, labels = ledger.rows(), ledger.capacities(), ledger.labels()
    finally:
        ledger.close()
    shares = shares_of(rows, capacities, {})
    programs = [labels.get(row.member, "") for row in rows]
    if options.json:
        for share, program in zip(shares, programs, strict=True):
            plain = {**share._asdict(), "program": program}
            plain["demand"] = None if math.isnan(share.demand) else share.demand
            sys.stdout.write(json.dumps(plain) + "\n")
        return 0
    sys.stdout.write(_table(shares, programs, folder))
    for resource, capacity in capacities.items():
        charged = math.fsum(share.charged for share in shares if share.resource == resource)
        sys.stdout.write(f"{resource}: {charged:g} of {capacity:g} charged\n")
    return 0


def _table(shares: Sequence[Share], programs: Sequence[str], folder: str) -> str:
    if not shares:
        return f"nobody holds anything in {folder}\n"
    lines = [_COLUMNS]
    for share, program in zip(shares, programs, strict=True):
        wants = "all" if math.isnan(share.demand) else f"{share.demand:g}"
        lines.append((
            share.component, share.resource, f"{share.granted:g} {share.unit}",
            f"{share.charged:g}", f"{share.minimum:g}-{share.maximum:g}", wants,
            f"{share.lent:g}", f"{share.borrowed:g}", f"{share.owed:g}", program,
        ))  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )
