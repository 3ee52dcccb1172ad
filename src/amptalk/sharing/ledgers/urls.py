"""Which ledger a URL means."""

from __future__ import annotations

import os
from collections.abc import Mapping

from amptalk.model.errors import ConfigurationError
from amptalk.sharing.ledgers.contract import Ledger
from amptalk.sharing.ledgers.memory import MemoryLedger


def open_ledger(url: str, capacities: Mapping[str, float], label: str) -> Ledger:
    """Open `memory:` (one process), `sqlite:` or `sqlite:/directory` (several processes).

    `capacities` is what there is of each resource. Raises `ConfigurationError` for another URL,
    `LedgerError` for a ledger that cannot be used.
    """
    if url == "memory:":
        return MemoryLedger(capacities)
    from amptalk.sharing.ledgers.sqlite.ledger import SqliteLedger

    return SqliteLedger(folder_of(url), capacities, label)


def folder_of(url: object) -> str:
    """Return the directory of a `sqlite:` URL; raises `ConfigurationError` for another."""
    from amptalk.sharing.ledgers.sqlite.folder import usual_folder

    scheme, _, path = url.partition(":") if isinstance(url, str) else ("", "", "")
    if scheme != "sqlite" or (path and not os.path.isabs(path)):
        raise ConfigurationError(
            f"sharing={url!r} is no ledger: give 'memory:' for one process, 'sqlite:' for several, "
            "or 'sqlite:/directory' with its whole path"
        )
    return path or usual_folder(os.environ, os.geteuid())
