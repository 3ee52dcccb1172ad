"""How a manager takes part in sharing: its ledger, its book, what is measured to confirm a shrink.

What components share is in `sharing`; this ties it to the machine and to a manager's scope.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from amptalk.actuators.computing_threads import GrantedThreads
from amptalk.model.errors import ConfigurationError
from amptalk.model.resource import MEMORY, Resource
from amptalk.sensors.own import family_memory_mb
from amptalk.sharing.book import ComponentBook
from amptalk.sharing.holdings import Runner
from amptalk.sharing.ledgers.urls import open_ledger
from amptalk.sharing.synchroniser import Synchroniser, of_sample

if TYPE_CHECKING:
    from amptalk.config import ManagerConfig
    from amptalk.history.history import History
    from amptalk.model.sample import Sample


_PATIENCE = 2.0
"""Seconds in which thread counts are set."""


class Acting(Protocol):
    """What sharing needs of `actuators.actuation.Actuation`."""

    @property
    def runner(self) -> Runner:
        """Calls the callbacks of components."""

    @property
    def cores(self) -> Callable[[], float]:
        """How many cores 100 % of CPU are."""

    def grant(self, limits: Mapping[str, float]) -> None:
        """Have what is granted held, where the kernel shall."""


def cooperate(
    config: ManagerConfig,
    limits: Sequence[tuple[Resource, float]],
    strategy: str,
    acting: Acting,
    history: History,
) -> Synchroniser:
    """Open the ledger that `config.sharing` names; return what keeps a book in step with it.

    Raises `ConfigurationError` for a URL that is none, and for a ledger that others share with a
    strategy that does not; `LedgerError` for one that cannot be used.
    """
    url = config.sharing
    capacities = {resource.name: limit for resource, limit in limits}
    ledger = open_ledger(url, capacities, config.name or f"process {os.getpid()}")
    if ledger.shared and "cooperative" not in strategy.split("+"):
        ledger.close()
        raise ConfigurationError(
            f"sharing={url!r} with strategy {strategy!r}: only 'cooperative' follows what others "
            f"leave; give strategy='cooperative' or '{strategy}+cooperative'"
        )
    book = ComponentBook(limits, acting.runner, ledger, acting.cores)
    weakref.finalize(book, ledger.close).atexit = False  # the end of the process gives it back, too

    def told(fault: str) -> None:
        history.note("sharing", time.time(), fault=fault, consequence="grants stay as they are")

    threads = GrantedThreads(acting.cores)

    def granted(limits: Mapping[str, float]) -> bool:
        acting.grant(limits)
        call = acting.runner.call("granted threads", lambda: threads.follow(limits), _PATIENCE)
        return call is not None  # `None` while the last one has not come back

    measure = _now if config.scope == "application" else of_sample
    return Synchroniser(book, measure, told, granted)


def _now(resource: str, sample: Sample) -> float:
    """Use of this application at this moment, where it can be had sooner than the next sample."""
    if resource != MEMORY.name:
        return of_sample(resource, sample)
    shared = sample.application.shared_mb
    return family_memory_mb() + (shared if shared == shared else 0.0)  # noqa: PLR0124 - nan
