"""A component: a part of an application that holds a share of the limits, as its owner sees it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from amptalk.model.decision import Ask
from amptalk.model.errors import ConfigurationError, LedgerError
from amptalk.sharing.asks import ARGUMENTS, amount
from amptalk.sharing.holdings import Holding
from amptalk.sharing.use import Use

if TYPE_CHECKING:
    from typing_extensions import Self

_NOTHING: Mapping[str, float] = {}


class Book(Protocol):
    """What a component needs of the book that it is in."""

    def say(self, component: Component, wanted: Mapping[str, float]) -> None:
        """Take down what it wants now."""

    def enter(self, component: Component, use: Use) -> None:
        """Take down a use that begins."""

    def leave(self, component: Component, use: Use) -> None:
        """Take down that a use is over."""

    def wait_for(self, condition: Callable[[], bool], seconds: float | None) -> bool:
        """Wait until grants are such that it holds; false when time is up."""

    def wake(self) -> None:
        """End such waits."""

    def remove(self, component: Component) -> None:
        """Give everything back."""

    def reclaim_seconds(self, component: Component) -> float:
        """How long it may wait for what it has lent."""

    def cores(self) -> float:
        """How many cores 100 % of CPU are."""


class Component:
    """A part of the application; as a block, `with` or `async with`, it is released at its end."""

    def __init__(self, book: Book, name: str, asks: Mapping[str, Ask]) -> None:
        self._book = book
        self.name = name
        self.asks = asks
        """What it asks, by resource."""
        self.holdings: dict[str, Holding] = {}
        self.said: Mapping[str, float] = _NOTHING
        """What it said it wants."""
        self.uses: tuple[Use, ...] = ()
        """Blocks that hold more than the minimum, or wait for it, in the order they came."""

    def grant(self, resource: str) -> float:
        """How much of a resource it may use now, in its unit.

        The minimum at first, or 0 until others have made room. Raises
        `ConfigurationError` for a resource it did not ask for.
        """
        holding = self.holdings.get(resource)
        if holding is None:
            raise ConfigurationError(
                f"component {self.name!r} did not ask for {resource!r}, only for "
                f"{', '.join(self.holdings) or 'nothing any more'}"
            )
        return holding.granted

    @property
    def threads(self) -> int:
        """Threads that its CPU grant keeps busy, at least 1; for pools of threads."""
        cores = self.grant("cpu") / 100.0 * self._book.cores()
        return max(1, int(cores)) if cores == cores else 1  # noqa: PLR0124 - nan: not known

    @property
    def reclaim_seconds(self) -> float:
        """Within this time what it has lent is back, unless a borrower breaks its word.

        The longest shrink time of the others and 0.1 s.
        """
        return self._book.reclaim_seconds(self)

    def demand(
        self,
        *,
        memory_mb: float | None = None,
        cpu_percent: float | None = None,
        gpu_memory_mb: float | None = None,
    ) -> None:
        """Say what it wants now; what is left out stays as said before.

        What it does not want, above its minimum, is lent to others until it does. Raises
        `LedgerError` when the ledger cannot be written; then nothing has changed.
        """
        self._book.say(self, self._checked(memory_mb, cpu_percent, gpu_memory_mb))

    def hold(
        self,
        *,
        memory_mb: float | None = None,
        cpu_percent: float | None = None,
        gpu_memory_mb: float | None = None,
        timeout: float | None = None,
    ) -> Use:
        """Return a block, `with` or `async with`, in which so much more than the minimum is held.

        It is entered once all of it is granted, which others may have to shrink for, first come
        first served. Say before with `demand` how little is wanted outside such blocks. Raises
        `NeverFitsError` for more than the maximum leaves and, when entered,
        `AdmissionTimeoutError` after `timeout` seconds.
        """
        wanted = self._checked(memory_mb, cpu_percent, gpu_memory_mb)
        return Use(self._book, self, wanted, timeout)

    def release(self) -> None:
        """Give everything back and leave; does nothing the second time."""
        self._book.remove(self)

    def held(self, resource: str, upto: Use | None = None) -> float:
        """What its uses hold beyond the minimum, those after `upto` left out."""
        uses = self.uses if upto is None else self.uses[: self.uses.index(upto) + 1]
        return math.fsum(use.amounts.get(resource, 0.0) for use in uses)

    def wants(self, resource: str) -> float:
        """What it wants now: what it said, and at least what its uses hold."""
        return max(
            self.said.get(resource, math.inf), self.asks[resource].minimum + self.held(resource)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            self.release()
        except LedgerError:
            if error is None:  # that of the block says more
                raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from amptalk.sharing.off_loop import off_loop

        await off_loop(lambda: self.__exit__(kind, error, trace))

    def _checked(self, *amounts: float | None) -> dict[str, float]:
        said = {
            resource: amount(self.name, ARGUMENTS[resource], value)
            for resource, value in zip(("memory", "cpu", "gpu_memory"), amounts, strict=True)
            if value is not None
        }
        for resource in said:
            self.grant(resource)  # raises for what was not asked for
        return said
